//! Whoever died, at whatever moment: the next command, under the lock, finds the intent and puts things in order.

use super::context::Context;
use crate::app::event::{Event, Outcome};
use crate::app::ledger::{AppRecord, Intent, Phase, Transaction};
use crate::app::problem::Problem;
use crate::app::release::Release;

impl Context<'_> {
    /// Finishes or undoes a change whose holder died.
    pub(crate) async fn mend(&mut self) -> Result<(), Problem> {
        let Some(record) = self.record().await? else { return Ok(()) };
        let Some(intent) = record.intent.clone() else { return Ok(()) };
        let found = format!("release {}, begun by {} at {}", intent.release, intent.by.user, intent.since);
        let done = match intent.phase {
            Phase::Switched => self.finish_abandoned(&record, &intent).await?,
            Phase::HandingOver => self.restore_abandoned(&record, &intent).await?,
            Phase::Preparing => self.clear_abandoned(&record, &intent).await?,
        };
        self.journal.write(Event::Tidied { text: format!("{found}, was left behind: {done}") });
        Ok(())
    }

    /// The switch was made: the new release serves, the old one is put away.
    async fn finish_abandoned(&mut self, record: &AppRecord, intent: &Intent) -> Result<String, Problem> {
        let others = record.releases.iter().filter(|r| Some(r.number) != record.serving && r.container_kept);
        for old in others.rev().cloned().collect::<Vec<Release>>() {
            if self.is_running(&old).await? {
                self.drain(record, &old, false).await?;
                self.installation.engine.stop(&old.container, old.settings.stop_timeout.duration()).await?;
            }
        }
        self.settle(record).await?;
        Ok(format!("it had been switched, so the release before {} was retired", intent.release))
    }

    /// Requests may be held and the old release stopped: it is started again, after the candidate is gone.
    async fn restore_abandoned(&mut self, record: &AppRecord, intent: &Intent) -> Result<String, Problem> {
        let text = self.remove_candidates(record).await?;
        if let Some(old) = record.serving_release()
            && record.state.runs()
        {
            self.restore(record, old).await.map_err(|problem| Problem { outcome: Outcome::Down, ..problem })?;
        }
        self.end_intent(record, intent).await?;
        Ok(format!("{text}, the release before it serves again"))
    }

    /// The old release serves; the candidate goes.
    async fn clear_abandoned(&mut self, record: &AppRecord, intent: &Intent) -> Result<String, Problem> {
        let text = self.remove_candidates(record).await?;
        self.end_intent(record, intent).await?;
        Ok(text)
    }

    async fn end_intent(&mut self, record: &AppRecord, intent: &Intent) -> Result<(), Problem> {
        let end = Transaction::Abandon { app: record.id.clone(), op: intent.op.clone(), release: None };
        self.insist(end).await?;
        Ok(())
    }

    /// Removes containers that no release in the ledger names.
    async fn remove_candidates(&self, record: &AppRecord) -> Result<String, Problem> {
        let known = |name: &str| record.releases.iter().any(|r| r.container_kept && r.container == name);
        let mut removed = 0;
        for container in self.containers(record).await?.iter().filter(|c| !known(&c.name)) {
            self.installation.engine.remove(&container.id).await?;
            removed += 1;
        }
        Ok(match removed {
            0 => "it had not started a container".to_owned(),
            1 => "its container was removed".to_owned(),
            n => format!("its {n} containers were removed"),
        })
    }

    async fn is_running(&self, release: &Release) -> Result<bool, Problem> {
        Ok(self.installation.engine.container(&release.container).await?.is_some_and(|c| c.running))
    }
}
