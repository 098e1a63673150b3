//! The host's memory: one record an app, changed only by [`Ledger::apply`]. Pure: the proxy's store calls it under one
//! lock, syncs the result to disk, publishes routes, and only then answers. So the switch of DESIGN.md is one call.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::host::Hostname;
use super::name::{AppId, AppName, OpId, ReleaseNumber};
use super::release::{Caller, Release, ReleaseStatus};
use super::route::{Route, RouteState, Target};
use super::settings::{Secret, Settings, Swap};

/// The version of [`AppRecord`] as written to disk. A newer one is set aside, never guessed at.
pub const SCHEMA: u32 = 1;

/// Releases kept in a record beside the serving one; older ones are forgotten.
const HISTORY: usize = 1000;

/// Everything the host remembers about an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// Opaque, survives renames.
    pub id: AppId,
    /// The name it goes by.
    pub name: AppName,
    /// Goes up by one with every change; a form carries the one it was opened on.
    pub revision: u64,
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
    /// All releases by age, oldest first.
    pub releases: Vec<Release>,
    /// The change under way, or abandoned by a holder that died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
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
            revision: 0,
            state: RunState::Running,
            serving: None,
            next_release: 1,
            last_sequence: None,
            generated,
            releases: Vec::new(),
            intent: None,
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

    /// The serving release.
    #[must_use]
    pub fn serving_release(&self) -> Option<&Release> {
        self.serving.and_then(|n| self.release(n))
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
            target: Target { release: release.number, address: release.address() },
            state: match self.state {
                RunState::Running => RouteState::Serving,
                RunState::Stopped => RouteState::Stopped,
            },
            health_path: settings.health_path.clone(),
        })
    }

    /// The newest finished releases whose containers are kept, newest first, the serving one left out.
    pub fn kept(&self) -> impl Iterator<Item = &Release> {
        self.releases.iter().rev().filter(|r| r.container_kept && Some(r.number) != self.serving)
    }
}

/// All records of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    apps: BTreeMap<AppId, AppRecord>,
}

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
    /// Gives out a release number and records the intent. The hosts are checked here and again at the switch.
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
    },
    /// New settings for the serving release without a new container.
    Amend {
        /// Which app.
        app: AppId,
        /// All settings.
        settings: Box<Settings>,
    },
    /// Start or stop.
    SetState {
        /// Which app.
        app: AppId,
        /// What it is meant to do.
        state: RunState,
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
    /// `once lock` and `once unlock`.
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
    /// The record goes: the data went too, or a first deploy failed.
    Forget {
        /// Which app.
        app: AppId,
    },
}

/// Hostnames and path a release will answer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Hostnames.
    pub hosts: Vec<Hostname>,
    /// Path.
    pub path_prefix: Option<super::units::UrlPath>,
}

impl Claim {
    /// What these settings claim.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        Self { hosts: settings.hosts.clone(), path_prefix: settings.path_prefix.clone() }
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
}

impl Ledger {
    /// A ledger of these records, as read from disk.
    #[must_use]
    pub fn from_records(records: impl IntoIterator<Item = AppRecord>) -> Self {
        Self { apps: records.into_iter().map(|r| (r.id.clone(), r)).collect() }
    }

    /// All records, removed ones included.
    pub fn records(&self) -> impl Iterator<Item = &AppRecord> {
        self.apps.values()
    }

    /// A record by id.
    #[must_use]
    pub fn get(&self, id: &AppId) -> Option<&AppRecord> {
        self.apps.get(id)
    }

    /// Applies one change, or none of it.
    ///
    /// # Errors
    /// [`Refusal`]; the ledger is as it was.
    pub fn apply(&mut self, transaction: Transaction) -> Result<Applied, Refusal> {
        match transaction {
            Transaction::Create { record } => self.create(*record),
            Transaction::Begin { app, op, by, at, swap, claim } => {
                self.check_claim(&app, &claim)?;
                self.begin(&app, op, by, at, swap)
            }
            Transaction::Switch { app, release, state } => self.switch(&app, *release, state),
            Transaction::Amend { app, settings } => self.amend(&app, *settings),
            Transaction::Forget { app } => {
                let replayed = self.apps.remove(&app).is_none();
                Ok(Applied { record: None, release: None, replayed })
            }
            Transaction::Advance { app, op, phase } => self.change(&app, |record| {
                let name = record.name.clone();
                let intent = record.intent.as_mut().filter(|i| i.op == op).ok_or(Refusal::NotYours { name })?;
                intent.phase = phase;
                Ok(())
            }),
            Transaction::SetState { app, state } => self.change(&app, |record| {
                record.state = state;
                Ok(())
            }),
            Transaction::Sequence { app, number } => self.change(&app, |record| {
                record.last_sequence = record.last_sequence.max(Some(number));
                Ok(())
            }),
            Transaction::Abandon { app, op, release } => self.change(&app, |record| {
                record.intent.take_if(|i| i.op == op);
                if let Some(release) = release
                    && record.release(release.number).is_none()
                {
                    record.releases.push(*release);
                    record.releases.sort_by_key(|r| r.number);
                }
                Ok(())
            }),
            Transaction::Retire { app, op, took_ms, gone } => self.change(&app, |record| {
                record.intent.take_if(|i| i.op == op);
                for release in &mut record.releases {
                    if release.op == op && release.took_ms == 0 {
                        release.took_ms = took_ms;
                    }
                    if gone.contains(&release.number) {
                        release.container_kept = false;
                    }
                }
                Ok(())
            }),
            Transaction::ManualLock { app, lock } => self.change(&app, |record| {
                record.manual_lock = lock;
                Ok(())
            }),
            Transaction::Remove { app, at } => self.change(&app, |record| {
                record.removed_at = Some(at);
                record.intent = None;
                record.manual_lock = None;
                for release in &mut record.releases {
                    release.container_kept = false;
                }
                Ok(())
            }),
        }
    }

    fn change(
        &mut self,
        app: &AppId,
        act: impl FnOnce(&mut AppRecord) -> Result<(), Refusal>,
    ) -> Result<Applied, Refusal> {
        let mut record = self.apps.get(app).cloned().ok_or_else(|| Refusal::Absent { app: app.clone() })?;
        act(&mut record)?;
        record.revision += 1;
        self.apps.insert(app.clone(), record.clone());
        Ok(Applied { record: Some(record), release: None, replayed: false })
    }

    fn create(&mut self, mut record: AppRecord) -> Result<Applied, Refusal> {
        if self.apps.values().any(|r| r.is_live() && r.name == record.name) {
            return Err(Refusal::NameTaken { name: record.name });
        }
        if let Some(kept) = self.apps.values().find(|r| r.name == record.name) {
            let kept = AppRecord { removed_at: None, serving: None, state: RunState::Running, ..kept.clone() };
            record = kept;
            record.revision += 1;
        }
        self.apps.insert(record.id.clone(), record.clone());
        Ok(Applied { record: Some(record), release: None, replayed: false })
    }

    fn begin(&mut self, app: &AppId, op: OpId, by: Caller, since: Timestamp, swap: Swap) -> Result<Applied, Refusal> {
        let mut number = None;
        let mut applied = self.change(app, |record| {
            if let Some(intent) = &record.intent
                && intent.op != op
            {
                return Err(Refusal::NotYours { name: record.name.clone() });
            }
            let given = ReleaseNumber(record.next_release);
            record.next_release += 1;
            record.intent = Some(Intent { op, release: given, swap, phase: Phase::Preparing, by, since });
            number = Some(given);
            Ok(())
        })?;
        applied.release = number;
        Ok(applied)
    }

    fn switch(&mut self, app: &AppId, release: Release, state: RunState) -> Result<Applied, Refusal> {
        if let Some(record) = self.apps.get(app)
            && record.release(release.number).is_some_and(|r| r.op == release.op)
        {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        self.check_claim(app, &Claim::of(&release.settings))?;
        self.change(app, |record| {
            let newest = ReleaseNumber(record.next_release.saturating_sub(1));
            if release.number != newest {
                return Err(Refusal::Outdated { name: record.name.clone(), given: release.number, newest });
            }
            let name = record.name.clone();
            let intent = record.intent.as_mut().filter(|i| i.op == release.op).ok_or(Refusal::NotYours { name })?;
            intent.phase = Phase::Switched;
            let at = release.created_at;
            if let Some(old) = record.serving.and_then(|n| record.releases.iter_mut().find(|r| r.number == n)) {
                old.status = ReleaseStatus::Replaced { at };
            }
            record.serving = Some(release.number);
            record.state = state;
            record.releases.push(release);
            let surplus = record.releases.len().saturating_sub(HISTORY);
            record.releases.drain(..surplus);
            Ok(())
        })
    }

    fn amend(&mut self, app: &AppId, settings: Settings) -> Result<Applied, Refusal> {
        self.check_claim(app, &Claim::of(&settings))?;
        self.change(app, |record| {
            let serving = record.serving;
            let name = record.name.clone();
            let release = record.releases.iter_mut().find(|r| Some(r.number) == serving);
            release.ok_or(Refusal::NothingServes { name })?.settings = settings;
            Ok(())
        })
    }

    /// A hostname with its path belongs to one app; the same hostname with another path may belong to another.
    fn check_claim(&self, app: &AppId, claim: &Claim) -> Result<(), Refusal> {
        for other in self.apps.values().filter(|r| &r.id != app && r.is_live()) {
            let Some(settings) = other.settings() else { continue };
            if settings.path_prefix != claim.path_prefix {
                continue;
            }
            if let Some(host) = claim.hosts.iter().find(|h| settings.hosts.contains(h)) {
                return Err(Refusal::HostTaken { host: host.clone(), owner: other.name.clone() });
            }
        }
        Ok(())
    }
}
