//! Whoever died, at whatever moment: the next command, under the lock, finds the intent and puts things in order.

use super::context::Context;
use crate::ledger::{AppRecord, Intent, Phase, Transaction};
use crate::model::problem::Problem;
use crate::progress::event::{Event, Outcome};
use crate::settings::Swap;

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

    /// The switch was made: what serves now stays, all else is put away.
    async fn finish_abandoned(&mut self, record: &AppRecord, intent: &Intent) -> Result<String, Problem> {
        let canary = record.canary_release().map(|r| r.number);
        let running: Vec<String> =
            self.containers(record).await?.into_iter().filter(|c| c.running).map(|c| c.name).collect();
        let others = record.releases.iter().rev().filter(|r| Some(r.number) != record.serving);
        for old in others.filter(|r| running.contains(&r.container)) {
            // A rollback may have taken over the container of an older release.
            if record.serving_release().is_none_or(|serving| serving.container != old.container) {
                self.drain(record, old, false).await?;
                self.put_away(old).await?;
            }
        }
        self.bring_back(record, intent).await;
        self.settle(record).await?;
        let number = intent.release;
        Ok(if record.serving == Some(number) {
            let watched = record.settings().is_some_and(|s| !s.watch_time.is_zero());
            let watched = if watched { "; whatever was left of its watch was skipped" } else { "" };
            format!("it had been switched, so it stays and the release before it was retired{watched}")
        } else if canary == Some(number) {
            "it had begun as a canary, and goes on as one".to_owned()
        } else {
            "it had been taken off again, so its container was removed".to_owned()
        })
    }

    /// A watch that was going back in a handover may have stopped what serves, and let requests wait.
    async fn bring_back(&self, record: &AppRecord, intent: &Intent) {
        let Some(serving) = record.serving_release().filter(|_| record.state.runs()) else { return };
        // What the image declares may have turned it into a handover after it was begun.
        if intent.swap != Swap::Handover && serving.settings.swap != Swap::Handover {
            return;
        }
        if let Err(problem) = self.restore(record, serving).await {
            let text = format!("release {} does not come back: {problem}", serving.number);
            self.journal.warn("serving-down", text);
        }
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

    /// Removes containers that no release needs.
    async fn remove_candidates(&mut self, record: &AppRecord) -> Result<String, Problem> {
        let mut removed = 0;
        for container in self.containers(record).await?.iter().filter(|c| !record.needs(&c.name)) {
            self.take_away(record, &container.id).await?;
            removed += 1;
        }
        Ok(match removed {
            0 => "it had not started a container".to_owned(),
            1 => "its container was removed".to_owned(),
            n => format!("its {n} containers were removed"),
        })
    }
}
