//! `handover`, for apps that must not run twice on one volume: hold requests, stop the old release, start the new one,
//! let the requests go on. If the new one fails the old one is started again and gets them.

use std::time::Duration;

use futures_util::StreamExt;

use super::candidate::Candidate;
use super::healthy::{ended_for_good, probe_host};
use crate::deploy::context::Context;
use crate::deploy::next_release::Wish;
use crate::ledger::{AppRecord, Phase, Transaction};
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::ports::proxy::{DrainLimits, ProbeAnswer, ProbeRequest};
use crate::progress::event::{Outcome, Step};

/// A release that served before gets at least this long to answer again: giving up on it would leave nothing.
const RETURN: Duration = Duration::from_secs(30);

/// Room for the engine's own work, on top of the times the settings allow.
const SLACK: Duration = Duration::from_secs(10);

impl Context<'_> {
    /// From hold to switch. An error means that the old release serves again, or `down` where it would not start.
    pub(crate) async fn hand_over(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        wish: &Wish,
    ) -> Result<(), Problem> {
        let Some(old) = record.serving_release().cloned() else {
            return Err(Problem::rejected("nothing-serves", "there is nothing to hand over"));
        };
        let advance = |phase| Transaction::Advance { app: record.id.clone(), op: self.job.op.clone(), phase };
        let handing_over = advance(Phase::HandingOver);
        self.apply(handing_over).await?;
        let result = self.hold_and_replace(record, &old, candidate, wish).await;
        let Err(problem) = result else { return Ok(()) };
        // The candidate must be gone before the old one may touch the volume.
        let engine = &*self.installation.engine;
        let cleared = engine.stop(&candidate.container, candidate.release.settings.stop_timeout.duration()).await;
        let restored = match cleared {
            Ok(()) => self.restore(record, &old).await,
            Err(error) => Err(error.into()),
        };
        match restored {
            Ok(()) => Err(problem),
            Err(worse) => {
                self.report.serving = None;
                let mut down = Problem { outcome: Outcome::Down, code: "down".into(), ..problem };
                down.causes.push(format!("release {} would not come back: {worse}", old.number));
                let name = &record.name;
                Err(match self.installation.engine.container(&old.container).await {
                    Ok(None) => {
                        down.hint(format!("`once restart {name}` makes a new container of release {}", old.number))
                    }
                    _ => down.hint(format!("`once start {name}` tries to start it again")),
                })
            }
        }
    }

    async fn hold_and_replace(
        &mut self,
        record: &AppRecord,
        old: &Release,
        candidate: &Candidate,
        wish: &Wish,
    ) -> Result<(), Problem> {
        let journal = self.journal;
        let grace = old.settings.stop_timeout.duration();
        let limit = old.settings.drain_timeout.duration()
            + grace
            + candidate.release.settings.health_timeout.duration()
            + RETURN
            + SLACK;
        let hold = async {
            self.proxy.hold(&record.id, limit).await?;
            let drained = self.drain(record, old, true).await?;
            self.installation.engine.stop(&old.container, grace).await?;
            Ok::<_, Problem>(((), format!("requests wait; release {} {drained} and stopped", old.number)))
        };
        journal.step(Step::Hold, self.until_stopped(hold)).await?;
        self.start_candidate(candidate).await?;
        let healthy = self.wait_healthy(candidate);
        self.until_stopped(healthy).await?;
        self.switch(record, candidate, wish).await
    }

    /// Starts the old release again and gives it the requests that wait.
    pub(crate) async fn restore(&self, record: &AppRecord, old: &Release) -> Result<(), Problem> {
        self.installation.engine.start(&old.container).await?;
        self.answers(old).await?;
        self.proxy.resume(&record.id).await?;
        Ok(())
    }

    /// Waits until a release that served before answers again, as long as its container runs.
    pub(crate) async fn answers(&self, release: &Release) -> Result<(), Problem> {
        tokio::select! {
            answered = self.answered(release) => answered,
            problem = ended_for_good(&*self.installation.engine, release) => Err(problem),
        }
    }

    async fn answered(&self, release: &Release) -> Result<(), Problem> {
        let settings = &release.settings;
        let mut answers = self.proxy.probe(ProbeRequest {
            address: release.address(),
            path: settings.health_path.clone(),
            host: probe_host(settings),
            timeout_ms: settings.health_timeout.duration().max(RETURN).as_millis() as u64,
            other_ports: Vec::new(),
            upstream: settings.web.upstream,
        });
        let mut last = ProbeAnswer::NoAddress;
        while let Some(answer) = answers.next().await {
            last = answer?;
            if matches!(last, ProbeAnswer::Healthy { .. }) {
                return Ok(());
            }
        }
        let message = format!("release {} does not answer: GET {} → {last}", release.number, settings.health_path);
        Err(Problem::new(Outcome::Failed, "unhealthy", message))
    }

    /// Lets a release finish what it has under way. WebSockets and streams get their own time, or none while everybody
    /// waits for them. Somebody has to stop the container when they are done, so the change lasts as long as they may.
    pub(crate) async fn drain(&self, record: &AppRecord, release: &Release, held: bool) -> Result<String, Problem> {
        let requests_ms = release.settings.drain_timeout.duration().as_millis() as u64;
        let streams_ms = release.settings.stream_limit().duration().as_millis() as u64;
        let limits = DrainLimits { requests_ms, upgraded_ms: if held { 0 } else { streams_ms } };
        let step = if held { Step::Hold } else { Step::Drain };
        let number = release.number;
        let mut progress = self.proxy.drain(&record.id, number, limits);
        let mut cut = 0;
        while let Some(item) = progress.next().await {
            let item = item?;
            cut = item.cut.unwrap_or(cut);
            if item.cut.is_none() {
                let text = format!(
                    "release {number} still has {} requests, {} streams, {} websockets",
                    item.requests, item.streams, item.upgraded
                );
                self.journal.progress(step, text, None);
            }
        }
        Ok(match cut {
            0 => "finished all requests".to_owned(),
            1 => "finished; 1 connection was closed at the limit".to_owned(),
            n => format!("finished; {n} connections were closed at the limit"),
        })
    }
}
