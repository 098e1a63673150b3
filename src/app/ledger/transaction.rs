//! The changes a record can go through, and what comes of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{AppRecord, ManualLock, Phase, RunState};
use crate::model::canary::CanaryRule;
use crate::model::hostname::Hostname;
use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release};
use crate::model::units::UrlPath;
use crate::model::volumes::OwnedVolume;
use crate::settings::{Settings, Swap};

/// One atomic change of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "transaction")]
pub enum Transaction {
    /// A new app, or a removed one of that name brought back with its id, secrets and history (the given id and
    /// secrets are not used then).
    Create {
        /// The app to be.
        record: Box<AppRecord>,
    },
    /// Gives out a release number and records the intent. The hosts are checked here and again at the switch. Asked
    /// again by the same change before its switch, it gives the same number.
    Begin {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// Who.
        by: Caller,
        /// When.
        at: Timestamp,
        /// How it will hand over.
        swap: Swap,
        /// Hostnames and path the new release will have.
        claim: Claim,
    },
    /// Records how far a change got.
    Advance {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// The phase it is about to enter.
        phase: Phase,
    },
    /// The commit point: the release serves, its route is the app's route. Applying it again with the same op changes
    /// nothing and succeeds.
    Switch {
        /// Which app.
        app: AppId,
        /// The release, status `serving`.
        release: Box<Release>,
        /// What the app is meant to do from now on.
        state: RunState,
        /// A canary goes on beside the new release; else it ends.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        keep_canary: bool,
    },
    /// The commit point of a canary: the release gets the requests of the rule, the serving one all others. Ends an
    /// earlier canary. May be applied twice.
    Canary {
        /// Which app.
        app: AppId,
        /// The release.
        release: Box<Release>,
        /// Which requests it gets.
        rule: CanaryRule,
        /// When.
        at: Timestamp,
    },
    /// Other requests for the canary.
    Share {
        /// Which app.
        app: AppId,
        /// Which requests it gets from now on.
        rule: CanaryRule,
    },
    /// The canary serves. Records an intent that [`Transaction::Retire`] clears. May be applied twice.
    Promote {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// Who.
        by: Caller,
        /// When.
        at: Timestamp,
    },
    /// The canary gets no more requests and is remembered as failed. Records an intent that [`Transaction::Retire`]
    /// clears once its container is gone. May be applied twice.
    Abort {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// Who.
        by: Caller,
        /// When.
        at: Timestamp,
        /// Why, in one sentence.
        why: String,
    },
    /// Back to the release before, by the change that had switched away from it and not retired it yet. The release it
    /// made is remembered as failed. May be applied twice.
    Return {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// The release that serves again.
        to: ReleaseNumber,
        /// What was wrong with the other one, in one sentence.
        why: String,
    },
    /// New settings for the serving release without a new container.
    Amend {
        /// Which app.
        app: AppId,
        /// All settings.
        settings: Box<Settings>,
        /// The source revision of the serving release from now on; `None`: it stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
    },
    /// Start or stop.
    SetState {
        /// Which app.
        app: AppId,
        /// What it is meant to do.
        state: RunState,
    },
    /// Other names for the same app. Its volumes keep the name they have. May be applied twice.
    Rename {
        /// Which app.
        app: AppId,
        /// The name it goes by from now on.
        name: AppName,
        /// The names it goes by beside that one.
        aliases: Vec<AppName>,
    },
    /// Remembers the highest sequence number.
    Sequence {
        /// Which app.
        app: AppId,
        /// `--sequence`.
        number: u64,
    },
    /// The change failed or its holder died before the switch: the intent is cleared, the failure remembered.
    Abandon {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// The release, status `failed`, where there is something to remember.
        release: Option<Box<Release>>,
    },
    /// The change is done: the intent is cleared.
    Retire {
        /// Which app.
        app: AppId,
        /// The change.
        op: OpId,
        /// How long all of it took, milliseconds.
        took_ms: u64,
        /// Releases whose containers are gone by now.
        gone: Vec<ReleaseNumber>,
    },
    /// `once lock` and `once unlock`. The one transaction that needs no lease: a lock taken on purpose keeps everybody
    /// from getting one.
    ManualLock {
        /// Which app.
        app: AppId,
        /// The lock, or `None` to lift it.
        lock: Option<ManualLock>,
    },
    /// The app is removed, its data kept: name and hostnames are free, the record stays.
    Remove {
        /// Which app.
        app: AppId,
        /// When.
        at: Timestamp,
    },
    /// Unlabelled volumes of the engine are the app's own from now on: its container that had them is about to go. May be
    /// applied twice.
    Own {
        /// Which app, removed ones included.
        app: AppId,
        /// Which volumes.
        volumes: Vec<OwnedVolume>,
    },
    /// Volumes are not the app's own any more: the container they came with is nobody's app again. May be applied twice.
    Disown {
        /// Which app, removed ones included.
        app: AppId,
        /// Which volumes.
        volumes: Vec<String>,
    },
    /// The record goes: the data went too, or a first deploy failed.
    Forget {
        /// Which app.
        app: AppId,
    },
}

impl Transaction {
    /// The record it is about.
    #[must_use]
    pub fn app(&self) -> &AppId {
        match self {
            Self::Create { record } => &record.id,
            Self::Begin { app, .. }
            | Self::Advance { app, .. }
            | Self::Switch { app, .. }
            | Self::Canary { app, .. }
            | Self::Share { app, .. }
            | Self::Promote { app, .. }
            | Self::Abort { app, .. }
            | Self::Return { app, .. }
            | Self::Amend { app, .. }
            | Self::SetState { app, .. }
            | Self::Rename { app, .. }
            | Self::Sequence { app, .. }
            | Self::Abandon { app, .. }
            | Self::Retire { app, .. }
            | Self::ManualLock { app, .. }
            | Self::Remove { app, .. }
            | Self::Own { app, .. }
            | Self::Disown { app, .. }
            | Self::Forget { app } => app,
        }
    }
}

/// Hostnames and path a release will answer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Hostnames.
    pub hosts: Vec<Hostname>,
    /// Path.
    pub path_prefix: Option<UrlPath>,
    /// Whether it also gets the requests for hostnames nobody serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_app: bool,
}

impl Claim {
    /// What these settings claim.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self {
            hosts: settings.hosts.clone(),
            path_prefix: settings.path_prefix.clone(),
            default_app: settings.web.default_app,
        }
    }
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The record as it is now; `None` once forgotten.
    pub record: Option<AppRecord>,
    /// The number given out by [`Transaction::Begin`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseNumber>,
    /// It had been applied before; nothing changed.
    #[serde(default)]
    pub replayed: bool,
}

/// Why a transaction was turned down. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "refusal")]
pub enum Refusal {
    /// No such app (any more).
    #[error("there is no app with id {app}")]
    Absent {
        /// Which id.
        app: AppId,
    },
    /// The name is in use.
    #[error("the name {name} belongs to another app")]
    NameTaken {
        /// Which name.
        name: AppName,
    },
    /// A hostname and path belongs to another app.
    #[error("{host} is served by the app {owner}")]
    HostTaken {
        /// Which hostname.
        host: Hostname,
        /// Whose it is.
        owner: AppName,
    },
    /// Another app gets the requests for hostnames nobody serves.
    #[error("{owner} is the default app")]
    DefaultTaken {
        /// Which app.
        owner: AppName,
    },
    /// Another change of this app is recorded as under way, or this one no longer is.
    #[error("another change of {name} is under way or was left behind")]
    NotYours {
        /// Which app.
        name: AppName,
    },
    /// The candidate is not the newest release.
    #[error("release {given} of {name} is not the newest: release {newest} was begun after it")]
    Outdated {
        /// Which app.
        name: AppName,
        /// The candidate.
        given: ReleaseNumber,
        /// The newest number given out.
        newest: ReleaseNumber,
    },
    /// The app has never served, so there is nothing to amend or stop.
    #[error("{name} has no serving release")]
    NothingServes {
        /// Which app.
        name: AppName,
    },
    /// No release is being tried out.
    #[error("{name} has no canary")]
    NoCanary {
        /// Which app.
        name: AppName,
    },
    /// The record that would come of it could not be kept: a caller's bug.
    #[error("the change of {name} makes no sense: {why}")]
    Unsound {
        /// Which app.
        name: AppName,
        /// What is wrong, in words.
        why: String,
    },
}
