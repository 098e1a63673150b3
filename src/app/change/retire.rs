//! After the switch: the old container is stopped and kept for a quick rollback, older ones go. A failure here is a
//! warning: the new release serves.

use super::candidate::Candidate;
use super::context::Context;
use crate::app::event::Step;
use crate::app::ledger::{AppRecord, RunState, Transaction};
use crate::app::name::ReleaseNumber;
use crate::app::problem::Problem;

/// Stopped containers kept beside the serving one, so that a rollback takes a second (DESIGN.md).
const KEPT: usize = 2;

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
            let detail = match (old, gone.len()) {
                (None, _) => "nothing to retire".to_owned(),
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
        let now = self.proxy.record(&record.name).await?.unwrap_or_else(|| record.clone());
        let gone: Vec<ReleaseNumber> = now.kept().skip(KEPT).map(|r| r.number).collect();
        let mut after = now.clone();
        after.forget_containers(&gone);
        for container in self.containers(&now).await?.iter().filter(|c| !after.needs(&c.name)) {
            self.installation.engine.remove(&container.id).await?;
        }
        let op = now.intent.as_ref().map_or_else(|| self.job.op.clone(), |i| i.op.clone());
        let end = Transaction::Retire { app: now.id.clone(), op, took_ms: self.took_ms(), gone: gone.clone() };
        self.insist(end).await?;
        Ok(gone)
    }
}
