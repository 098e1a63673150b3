//! What can be asked of once: values that a command, the console and the detached process hand to each other.

use serde::{Deserialize, Serialize};

use crate::model::canary::CanaryRule;
use crate::model::certificate::CertificatePair;
use crate::model::hostname::Hostname;
use crate::model::name::{AppName, OpId, ReleaseNumber};
use crate::model::release::Caller;
use crate::model::route::Notice;
use crate::model::units::{Port, Span, UrlPath};
use crate::ports::proxy::LockRequest;
use crate::settings::Secret;
use crate::settings::draft::Draft;

/// A change to be made, complete: what the detached process reads from its standard input. Holds secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The change's identity, made by whoever asks.
    pub op: OpId,
    /// Who asks.
    pub by: Caller,
    /// What is asked.
    pub ask: Ask,
    /// How long to wait for the app's lock, milliseconds; 0 fails at once.
    pub wait_ms: u64,
    /// The change that this one is a part of: it shares that one's lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<Secret>,
}

impl Job {
    /// The lock it needs.
    pub(crate) fn lock_request(&self, app: &AppName, wait_ms: u64) -> LockRequest {
        let (op, by, part_of) = (self.op.clone(), self.by.clone(), self.part_of.clone());
        LockRequest { app: app.clone(), op, by, wait_ms, part_of }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum Ask {
    /// Make the app as wished, creating it where there is none.
    Deploy(Box<Deploy>),
    /// Go back to a retained release: image and settings, as a new release number. `None`: the one before.
    Rollback {
        /// Which app.
        app: Selector,
        /// To which release.
        to: Option<ReleaseNumber>,
    },
    /// Serve again.
    Start {
        /// Which app.
        app: Selector,
    },
    /// Stop; visitors see a 503 page.
    Stop {
        /// Which app.
        app: Selector,
    },
    /// A zero-downtime swap of the same image and settings.
    Restart {
        /// Which app.
        app: Selector,
    },
    /// Move other requests to the release that is tried out.
    Canary {
        /// Which app.
        app: Selector,
        /// Which requests it gets from now on.
        rule: CanaryRule,
    },
    /// The release that is tried out serves.
    Promote {
        /// Which app.
        app: Selector,
    },
    /// The release that is tried out goes.
    Abort {
        /// Which app.
        app: Selector,
    },
    /// Put in order what a process that died left behind, and remove what no release needs.
    Tidy {
        /// Which app.
        app: Selector,
    },
    /// Make an app of what runs already, which goes on running as it is: our own containers whose record was lost, or
    /// a container of others.
    Adopt {
        /// Name or id of one of its containers.
        container: String,
        /// What is not to be read off a container of others.
        #[serde(default)]
        wish: Box<AdoptWish>,
    },
    /// Let an app go that was taken over from a container of others, which runs on without us, or again.
    GiveBack {
        /// Which app.
        app: Selector,
        /// End after the plan.
        dry_run: bool,
    },
    /// Go by another name. The old one stays an alias.
    Rename {
        /// Which app.
        app: Selector,
        /// Its name from now on.
        to: AppName,
        /// End after the plan.
        dry_run: bool,
    },
    /// An alias means this app no longer.
    DropAlias {
        /// Which.
        alias: AppName,
        /// End after the plan.
        dry_run: bool,
    },
    /// Let visitors see a 503 page while the app goes on running, or let them in again.
    Maintenance {
        /// Which app.
        app: Selector,
        /// What visitors are told; `None`: it is over.
        notice: Option<Notice>,
    },
    /// Let requests wait.
    Pause {
        /// Which app.
        app: Selector,
        /// The longest wait of a request; then it gets a 503.
        max_wait: Span,
    },
    /// Let the requests that wait, and those to come, go on.
    Resume {
        /// Which app.
        app: Selector,
    },
    /// Remove the app, and its data where asked.
    Remove {
        /// Which app.
        app: Selector,
        /// The volumes, the generated secrets and the history too.
        data: bool,
    },
}

impl Ask {
    /// Whether it brings the proxy to this version first.
    #[must_use]
    pub fn upgrades_proxy(&self) -> bool {
        matches!(self, Self::Deploy(deploy) if deploy.upgrade_proxy && !deploy.dry_run)
    }

    /// Whether it ends after the plan.
    #[must_use]
    pub fn is_dry(&self) -> bool {
        match self {
            Self::Deploy(deploy) => deploy.dry_run,
            Self::Adopt { wish, .. } => wish.dry_run,
            Self::Rename { dry_run, .. } | Self::DropAlias { dry_run, .. } | Self::GiveBack { dry_run, .. } => *dry_run,
            _ => false,
        }
    }
}

/// Which app is meant: its name, an alias, or any of its hostnames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selector(pub String);

/// What an app made of somebody else's container is to have, whatever its maker says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdoptWish {
    /// `--name`.
    pub name: Option<AppName>,
    /// `--host`; none: those its proxy has for it, else `<name>.localhost`.
    pub hosts: Vec<Hostname>,
    /// `--port`.
    pub port: Option<Port>,
    /// `--health-path`; `None`: what its proxy asks for, else `/up`, else `/`.
    pub health_path: Option<UrlPath>,
    /// `--dry-run`: end after the plan.
    pub dry_run: bool,
}

/// A wish for an app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deploy {
    /// `--name`.
    pub name: Option<AppName>,
    /// The app must exist: `set`, and forms of existing apps.
    pub existing: Option<Selector>,
    /// The settings wished for. [`Draft::hosts`] also select the app where no name is given.
    pub draft: Draft,
    /// The hostname a new app gets where none is given; `None`: `<name>.localhost`.
    pub default_host: Option<Hostname>,
    /// `--revision`.
    pub revision: Option<String>,
    /// `--sequence`.
    pub sequence: Option<u64>,
    /// `--pull`.
    pub pull: Pull,
    /// `--force`: swap even when nothing changed.
    pub force: bool,
    /// `--start`: serve, also if the app is stopped.
    pub start: bool,
    /// `--dry-run`: end after the plan.
    pub dry_run: bool,
    /// The revision a form was opened on; the change is refused if the app was changed since. Attempts that failed do not
    /// count.
    pub expected_revision: Option<u64>,
    /// `--canary`: beside the serving release, for these requests.
    pub canary: Option<CanaryRule>,
    /// `--upgrade-proxy`.
    pub upgrade_proxy: bool,
    /// `--beside`: apps the guard may not take this one for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<AppName>,
    /// `--change-image`: another image repository is meant.
    pub change_image: bool,
    /// `--require-tls`: without a certificate for each of its names nothing is switched.
    pub require_tls: bool,
    /// `--tls-cert` and `--tls-key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificatePair>,
}

/// When to ask the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// Ask; offline with a local copy: use it and warn.
    #[default]
    Auto,
    /// Ask; offline is an error.
    Always,
    /// Use what the engine has.
    Never,
}
