//! One app's record: what is remembered of it, and what follows from that.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::canary::Canary;
use crate::model::hostname::Hostname;
use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release, ReleaseStatus};
use crate::model::route::{CanaryRoute, Notice, Route, RouteState, Target};
use crate::model::units::Span;
use crate::model::volumes::{OwnedVolume, is_anonymous};
use crate::settings::{Secret, Settings, Swap};

/// The version of [`AppRecord`] as written to disk. A newer one is set aside, never guessed at.
pub const SCHEMA: u32 = 1;

/// Releases kept in a record; older ones move to the app's history. Each is about a kilobyte in every file, snapshot and
/// change.
pub(super) const RECENT: usize = 20;

/// Hostnames an app gave up that are remembered.
const FORMER_HOSTS: usize = 16;

/// Numbers from here on are never given out: what a damaged file may hold, and arithmetic could not bear.
const LAST_NUMBER: u64 = 1 << 53;

/// Everything the host remembers about an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Opaque, survives renames.
    pub id: AppId,
    /// The name it goes by.
    pub name: AppName,
    /// Names it went by before, still its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AppName>,
    /// The name its data volumes carry, where that is not its own: the one it had when they were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_name: Option<AppName>,
    /// Volumes of the engine that are its own and carry no label of it, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owned_volumes: Vec<OwnedVolume>,
    /// Hostnames it gave up, the latest last, at most [`FORMER_HOSTS`]: a new app does not get them without a word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_hosts: Vec<Hostname>,
    /// Goes up by one with every change; a form carries the one it was opened on.
    pub revision: u64,
    /// The revision of the last change of what the app is: its releases, settings, state, name. What an attempt that
    /// failed leaves behind, locks, and numbers given out are none. `None`: a version before wrote it, which did not tell
    /// them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_revision: Option<u64>,
    /// What the app is meant to do.
    pub state: RunState,
    /// The release that serves, or would if the app were not stopped.
    pub serving: Option<ReleaseNumber>,
    /// The next number to give out.
    pub next_release: u64,
    /// The highest `--sequence` accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sequence: Option<u64>,
    /// Secrets made once and kept with the data.
    pub generated: Generated,
    /// The newest releases by age, oldest first; those before them are in the app's history.
    pub releases: Vec<Release>,
    /// The change under way, or abandoned by a holder that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// A release that is tried out on some of the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Box<Canary>>,
    /// Held on purpose by `once lock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_lock: Option<ManualLock>,
    /// When the app was created.
    pub created_at: Timestamp,
    /// When it was removed; its data volumes and generated secrets are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Timestamp>,
}

/// What an app is meant to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RunState {
    /// Serve.
    #[default]
    Running,
    /// Not run; visitors see a 503 page.
    Stopped,
    /// Run, but not serve; visitors see a 503 page that says why.
    Maintenance(Notice),
    /// Run, but let requests wait, each for so long at most.
    Paused {
        /// The longest wait of a request; then it gets a 503.
        max_wait: Span,
    },
}

impl RunState {
    /// Whether the app's container is to run, whatever visitors get.
    #[must_use]
    pub const fn runs(&self) -> bool {
        !matches!(self, Self::Stopped)
    }
}

/// Secrets an app gets once in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// 64 hex digits.
    pub secret_key_base: Secret,
    /// Unpadded base64url of the uncompressed P-256 point.
    pub vapid_public_key: String,
    /// Unpadded base64url of the P-256 scalar.
    pub vapid_private_key: Secret,
}

/// A change that was begun. Whoever finds one without a lock holder knows that the holder died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The change.
    pub op: OpId,
    /// The release it makes.
    pub release: ReleaseNumber,
    /// How it hands over.
    pub swap: Swap,
    /// How far it got.
    pub phase: Phase,
    /// Who.
    pub by: Caller,
    /// Since when.
    pub since: Timestamp,
    /// [`AppRecord::last_change`] as it was when this one began: it holds again if this one is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_before: Option<u64>,
}

/// How far a change got; written before the step it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A candidate may exist; the old release serves.
    Preparing,
    /// `handover`: requests are held and the old release may be stopped.
    HandingOver,
    /// The new release serves; the old one is to be drained, stopped and retired.
    Switched,
}

/// A lock taken on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManualLock {
    /// Who.
    pub by: Caller,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl AppRecord {
    /// A new app that has never served.
    #[must_use]
    pub fn new(id: AppId, name: AppName, generated: Generated, at: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            id,
            name,
            aliases: Vec::new(),
            volume_name: None,
            owned_volumes: Vec::new(),
            former_hosts: Vec::new(),
            revision: 0,
            changed_revision: None,
            state: RunState::Running,
            serving: None,
            next_release: 1,
            last_sequence: None,
            generated,
            releases: Vec::new(),
            intent: None,
            canary: None,
            manual_lock: None,
            created_at: at,
            removed_at: None,
        }
    }

    /// A release by its number.
    #[must_use]
    pub fn release(&self, number: ReleaseNumber) -> Option<&Release> {
        self.releases.iter().find(|r| r.number == number)
    }

    /// The revision of the last change of what the app is; where that is not known, of the last change at all.
    #[must_use]
    pub fn last_change(&self) -> u64 {
        self.changed_revision.unwrap_or(self.revision)
    }

    /// The release that is tried out.
    #[must_use]
    pub fn canary_release(&self) -> Option<&Release> {
        self.canary.as_ref().map(|canary| &canary.release)
    }

    /// The release a container was made for, or taken over by; the one that is tried out included.
    #[must_use]
    pub fn release_of(&self, container: &str) -> Option<&Release> {
        self.canary_release().into_iter().chain(self.releases.iter().rev()).find(|r| r.container == container)
    }

    /// Whether a container of others was taken over as a release of this app.
    #[must_use]
    pub fn has_adopted(&self, container: &str) -> bool {
        self.releases.iter().any(|r| r.adopted && r.container == container)
    }

    /// The serving release.
    #[must_use]
    pub fn serving_release(&self) -> Option<&Release> {
        self.serving.and_then(|n| self.release(n))
    }

    /// Whether a rollback without a number finds a release that served before the serving one. Where older releases have
    /// left the record for the history, there may be one.
    #[must_use]
    pub fn can_roll_back(&self) -> bool {
        let before = |r: &Release| self.serving.is_none_or(|serving| r.number < serving);
        let served = |r: &Release| matches!(r.status, ReleaseStatus::Replaced { .. }) && before(r);
        self.releases.iter().any(served) || self.releases.first().is_some_and(|r| r.number.0 > 1)
    }

    /// What holds: the serving release's settings, never what a failed attempt wanted.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.serving_release().map(|r| &r.settings)
    }

    /// Whether the app exists for its users (not removed with its data kept).
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.removed_at.is_none()
    }

    /// What the proxy is to do with this app's requests; `None` while it has never served.
    #[must_use]
    pub fn route(&self) -> Option<Route> {
        if !self.is_live() {
            return None;
        }
        let release = self.serving_release()?;
        let settings = &release.settings;
        Some(Route {
            app: self.id.clone(),
            name: self.name.clone(),
            hosts: settings.hosts.clone(),
            path_prefix: settings.path_prefix.clone(),
            tls: settings.tls,
            web: settings.web.clone(),
            target: Target { release: release.number, address: release.address() },
            state: match &self.state {
                RunState::Running => RouteState::Serving,
                RunState::Stopped => RouteState::Stopped,
                RunState::Maintenance(notice) => RouteState::Maintenance(notice.clone()),
                RunState::Paused { max_wait } => RouteState::Paused { max_wait: *max_wait },
            },
            health_path: settings.health_path.clone(),
            canary: self.canary.as_ref().map(|canary| CanaryRoute {
                target: Target { release: canary.release.number, address: canary.release.address() },
                rule: canary.rule.clone(),
            }),
        })
    }

    /// Whether it goes, or went, by this name.
    #[must_use]
    pub fn is_called(&self, name: &AppName) -> bool {
        &self.name == name || self.aliases.contains(name)
    }

    /// The name its data volumes carry.
    #[must_use]
    pub fn volumes_of(&self) -> &AppName {
        self.volume_name.as_ref().unwrap_or(&self.name)
    }

    /// Whether a container of this app is needed: by the release that serves, by one that is kept for a quick rollback,
    /// or by the one that is tried out. What is not needed may be removed.
    #[must_use]
    pub fn needs(&self, container: &str) -> bool {
        let stays = |r: &Release| r.container == container && (r.container_kept || Some(r.number) == self.serving);
        self.canary_release().is_some_and(|r| r.container == container) || self.releases.iter().any(stays)
    }

    /// What makes this record unfit to be remembered, in words; `None`: it is sound. Such a record can only come from
    /// a damaged or foreign file, or from a caller with a bug.
    #[must_use]
    pub fn flaw(&self) -> Option<String> {
        if !self.id.is_plain() {
            return Some("its id is not made of letters, digits and `-`".to_owned());
        }
        let mut numbers = BTreeSet::new();
        for release in self.releases.iter().chain(self.canary_release()) {
            if !numbers.insert(release.number) {
                return Some(format!("release {} is there twice", release.number));
            }
            if release.settings.hosts.is_empty() {
                return Some(format!("release {} has no hostname", release.number));
            }
            if release.status == ReleaseStatus::Serving && Some(release.number) != self.serving {
                return Some(format!("release {} says that it serves and does not", release.number));
            }
        }
        let begun = self.intent.as_ref().map(|i| i.release);
        match numbers.last().copied().max(begun) {
            Some(newest) if newest.0 >= self.next_release => {
                return Some(format!("release {newest} was given out and would be again"));
            }
            _ if self.next_release == 0 || self.next_release >= LAST_NUMBER => {
                return Some(format!("{} is no release number", self.next_release));
            }
            _ => {}
        }
        match self.serving {
            Some(serving) if !numbers.contains(&serving) => Some(format!("the serving release {serving} is missing")),
            _ => None,
        }
    }

    /// Notes that an unlabelled volume is the app's own.
    pub(crate) fn own(&mut self, volume: OwnedVolume) {
        match self.owned_volumes.iter_mut().find(|v| v.name == volume.name) {
            Some(known) if known.release < volume.release => *known = volume,
            Some(_) => {}
            None => self.owned_volumes.push(volume),
        }
    }

    /// Notes the unlabelled volumes that a release has at declared paths: it goes on with what was there.
    pub(crate) fn own_volumes_of(&mut self, release: &Release) {
        for (path, name) in release.declared_volumes.iter().filter(|(_, name)| is_anonymous(name)) {
            self.own(OwnedVolume { name: name.clone(), path: path.clone(), release: release.number });
        }
    }

    pub(super) fn replace_serving(&mut self, at: Timestamp) {
        if let Some(old) = self.releases.iter_mut().find(|r| Some(r.number) == self.serving) {
            old.status = ReleaseStatus::Replaced { at };
        }
    }

    /// Lets go of the oldest releases beyond [`RECENT`], never of the serving one or one whose container is kept.
    pub(super) fn prune(&mut self) {
        let surplus = self.releases.len().saturating_sub(RECENT);
        let kept = |r: &Release| r.container_kept && !matches!(r.status, ReleaseStatus::Failed { .. });
        let needed = |r: &Release| Some(r.number) == self.serving || kept(r);
        let oldest: Vec<_> = self.releases.iter().filter(|r| !needed(r)).map(|r| r.number).take(surplus).collect();
        self.releases.retain(|r| !oldest.contains(&r.number));
    }

    /// Notes which hostnames are given up when these settings take the place of what holds.
    pub(super) fn note_former_hosts(&mut self, next: &Settings) {
        let before = self.settings().map(|s| s.hosts.clone()).unwrap_or_default();
        self.former_hosts.retain(|host| !next.hosts.contains(host) && !before.contains(host));
        self.former_hosts.extend(before.into_iter().filter(|host| !next.hosts.contains(host)));
        let surplus = self.former_hosts.len().saturating_sub(FORMER_HOSTS);
        self.former_hosts.drain(..surplus);
    }

    /// The releases this record has and a later state of it no longer: they belong into the app's history.
    #[must_use]
    pub fn let_go(&self, later: &Self) -> Vec<&Release> {
        self.releases.iter().filter(|r| later.release(r.number).is_none()).collect()
    }

    /// Notes that the containers of these releases are gone, or about to go.
    pub(crate) fn forget_containers(&mut self, gone: &[ReleaseNumber]) {
        for release in self.releases.iter_mut().filter(|r| gone.contains(&r.number)) {
            release.container_kept = false;
        }
    }

    /// The newest finished releases whose containers are kept, newest first, the serving one left out.
    pub fn kept(&self) -> impl Iterator<Item = &Release> {
        self.releases.iter().rev().filter(|r| r.container_kept && Some(r.number) != self.serving)
    }
}
