//! The swap: candidate beside the running release, healthy, switch, drain, retire.

use super::candidate::{Candidate, Made};
use super::traffic::Teller;
use super::watch::{Baseline, is_watched};
use crate::deploy::context::Context;
use crate::deploy::next_release::Wish;
use crate::ledger::{AppRecord, RunState, Transaction};
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::ports::proxy::ProxyError;
use crate::progress::event::{Outcome, Step};
use crate::settings::Swap;

impl Context<'_> {
    /// Replaces the serving release, makes the first one, or a canary. On an error nothing has changed but a burnt
    /// number; or the watch went back, and the release is remembered as failed.
    pub(crate) async fn swap(&mut self, mut record: AppRecord, wish: Wish) -> Result<(), Problem> {
        if wish.settings.swap == Swap::Handover
            && let Some(canary) = record.canary.take()
        {
            // It would run on the volume beside the release that takes over.
            Box::pin(self.end_canary(&record, &canary, "a release took over that must run alone".to_owned())).await?;
            self.journal.warn("canary-ended", format!("the canary, release {}, ended first", canary.release.number));
        }
        let (proxy, journal) = (std::sync::Arc::clone(&self.proxy), self.journal);
        let teller = Teller::new(&*proxy, journal, &record.id, record.serving);
        // On the heap, as are its longer ways: else each change would carry all that any change may need on its stack.
        teller.during(Box::pin(self.swap_watched(&record, wish))).await
    }

    async fn swap_watched(&mut self, record: &AppRecord, wish: Wish) -> Result<(), Problem> {
        let replaces = record.serving.is_some() && record.state.runs() && wish.canary.is_none();
        let number = match self.begin(record, &wish).await {
            Ok(number) => number,
            Err(problem) => {
                // A first deploy whose hostname is taken leaves no record behind.
                if record.releases.is_empty() {
                    self.abandon(record, ReleaseNumber(0), Made::default(), None, &problem).await;
                }
                return Err(problem);
            }
        };
        let mut made = Made::default();
        let mut failed = None;
        let mut baseline = None;
        let work = async {
            let candidate = Box::pin(self.prepare(record, number, &wish, &mut made)).await?;
            // Which it is follows from the image, too.
            let handover = replaces && candidate.release.settings.swap == Swap::Handover;
            failed = Some(candidate.release.clone());
            self.release_command(record, &wish, &candidate).await?;
            if handover {
                // While the old release serves: an authority takes its time.
                self.obtain_certificates(&candidate.release.settings).await?;
                baseline = self.baseline(record, &candidate.release, replaces).await;
                Box::pin(self.hand_over(record, &candidate, &wish)).await?;
            } else {
                self.start_candidate(&candidate).await?;
                let healthy = self.wait_healthy(&candidate);
                self.until_stopped(healthy).await?;
                baseline = self.baseline(record, &candidate.release, replaces).await;
                match &wish.canary {
                    Some(rule) => self.begin_canary(record, &candidate, rule).await?,
                    None => {
                        // Behind the candidate's health: one that never gets there is to cost the authority nothing.
                        self.obtain_certificates(&candidate.release.settings).await?;
                        self.switch(record, &candidate, &wish).await?;
                    }
                }
            }
            Ok(candidate)
        };
        let candidate: Candidate = match work.await {
            Ok(candidate) => candidate,
            Err(problem) => {
                if let Some(kept) = &wish.kept_container {
                    // It stays for another try; only stopped again.
                    self.installation.engine.stop(kept, wish.settings.stop_timeout.duration()).await.ok();
                }
                self.abandon(record, number, made, failed, &problem).await;
                return Err(problem);
            }
        };
        // The commit point is behind: from here on everything is tidying, and its failure a warning.
        if !wish.keep_canary {
            self.retire_canary(record).await;
        }
        if wish.canary.is_some() {
            if let Err(problem) = self.settle(record).await {
                self.journal.warn("retire-failed", format!("what is left is put away by the next command: {problem}"));
            }
            return Ok(());
        }
        self.prove_certificates(&candidate.release.settings).await;
        Box::pin(self.conclude(record, &candidate, &wish.state, baseline)).await
    }

    /// What to compare with, where the switch will be watched.
    pub(crate) async fn baseline(&self, record: &AppRecord, new: &Release, replaces: bool) -> Option<Baseline> {
        if !is_watched(record, new, replaces) {
            return None;
        }
        Some(Baseline::take(&*self.proxy, record, new.number).await)
    }

    /// From the switch to the end: watch, drain, retire.
    pub(crate) async fn conclude(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        state: &RunState,
        baseline: Option<Baseline>,
    ) -> Result<(), Problem> {
        if let Some(baseline) = baseline
            && let Err(worse) = Box::pin(self.watch(record, candidate, &baseline)).await
        {
            return Err(Box::pin(self.go_back(record, candidate, worse)).await);
        }
        let replaces = record.serving.is_some() && record.state.runs();
        if replaces && candidate.release.settings.swap == Swap::Overlap {
            self.drain_old(record).await;
        }
        self.retire(record, candidate, state).await;
        Ok(())
    }

    pub(crate) async fn start_candidate(&self, candidate: &Candidate) -> Result<(), Problem> {
        let name = candidate.release.container.clone();
        let start = async {
            self.installation.engine.start(&candidate.container).await.map_err(|error| {
                let problem = Problem::from(error);
                Problem { outcome: Outcome::Failed, code: "start-failed".into(), ..problem }
            })?;
            Ok::<_, Problem>(((), name))
        };
        self.journal.step(Step::Start, self.until_stopped(start)).await
    }

    /// The commit point.
    pub(crate) async fn switch(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        wish: &Wish,
    ) -> Result<(), Problem> {
        let number = candidate.release.number;
        let transaction = Transaction::Switch {
            app: record.id.clone(),
            release: Box::new(candidate.release.clone()),
            state: wish.state.clone(),
            keep_canary: wish.keep_canary,
        };
        self.commit(record, number, transaction, format!("new requests go to release {number}")).await?;
        self.check_recorded(&candidate.release).await;
        Ok(())
    }

    /// Not to be stopped: the answer is asked for until it is known.
    pub(crate) async fn commit(
        &mut self,
        record: &AppRecord,
        number: ReleaseNumber,
        transaction: Transaction,
        done: String,
    ) -> Result<(), Problem> {
        // The last moment at which a wish to stop still counts.
        self.until_stopped(async { Ok(()) }).await?;
        self.install_certificate().await?;
        let journal = self.journal;
        let commit = async {
            match self.insist(transaction).await {
                Ok(_) => Ok(((), done)),
                Err(error) => self.ask_whether_switched(record, number, done, error).await,
            }
        };
        journal.step(Step::Switch, commit).await
    }

    /// An unknown outcome is neither success nor failure until it is looked at.
    async fn ask_whether_switched(
        &mut self,
        record: &AppRecord,
        number: ReleaseNumber,
        done: String,
        error: ProxyError,
    ) -> Result<((), String), Problem> {
        match self.proxy.record(&record.name).await {
            Ok(Some(now)) if now.serving == Some(number) => {
                self.report.serving = Some(number);
                Ok(((), done))
            }
            Ok(_) => Err(Problem { outcome: Outcome::Failed, ..Problem::from(error) }),
            Err(unknown) => Err(Problem::from(unknown)
                .hint("whether the switch was made is not known: `once status` tells once the proxy answers again")),
        }
    }

    /// Lets the old release's requests finish.
    async fn drain_old(&mut self, record: &AppRecord) {
        let Some(old) = record.serving_release() else { return };
        let journal = self.journal;
        let drained = journal.step(Step::Drain, async { self.drain(record, old, false).await.map(|text| ((), text)) });
        if let Err(problem) = drained.await {
            journal.warn("drain-failed", format!("release {} was not drained: {problem}", old.number));
        }
    }
}
