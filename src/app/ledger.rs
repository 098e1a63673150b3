//! The host's memory: one record an app, changed only by [`Ledger::apply`]. Pure: the proxy's store calls it under one
//! lock, syncs the result to disk, publishes routes, and only then answers. So the switch of DESIGN.md is one call.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release, ReleaseStatus};
use crate::model::units::UrlPath;
use crate::settings::{Settings, Swap};

mod canary;
mod record;
mod transaction;

pub use record::{AppRecord, Generated, Intent, ManualLock, Phase, RunState, SCHEMA};
pub use transaction::{Applied, Claim, Refusal, Transaction};

/// All records of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Shared, so that a copy to try a change on costs nothing.
    apps: BTreeMap<AppId, Arc<AppRecord>>,
}

impl Ledger {
    /// A ledger of these records, as read from disk.
    #[must_use]
    pub fn from_records(records: impl IntoIterator<Item = AppRecord>) -> Self {
        Self { apps: records.into_iter().map(|r| (r.id.clone(), Arc::new(r))).collect() }
    }

    /// All records, removed ones included.
    pub fn records(&self) -> impl Iterator<Item = &AppRecord> {
        self.apps.values().map(Arc::as_ref)
    }

    /// A record by id.
    #[must_use]
    pub fn get(&self, id: &AppId) -> Option<&AppRecord> {
        self.apps.get(id).map(Arc::as_ref)
    }

    /// A record by name or alias: a live app's own name first, then a live app's alias, then removed apps.
    #[must_use]
    pub fn find(&self, name: &AppName) -> Option<&AppRecord> {
        let called = || self.records().filter(|r| r.is_called(name));
        called().min_by_key(|r| (!r.is_live(), &r.name != name))
    }

    /// Applies one change, or none of it.
    ///
    /// # Errors
    /// [`Refusal`]; the ledger is as it was.
    pub fn apply(&mut self, transaction: Transaction) -> Result<Applied, Refusal> {
        match transaction {
            Transaction::Create { record } => self.create(*record),
            Transaction::Begin { app, op, by, at, swap, claim } => self.begin(&app, op, by, at, swap, &claim),
            Transaction::Switch { app, release, state, keep_canary } => self.switch(&app, *release, state, keep_canary),
            Transaction::Canary { app, release, rule, at } => self.begin_canary(&app, *release, rule, at),
            Transaction::Share { app, rule } => self.share(&app, rule),
            Transaction::Promote { app, op, by, at } => self.promote(&app, op, by, at),
            Transaction::Abort { app, op, by, at, why } => self.abort_canary(&app, op, by, at, &why),
            Transaction::Return { app, op, to, why } => self.return_to(&app, &op, to, &why),
            Transaction::Amend { app, settings, revision } => self.amend(&app, *settings, revision),
            Transaction::Forget { app } => {
                let replayed = self.apps.remove(&app).is_none();
                Ok(Applied { record: None, release: None, replayed })
            }
            Transaction::Advance { app, op, phase } => self.note(&app, |record| {
                let name = record.name.clone();
                let intent = record.intent.as_mut().filter(|i| i.op == op).ok_or(Refusal::NotYours { name })?;
                intent.phase = phase;
                Ok(())
            }),
            Transaction::SetState { app, state } => self.change_live(&app, |record| {
                if record.serving.is_none() {
                    return Err(Refusal::NothingServes { name: record.name.clone() });
                }
                record.state = state;
                Ok(())
            }),
            Transaction::Rename { app, name, aliases } => self.rename(&app, name, aliases),
            Transaction::Sequence { app, number } => self.note_live(&app, |record| {
                record.last_sequence = record.last_sequence.max(Some(number));
                Ok(())
            }),
            Transaction::Abandon { app, op, release } => self.note(&app, |record| {
                record.intent.take_if(|i| i.op == op);
                if let Some(release) = release
                    && record.release(release.number).is_none()
                {
                    record.insert(*release);
                }
                Ok(())
            }),
            Transaction::Retire { app, op, took_ms, gone } => self.note(&app, |record| {
                record.intent.take_if(|i| i.op == op);
                if let Some(release) = record.releases.iter_mut().find(|r| r.op == op && r.took_ms == 0) {
                    release.took_ms = took_ms;
                }
                record.forget_containers(&gone);
                Ok(())
            }),
            Transaction::ManualLock { app, lock } => self.note_live(&app, |record| {
                record.manual_lock = lock;
                Ok(())
            }),
            Transaction::Remove { app, at } => self.remove(&app, at),
            Transaction::Disown { app, volumes } => self.change(&app, |record| {
                record.owned_volumes.retain(|volume| !volumes.contains(&volume.name));
                Ok(())
            }),
            Transaction::Own { app, volumes } => self.change(&app, |record| {
                volumes.into_iter().for_each(|volume| record.own(volume));
                Ok(())
            }),
        }
    }

    /// Changes what the app is.
    fn change(
        &mut self,
        app: &AppId,
        act: impl FnOnce(&mut AppRecord) -> Result<(), Refusal>,
    ) -> Result<Applied, Refusal> {
        let mut record = self.get(app).cloned().ok_or_else(|| Refusal::Absent { app: app.clone() })?;
        record.revision += 1;
        record.changed_revision = Some(record.revision);
        act(&mut record)?;
        self.keep(record, None)
    }

    /// Notes something about the app that leaves it what it is: a form that was opened before is as good as new.
    fn note(
        &mut self,
        app: &AppId,
        act: impl FnOnce(&mut AppRecord) -> Result<(), Refusal>,
    ) -> Result<Applied, Refusal> {
        let before = self.get(app).map(AppRecord::last_change);
        self.change(app, |record| {
            record.changed_revision = before;
            act(record)
        })
    }

    /// [`Self::note`] of an app that was not removed.
    fn note_live(
        &mut self,
        app: &AppId,
        act: impl FnOnce(&mut AppRecord) -> Result<(), Refusal>,
    ) -> Result<Applied, Refusal> {
        self.live(app)?;
        self.note(app, act)
    }

    fn live(&self, app: &AppId) -> Result<(), Refusal> {
        match self.get(app) {
            Some(record) if record.is_live() => Ok(()),
            _ => Err(Refusal::Absent { app: app.clone() }),
        }
    }

    /// A removed app is none until it is created again.
    fn change_live(
        &mut self,
        app: &AppId,
        act: impl FnOnce(&mut AppRecord) -> Result<(), Refusal>,
    ) -> Result<Applied, Refusal> {
        self.live(app)?;
        self.change(app, act)
    }

    fn keep(&mut self, record: AppRecord, release: Option<ReleaseNumber>) -> Result<Applied, Refusal> {
        if let Some(why) = record.flaw() {
            return Err(Refusal::Unsound { name: record.name, why });
        }
        self.apps.insert(record.id.clone(), Arc::new(record.clone()));
        Ok(Applied { record: Some(record), release, replayed: false })
    }

    fn create(&mut self, mut record: AppRecord) -> Result<Applied, Refusal> {
        if let Some(there) = self.get(&record.id).filter(|r| r.is_live()) {
            return if there.name == record.name {
                Ok(Applied { record: Some(there.clone()), release: None, replayed: true })
            } else {
                Err(Refusal::NameTaken { name: there.name.clone() })
            };
        }
        for name in std::iter::once(&record.name).chain(&record.aliases) {
            if self.records().any(|r| r.is_live() && r.is_called(name)) {
                return Err(Refusal::NameTaken { name: name.clone() });
            }
        }
        if let Some(kept) = self.records().find(|r| r.name == record.name) {
            record = kept.clone();
            record.removed_at = None;
            record.serving = None;
            record.state = RunState::Running;
            record.revision += 1;
            record.changed_revision = Some(record.revision);
        }
        if let Some(settings) = record.settings() {
            self.check_claim(&record.id, &Claim::of(settings))?;
        }
        self.keep(record, None)
    }

    fn begin(
        &mut self,
        app: &AppId,
        op: OpId,
        by: Caller,
        since: Timestamp,
        swap: Swap,
        claim: &Claim,
    ) -> Result<Applied, Refusal> {
        self.check_claim(app, claim)?;
        if let Some(record) = self.get(app)
            && let Some(intent) = &record.intent
            && intent.op == op
            && intent.phase < Phase::Switched
        {
            let (record, release) = (Some(record.clone()), Some(intent.release));
            return Ok(Applied { record, release, replayed: true });
        }
        let mut number = None;
        let mut applied = self.note_live(app, |record| {
            if record.intent.as_ref().is_some_and(|i| i.op != op) {
                return Err(Refusal::NotYours { name: record.name.clone() });
            }
            let given = ReleaseNumber(record.next_release);
            record.next_release += 1;
            let changed_before = record.changed_revision;
            let phase = Phase::Preparing;
            record.intent = Some(Intent { op, release: given, swap, phase, by, since, changed_before });
            number = Some(given);
            Ok(())
        })?;
        applied.release = number;
        Ok(applied)
    }

    fn switch(
        &mut self,
        app: &AppId,
        mut release: Release,
        state: RunState,
        keep_canary: bool,
    ) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app)
            && let Some(known) = record.release(release.number).filter(|r| r.op == release.op)
        {
            return match known.status {
                ReleaseStatus::Failed { .. } => Err(Refusal::NotYours { name: record.name.clone() }),
                _ => Ok(Applied { record: Some(record.clone()), release: None, replayed: true }),
            };
        }
        self.check_claim(app, &Claim::of(&release.settings))?;
        self.change_live(app, |record| {
            let newest = ReleaseNumber(record.next_release.saturating_sub(1));
            if release.number != newest {
                return Err(Refusal::Outdated { name: record.name.clone(), given: release.number, newest });
            }
            let name = record.name.clone();
            let mine = |i: &&mut Intent| i.op == release.op && i.release == release.number;
            let intent = record.intent.as_mut().filter(mine).ok_or(Refusal::NotYours { name })?;
            intent.phase = Phase::Switched;
            record.note_former_hosts(&release.settings);
            record.replace_serving(release.created_at);
            // A rollback may have taken over the container an older release had kept.
            for older in record.releases.iter_mut().filter(|r| r.container == release.container) {
                older.container_kept = false;
            }
            if !keep_canary {
                record.end_canary(&format!("release {} took the place of both", release.number));
            }
            record.serving = Some(release.number);
            record.state = state;
            release.status = ReleaseStatus::Serving;
            record.insert(release);
            Ok(())
        })
    }

    fn amend(&mut self, app: &AppId, settings: Settings, revision: Option<String>) -> Result<Applied, Refusal> {
        self.check_claim(app, &Claim::of(&settings))?;
        self.change_live(app, |record| {
            record.note_former_hosts(&settings);
            let serving = record.serving;
            let name = record.name.clone();
            let release = record.releases.iter_mut().find(|r| Some(r.number) == serving);
            let release = release.ok_or(Refusal::NothingServes { name })?;
            release.settings = settings;
            if revision.is_some() {
                release.revision = revision;
            }
            Ok(())
        })
    }

    fn rename(&mut self, app: &AppId, name: AppName, aliases: Vec<AppName>) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app).filter(|r| r.is_live() && r.name == name && r.aliases == aliases) {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        for wanted in std::iter::once(&name).chain(&aliases) {
            if self.records().any(|r| &r.id != app && r.is_live() && r.is_called(wanted)) {
                return Err(Refusal::NameTaken { name: wanted.clone() });
            }
        }
        self.change_live(app, |record| {
            let volumes = record.volumes_of().clone();
            record.volume_name = (volumes != name).then_some(volumes);
            record.name = name;
            record.aliases = aliases;
            Ok(())
        })
    }

    fn remove(&mut self, app: &AppId, at: Timestamp) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app).filter(|r| !r.is_live()) {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        self.change(app, |record| {
            record.replace_serving(at);
            record.end_canary("the app was removed");
            record.removed_at = Some(at);
            record.intent = None;
            record.manual_lock = None;
            for release in &mut record.releases {
                release.container_kept = false;
            }
            Ok(())
        })
    }

    /// A hostname with its path belongs to one app; the same hostname with another path may belong to another. One app
    /// is the default one.
    pub(crate) fn check_claim(&self, app: &AppId, claim: &Claim) -> Result<(), Refusal> {
        for other in self.records().filter(|r| &r.id != app && r.is_live()) {
            let Some(settings) = other.settings() else { continue };
            if claim.default_app && settings.web.default_app {
                return Err(Refusal::DefaultTaken { owner: other.name.clone() });
            }
            if prefix(settings.path_prefix.as_ref()) != prefix(claim.path_prefix.as_ref()) {
                continue;
            }
            if let Some(host) = claim.hosts.iter().find(|h| settings.hosts.contains(h)) {
                return Err(Refusal::HostTaken { host: host.clone(), owner: other.name.clone() });
            }
        }
        Ok(())
    }
}

/// `/`, nothing, a final slash and escapes that need not be make no difference to what a prefix matches.
fn prefix(path: Option<&UrlPath>) -> String {
    path.map_or_else(String::new, |p| p.normalised().as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
