//! After the switch: the old container is stopped and kept for a quick rollback, older ones go. A failure here is a
//! warning: the new release serves.

use super::candidate::Candidate;
use crate::deploy::context::Context;
use crate::ledger::{AppRecord, RunState, Transaction};
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::plan::resolve::is_in_registry;
use crate::progress::event::Step;

/// How many images beyond the kept ones are looked at: those that this change made too many, and a few that an earlier
/// one could not remove.
const TRIES: usize = 3;

impl Context<'_> {
    /// Stops what the new release replaced and clears the change from the ledger.
    pub(crate) async fn retire(&mut self, before: &AppRecord, candidate: &Candidate, state: &RunState) {
        let journal = self.journal;
        let work = async {
            let old = before.serving_release();
            if let Some(old) = old.filter(|old| old.container != candidate.release.container) {
                self.installation.engine.stop(&old.container, old.settings.stop_timeout.duration()).await?;
            }
            if *state == RunState::Stopped {
                let grace = candidate.release.settings.stop_timeout.duration();
                self.installation.engine.stop(&candidate.container, grace).await?;
            }
            let gone = self.settle(before).await?;
            self.prune_images(before).await;
            let kept = match old {
                Some(old) => self.installation.engine.container(&old.container).await?.is_some(),
                None => false,
            };
            let detail = match (old, gone.len()) {
                (None, _) => "nothing to retire".to_owned(),
                (Some(old), _) if !kept => format!("the container of release {} is gone", old.number),
                (Some(old), 0) => format!("release {} stopped and kept", old.number),
                (Some(old), n) => format!("release {} stopped and kept, {n} older removed", old.number),
            };
            Ok::<_, Problem>(((), detail))
        };
        if let Err(problem) = journal.step(Step::Retire, work).await {
            let code = if problem.code == "lock-lost" { "lock-lost" } else { "retire-failed" };
            journal.warn(code, format!("the old release was not put away, the next command does it: {problem}"));
        }
    }

    /// Removes containers no release needs (a start that was sent may still have arrived), and ends the change.
    pub(crate) async fn settle(&mut self, record: &AppRecord) -> Result<Vec<ReleaseNumber>, Problem> {
        let mut now = self.proxy.record(&record.name).await?.unwrap_or_else(|| record.clone());
        let containers = self.containers(&now).await?;
        // What others removed is not kept, whatever is remembered.
        let is_missing = |r: &&Release| !containers.iter().any(|c| c.name == r.container);
        let missing: Vec<ReleaseNumber> = now.kept().filter(is_missing).map(|r| r.number).collect();
        now.forget_containers(&missing);
        let keep = now.settings().map(|s| s.retention.containers.get()).unwrap_or_default();
        let gone: Vec<ReleaseNumber> = now.kept().skip(keep).map(|r| r.number).collect();
        let mut after = now.clone();
        after.forget_containers(&gone);
        for container in containers.iter().filter(|c| !after.needs(&c.name)) {
            self.take_away(&now, &container.id).await?;
        }
        let op = now.intent.as_ref().map_or_else(|| self.job.op.clone(), |i| i.op.clone());
        let forgotten = missing.into_iter().chain(gone.iter().copied()).collect();
        let end = Transaction::Retire { app: now.id.clone(), op, took_ms: self.took_ms(), gone: forgotten };
        self.insist(end).await?;
        Ok(gone)
    }

    /// Removes images of releases beyond the kept ones, where the registry says that it can give them again. One that a
    /// container still needs stays.
    async fn prune_images(&self, record: &AppRecord) {
        let engine = &*self.installation.engine;
        let pruned = async {
            let now = self.proxy.record(&record.name).await?.unwrap_or_else(|| record.clone());
            for release in surplus(&now) {
                if engine.image(&release.image.id).await?.is_some() && is_in_registry(engine, release).await {
                    engine.remove_image(&release.image.id).await?;
                }
            }
            Ok::<_, Problem>(())
        };
        if let Err(problem) = pruned.await {
            self.journal.warn("prune-failed", format!("an image of an older release was not removed: {problem}"));
        }
    }
}

/// Releases whose images need not stay, newest first.
fn surplus(record: &AppRecord) -> Vec<&Release> {
    let keep = record.settings().map_or(usize::MAX, |s| s.retention.images.get());
    let first = record.serving_release().into_iter().chain(record.canary_release());
    let mut images: Vec<&Release> = Vec::new();
    for release in first.chain(record.releases.iter().rev()) {
        if !images.iter().any(|seen| seen.image.is_same(&release.image)) {
            images.push(release);
        }
    }
    images.into_iter().skip(keep).filter(|r| !r.image.id.is_empty()).take(TRIES).collect()
}
