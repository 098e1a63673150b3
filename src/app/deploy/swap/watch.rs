//! The watch after a switch: the old release keeps running, and takes over again if the new one turns out worse.

use std::time::Duration;

use futures_util::StreamExt;

use super::candidate::Candidate;
use super::healthy::{last_lines, probe_host};
use crate::deploy::context::Context;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::model::watch_rule::{Sample, is_worse};
use crate::ports::proxy::{AppTraffic, ProbeAnswer, ProbeRequest, Proxy};
use crate::progress::event::{Outcome, Step};
use crate::settings::Swap;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// A health check that fails for so long without a break is no blip.
const PATIENCE: Duration = Duration::from_secs(3);

/// Room for the engine's own work while requests wait for a handover's way back.
const SLACK: Duration = Duration::from_secs(40);

/// What the new release is compared with: taken before the switch.
pub(crate) struct Baseline {
    /// The app's last two minutes.
    before: Sample,
    /// What the new release had answered by then: something only where it was a canary.
    new: Sample,
}

impl Baseline {
    /// To be taken before the switch. Without an answer there is nothing to compare with, as for an app without
    /// requests.
    pub(crate) async fn take(proxy: &dyn Proxy, record: &AppRecord, new: ReleaseNumber) -> Self {
        let traffic = proxy.traffic(&record.id).await.unwrap_or_default();
        let sum = |seconds: &[u32]| seconds.iter().map(|n| u64::from(*n)).sum();
        let all = Sample { requests: sum(&traffic.per_second), errors: sum(&traffic.errors_per_second) };
        // Beside a canary the app's figures are those of two.
        let old = traffic.releases.iter().find(|r| Some(r.release) == record.serving);
        let alone = old.and_then(|r| r.compared.as_ref());
        let before = alone.map_or(all, |c| Sample { requests: c.requests, errors: c.errors });
        Self { before, new: sample(&traffic, new) }
    }
}

impl Context<'_> {
    /// Looks after the new release for its `watch-time`. An error says in figures what is wrong with it.
    pub(crate) async fn watch(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        baseline: &Baseline,
    ) -> Result<(), Problem> {
        let time = candidate.release.settings.watch_time.duration();
        let journal = self.journal;
        let work = async {
            let gone_wrong = self.worse(record, candidate, baseline);
            match tokio::time::timeout(time, gone_wrong).await {
                Ok(problem) => Err(problem),
                Err(_) => {
                    let seen = self.seen(record, candidate, baseline).await;
                    Ok(((), format!("{}: {seen}", candidate.release.settings.watch_time)))
                }
            }
        };
        journal.step(Step::Watch, work).await
    }

    /// Resolves when the new release is worse.
    async fn worse(&self, record: &AppRecord, candidate: &Candidate, baseline: &Baseline) -> Problem {
        tokio::select! {
            problem = self.ended(candidate) => problem,
            problem = self.unhealthy(candidate) => problem,
            problem = self.failing(record, candidate, baseline) => problem,
        }
    }

    /// It ended, or was started again, since.
    async fn ended(&self, candidate: &Candidate) -> Problem {
        let number = candidate.release.number;
        let mut restarts = None;
        loop {
            // An engine that cannot tell says nothing against the release.
            match self.installation.engine.container(&candidate.container).await {
                Ok(None) => return worse("container-gone", format!("the container of release {number} is gone")),
                Ok(Some(detail)) => {
                    let known = *restarts.get_or_insert(detail.restarts);
                    if !detail.running || detail.restarting || detail.restarts > known {
                        let code = detail.exit_code.filter(|_| !detail.running);
                        let code = code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
                        let memory = if detail.out_of_memory { ", out of memory" } else { "" };
                        return worse("exited", format!("release {number} ended{code}{memory} while it was watched"));
                    }
                }
                Err(error) => tracing::debug!("the container could not be looked at: {error}"),
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Its health check fails for a while without a break.
    async fn unhealthy(&self, candidate: &Candidate) -> Problem {
        let release = &candidate.release;
        loop {
            let mut answers = self.proxy.probe(ProbeRequest {
                address: release.address(),
                path: release.settings.health_path.clone(),
                host: probe_host(&release.settings),
                timeout_ms: PATIENCE.as_millis() as u64,
                other_ports: Vec::new(),
                upstream: release.settings.web.upstream,
            });
            let mut last = None;
            while let Some(answer) = answers.next().await {
                // A proxy that cannot be asked says nothing against the release.
                last = answer.ok();
            }
            if let Some(answer) = last.filter(|answer| !matches!(answer, ProbeAnswer::Healthy { .. })) {
                let message = format!(
                    "release {} stopped being healthy: GET {} → {answer} for {} s",
                    release.number,
                    release.settings.health_path,
                    PATIENCE.as_secs()
                );
                return worse("unhealthy", message);
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// More of its requests fail than failed before.
    async fn failing(&self, record: &AppRecord, candidate: &Candidate, baseline: &Baseline) -> Problem {
        let number = candidate.release.number;
        loop {
            tokio::time::sleep(EVERY).await;
            let Ok(traffic) = self.proxy.traffic(&record.id).await else { continue };
            let new = sample(&traffic, number).since(baseline.new);
            self.journal.progress(Step::Watch, format!("release {number} failed {new}"), None);
            if is_worse(baseline.before, new) {
                let message = format!("release {number} failed {new}, the one before it {}", baseline.before);
                return worse("more-errors", message);
            }
        }
    }

    async fn seen(&self, record: &AppRecord, candidate: &Candidate, baseline: &Baseline) -> String {
        let number = candidate.release.number;
        match self.proxy.traffic(&record.id).await {
            Ok(traffic) => format!("release {number} failed {}", sample(&traffic, number).since(baseline.new)),
            Err(_) => "it kept running".to_owned(),
        }
    }

    /// The old release gets all requests again, and the new one is put away. Gives back why, or that it could not be
    /// done.
    pub(crate) async fn go_back(&mut self, record: &AppRecord, candidate: &Candidate, why: Problem) -> Problem {
        let Some(old) = record.serving_release().cloned() else { return why };
        let new = &candidate.release;
        let log = last_lines(&*self.installation.engine, &candidate.container).await;
        let mut problem = Problem { log, ..why };
        let journal = self.journal;
        let handover = new.settings.swap == Swap::Handover;
        let back = async {
            if handover {
                // Two must never share the volume: requests wait while one ends and the other starts.
                let grace = new.settings.stop_timeout.duration();
                let limit = old.settings.health_timeout.duration() + new.settings.drain_timeout.duration() + grace;
                self.proxy.hold(&record.id, limit + SLACK).await?;
                self.drain(record, new, true).await?;
                self.installation.engine.stop(&candidate.container, grace).await?;
            }
            self.installation.engine.start(&old.container).await?;
            self.answers(&old).await?;
            let transaction = Transaction::Return {
                app: record.id.clone(),
                op: self.job.op.clone(),
                to: old.number,
                why: problem.message.clone(),
            };
            self.insist(transaction).await?;
            Ok::<_, Problem>(((), format!("new requests go to release {} again", old.number)))
        };
        if let Err(error) = journal.step(Step::Return, back).await {
            problem.causes.push(format!("release {} could not take over again: {error}", old.number));
            if handover {
                problem = self.stay(record, candidate, problem).await;
            }
            return problem.hint(format!("`once rollback {}` tries it again", record.name));
        }
        let tidy = async {
            if !handover {
                self.drain(record, new, false).await?;
                self.put_away(new).await?;
            }
            self.settle(record).await
        };
        if let Err(error) = tidy.await {
            let text = format!("release {} was not put away, the next command does it: {error}", new.number);
            journal.warn("retire-failed", text);
        }
        problem.hint(format!("release {} serves again; fix what failed, then deploy anew", old.number))
    }

    /// The way back of a handover failed half-way: the new release, bad as it is, is better than nothing.
    async fn stay(&mut self, record: &AppRecord, candidate: &Candidate, mut problem: Problem) -> Problem {
        let again = async {
            if let Some(old) = record.serving_release() {
                self.put_away(old).await?;
            }
            self.restore(record, &candidate.release).await
        };
        if let Err(error) = again.await {
            self.report.serving = None;
            problem.outcome = Outcome::Down;
            problem.causes.push(format!("nor would release {} come back: {error}", candidate.release.number));
        }
        problem
    }
}

fn sample(traffic: &AppTraffic, release: ReleaseNumber) -> Sample {
    let found = traffic.releases.iter().find(|r| r.release == release);
    found.map(|r| Sample { requests: r.requests, errors: r.errors }).unwrap_or_default()
}

fn worse(code: &str, message: String) -> Problem {
    Problem::new(Outcome::Failed, &format!("watch-{code}"), message)
}

/// Whether a switch from `record` is watched: there is something to go back to, and somebody asked for it.
pub(crate) fn is_watched(record: &AppRecord, release: &Release, replaces: bool) -> bool {
    // A rollback is a way back already; from there only a person goes on.
    replaces && record.serving.is_some() && release.rollback_to.is_none() && !release.settings.watch_time.is_zero()
}
