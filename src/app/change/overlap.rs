//! The swap: candidate beside the running release, healthy, switch, drain, retire.

use super::candidate::{Candidate, Made, Wish};
use super::context::Context;
use super::traffic::Teller;
use crate::app::event::{Outcome, Step};
use crate::app::ledger::{AppRecord, RunState, Transaction};
use crate::app::name::ReleaseNumber;
use crate::app::problem::Problem;
use crate::app::proxy::ProxyError;
use crate::app::settings::Swap;

impl Context<'_> {
    /// Replaces the serving release, or makes the first one. On an error nothing has changed but a burnt number.
    pub(crate) async fn swap(&mut self, record: AppRecord, wish: Wish) -> Result<(), Problem> {
        let (proxy, journal, app) = (std::sync::Arc::clone(&self.proxy), self.journal, record.id.clone());
        let teller = Teller::new(&*proxy, journal, &app, record.serving);
        let result = tokio::select! {
            result = self.swap_watched(record, wish) => result,
            never = teller.go_on() => match never {},
        };
        // A swap can be over before the new release's first requests were told of.
        teller.tell().await;
        result
    }

    async fn swap_watched(&mut self, record: AppRecord, wish: Wish) -> Result<(), Problem> {
        let replaces = record.serving.is_some() && record.state.runs();
        let number = match self.begin(&record, &wish).await {
            Ok(number) => number,
            Err(problem) => {
                // A first deploy whose hostname is taken leaves no record behind.
                if record.releases.is_empty() {
                    self.abandon(&record, ReleaseNumber(0), Made::default(), None, &problem).await;
                }
                return Err(problem);
            }
        };
        let mut made = Made::default();
        let mut failed = None;
        let handover = replaces && wish.settings.swap == Swap::Handover;
        let work = async {
            let candidate = self.prepare(&record, number, &wish, &mut made).await?;
            failed = Some(candidate.release.clone());
            self.release_command(&record, &wish, &candidate).await?;
            if handover {
                // While the old release serves: an authority takes its time.
                self.obtain_certificates(&candidate.release.settings).await?;
                self.hand_over(&record, &candidate, wish.state.clone()).await?;
            } else {
                self.start_and_switch(&record, &candidate, wish.state.clone()).await?;
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
                self.abandon(&record, number, made, failed, &problem).await;
                return Err(problem);
            }
        };
        // The commit point is behind: from here on everything is tidying, and its failure a warning.
        self.prove_certificates(&candidate.release.settings).await;
        if replaces && !handover {
            self.drain_old(&record).await;
        }
        self.retire(&record, &candidate, &wish.state).await;
        Ok(())
    }

    async fn start_and_switch(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        state: RunState,
    ) -> Result<(), Problem> {
        self.start_candidate(candidate).await?;
        let healthy = self.wait_healthy(candidate);
        self.until_stopped(healthy).await?;
        // Behind the candidate's health: one that never gets there is to cost the authority nothing.
        self.obtain_certificates(&candidate.release.settings).await?;
        self.switch(record, candidate, state).await
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

    /// The commit point. Not to be stopped: the answer is asked for until it is known.
    pub(crate) async fn switch(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        state: RunState,
    ) -> Result<(), Problem> {
        // The last moment at which a wish to stop still counts.
        self.until_stopped(async { Ok(()) }).await?;
        self.install_certificate().await?;
        let release = candidate.release.clone();
        let number = release.number;
        let journal = self.journal;
        let transaction = Transaction::Switch { app: record.id.clone(), release: Box::new(release), state };
        let commit = async {
            match self.insist(transaction).await {
                Ok(_) => Ok(((), format!("new requests go to release {number}"))),
                Err(error) => self.ask_whether_switched(record, number, error).await,
            }
        };
        journal.step(Step::Switch, commit).await
    }

    /// An unknown outcome is neither success nor failure until it is looked at.
    async fn ask_whether_switched(
        &mut self,
        record: &AppRecord,
        number: ReleaseNumber,
        error: ProxyError,
    ) -> Result<((), String), Problem> {
        match self.proxy.record(&record.name).await {
            Ok(Some(now)) if now.serving == Some(number) => {
                self.report.serving = Some(number);
                Ok(((), format!("new requests go to release {number}")))
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
