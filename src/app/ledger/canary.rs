//! The transactions about a canary, and the way back after a switch.

use jiff::Timestamp;

use super::Ledger;
use super::record::{AppRecord, Intent, Phase};
use super::transaction::{Applied, Claim, Refusal};
use crate::model::canary::{Canary, CanaryRule};
use crate::model::name::{AppId, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release, ReleaseStatus};

impl Ledger {
    /// The candidate gets its requests. An earlier canary ends with it.
    pub(super) fn begin_canary(
        &mut self,
        app: &AppId,
        mut release: Release,
        rule: CanaryRule,
        at: Timestamp,
    ) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app)
            && record.canary.as_ref().is_some_and(|c| c.release.number == release.number && c.release.op == release.op)
        {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        self.change_live(app, |record| {
            let name = || record.name.clone();
            if record.serving.is_none() || !record.state.runs() {
                return Err(Refusal::NothingServes { name: name() });
            }
            let newest = ReleaseNumber(record.next_release.saturating_sub(1));
            if release.number != newest {
                return Err(Refusal::Outdated { name: name(), given: release.number, newest });
            }
            let refusal = Refusal::NotYours { name: name() };
            let mine = |i: &&mut Intent| i.op == release.op && i.release == release.number;
            record.intent.as_mut().filter(mine).ok_or(refusal)?.phase = Phase::Switched;
            record.end_canary(&format!("release {} was tried out in its place", release.number));
            release.status = ReleaseStatus::Canary;
            record.canary = Some(Box::new(Canary { release, rule, since: at }));
            Ok(())
        })
    }

    /// Other requests for the canary.
    pub(super) fn share(&mut self, app: &AppId, rule: CanaryRule) -> Result<Applied, Refusal> {
        self.change_live(app, |record| {
            let name = record.name.clone();
            record.canary.as_mut().ok_or(Refusal::NoCanary { name })?.rule = rule;
            Ok(())
        })
    }

    /// The canary serves. What comes after is as after any switch.
    pub(super) fn promote(&mut self, app: &AppId, op: OpId, by: Caller, at: Timestamp) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app)
            && let Some(intent) = &record.intent
            && intent.op == op
            && record.serving == Some(intent.release)
        {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        if let Some(canary) = self.get(app).and_then(|r| r.canary.as_ref()) {
            self.check_claim(app, &Claim::of(&canary.release.settings))?;
        }
        self.change_live(app, |record| {
            let name = record.name.clone();
            if record.intent.is_some() {
                return Err(Refusal::NotYours { name });
            }
            let canary = record.canary.take().ok_or(Refusal::NoCanary { name })?;
            let mut release = canary.release;
            record.intent = Some(switched(op, &release, by, at));
            record.replace_serving(at);
            record.serving = Some(release.number);
            release.status = ReleaseStatus::Serving;
            record.insert(release);
            Ok(())
        })
    }

    /// The canary gets no more requests; its container is to be put away.
    pub(super) fn abort_canary(
        &mut self,
        app: &AppId,
        op: OpId,
        by: Caller,
        at: Timestamp,
        why: &str,
    ) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app)
            && record.canary.is_none()
            && record.intent.as_ref().is_some_and(|i| i.op == op && i.phase == Phase::Switched)
        {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        self.change_live(app, |record| {
            let name = record.name.clone();
            if record.intent.is_some() {
                return Err(Refusal::NotYours { name });
            }
            let canary = record.canary.as_ref().ok_or(Refusal::NoCanary { name })?;
            record.intent = Some(switched(op, &canary.release, by, at));
            record.end_canary(why);
            Ok(())
        })
    }

    /// Back to the release before, by the change that switched away from it.
    pub(super) fn return_to(
        &mut self,
        app: &AppId,
        op: &OpId,
        to: ReleaseNumber,
        why: &str,
    ) -> Result<Applied, Refusal> {
        if let Some(record) = self.get(app)
            && record.serving == Some(to)
            && record.intent.as_ref().is_some_and(|i| &i.op == op && i.phase == Phase::Switched)
        {
            return Ok(Applied { record: Some(record.clone()), release: None, replayed: true });
        }
        if let Some(old) = self.get(app).and_then(|r| r.release(to)) {
            self.check_claim(app, &Claim::of(&old.settings))?;
        }
        self.change_live(app, |record| {
            let name = record.name.clone();
            let mine = |i: &&Intent| &i.op == op && i.phase == Phase::Switched && Some(i.release) == record.serving;
            let intent = record.intent.as_ref().filter(mine).ok_or(Refusal::NotYours { name: name.clone() })?;
            let (failed, before) = (intent.release, intent.changed_before);
            if record.release(to).is_none() {
                return Err(Refusal::NothingServes { name });
            }
            for release in &mut record.releases {
                if release.number == failed {
                    release.status = ReleaseStatus::Failed { why: why.to_owned() };
                    release.container_kept = false;
                } else if release.number == to {
                    release.status = ReleaseStatus::Serving;
                    release.container_kept = true;
                }
            }
            record.serving = Some(to);
            // It is what it was before the switch.
            record.changed_revision = before.or(record.changed_revision);
            Ok(())
        })
    }
}

/// What a change that has already switched is remembered by, until everything is put away.
fn switched(op: OpId, release: &Release, by: Caller, since: Timestamp) -> Intent {
    let (number, swap) = (release.number, release.settings.swap);
    Intent { op, release: number, swap, phase: Phase::Switched, by, since, changed_before: None }
}

impl AppRecord {
    /// The canary is history: it never served.
    pub(super) fn end_canary(&mut self, why: &str) {
        if let Some(canary) = self.canary.take() {
            let status = ReleaseStatus::Failed { why: why.to_owned() };
            self.insert(Release { status, container_kept: false, ..canary.release });
        }
    }

    pub(super) fn insert(&mut self, release: Release) {
        self.own_volumes_of(&release);
        self.releases.push(release);
        self.releases.sort_by_key(|r| r.number);
        self.prune();
    }
}
