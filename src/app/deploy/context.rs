//! What a change under its lock has at hand.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::report::Report;
use super::stop::Stop;
use crate::host::address::address;
use crate::host::installation::Installation;
use crate::ledger::{AppRecord, Applied, Transaction};
use crate::model::certificate::CertificateOffer;
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::plan::fingerprint::Owner;
use crate::ports::engine::Container;
use crate::ports::proxy::{Lease, LeaseEnd, Proxy, ProxyError};
use crate::progress::event::{Event, Outcome, Step, Visitors};
use crate::progress::journal::Journal;
use crate::request::change::Job;

/// How long a change whose connection broke tries to get its lock back: longer than a lost lease lives.
const REGAIN: Duration = Duration::from_secs(40);

/// How long a proxy that died may take to be there again, with this change's lock.
const RESTART: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(50);

/// A change of one app under its lock.
pub(crate) struct Context<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) journal: &'a Journal,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) job: &'a Job,
    pub(crate) report: &'a mut Report,
    pub(crate) proxy: Arc<dyn Proxy>,
    pub(crate) lease: Box<dyn Lease>,
    pub(crate) name: AppName,
    pub(crate) started: tokio::time::Instant,
    /// What hooks are told, once a change is planned.
    pub(crate) variables: Option<Vec<(&'static str, String)>>,
    /// Checked, and to be installed right before the change is committed.
    pub(crate) certificate: Option<CertificateOffer>,
}

impl<'a> Context<'a> {
    /// Where visitors reach the app now, for the outcome; at the end, for a certificate may have come on the way. What
    /// cannot be told is left out: the change stands.
    pub(crate) async fn say_where(&mut self) {
        let Some(settings) = self.report.reached.take() else { return };
        let found = async {
            let ports = self.installation.public_ports().await?;
            let certificates = self.proxy.snapshot().await?.certificates;
            Ok::<_, Problem>(address(&settings, &certificates, ports, self.installation.clock.now()))
        };
        match found.await {
            Ok(url) => self.report.url = Some(url),
            Err(problem) => tracing::debug!("the app's address is not known: {problem}"),
        }
    }

    /// Takes the app's lock, saying who holds it while it waits.
    pub(crate) async fn lock(
        installation: &'a Installation,
        journal: &'a Journal,
        stop: &'a Stop,
        job: &'a Job,
        report: &'a mut Report,
        proxy: Arc<dyn Proxy>,
        name: AppName,
    ) -> Result<Self, Problem> {
        let started = tokio::time::Instant::now();
        let request = |wait_ms| job.lock_request(&name, wait_ms);
        let cancel = &stop.cancel;
        let lease = journal.step(Step::Lock, async {
            if stop.withdraw.is_cancelled() {
                return Err(withdrawn());
            }
            let first = proxy.lock(request(0)).await;
            let lease = match first {
                Err(ProxyError::Locked { holder }) if job.wait_ms > 0 => {
                    journal.write(Event::Waiting { holder: *holder });
                    tokio::select! {
                        biased;
                        () = cancel.cancelled() => return Err(interrupted()),
                        () = stop.withdraw.cancelled() => return Err(withdrawn()),
                        lease = proxy.lock(request(job.wait_ms)) => lease?,
                    }
                }
                other => other?,
            };
            Ok((lease, "yours".to_owned()))
        });
        let lease = lease.await?;
        let (variables, certificate) = (None, None);
        Ok(Self { installation, journal, cancel, job, report, proxy, lease, name, started, variables, certificate })
    }

    /// The record as it is now.
    pub(crate) async fn record(&self) -> Result<Option<AppRecord>, Problem> {
        Ok(self.proxy.record(&self.name).await?.filter(AppRecord::is_live))
    }

    /// One atomic change of the ledger. All of them may be made twice, so a proxy that was started again is asked again.
    pub(crate) async fn apply(&mut self, transaction: Transaction) -> Result<Applied, ProxyError> {
        let mut since = None;
        loop {
            let error = match self.proxy.apply(self.lease.fence(), transaction.clone()).await {
                Ok(applied) => {
                    self.report.serving = applied.record.as_ref().and_then(|r| r.serving);
                    self.report.visitors = applied.record.as_ref().and_then(Visitors::of);
                    self.report.canary = applied.record.as_ref().and_then(|r| r.canary.as_deref()).map(Into::into);
                    return Ok(applied);
                }
                Err(error) => error,
            };
            let passes = match &error {
                // The lease is about to be taken again, or is lost for good.
                ProxyError::LockLost => self.lease.ended().now_or_never() != Some(LeaseEnd::Lost),
                ProxyError::Interrupted { .. } | ProxyError::Unreachable { .. } => true,
                _ => false,
            };
            let since = since.get_or_insert_with(tokio::time::Instant::now);
            if !passes || since.elapsed() >= RESTART {
                return Err(error);
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// As [`Context::apply`], but a broken connection is mended and the lock taken back first: for what must not be
    /// left undone, and may be done twice.
    pub(crate) async fn insist(&mut self, transaction: Transaction) -> Result<Applied, ProxyError> {
        let deadline = tokio::time::Instant::now() + REGAIN;
        loop {
            let error = match self.apply(transaction.clone()).await {
                Err(
                    error @ (ProxyError::Interrupted { .. } | ProxyError::Unreachable { .. } | ProxyError::LockLost),
                ) => error,
                other => return other,
            };
            if tokio::time::Instant::now() >= deadline {
                return Err(error);
            }
            self.regain().await;
        }
    }

    /// Tries to get the lock back after the connection broke.
    async fn regain(&mut self) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        match self.proxy.lock(self.job.lock_request(&self.name, 2_000)).await {
            Ok(lease) => self.lease = lease,
            Err(error) => tracing::debug!("the lock is not back yet: {error}"),
        }
    }

    /// Does the work unless the change is cancelled or loses its lock first.
    pub(crate) async fn until_stopped<T>(&self, work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(interrupted()),
            end = self.lease.ended() => Err(match end {
                LeaseEnd::CancelRequested => interrupted(),
                LeaseEnd::Lost => ProxyError::LockLost.into(),
            }),
            result = work => result,
        }
    }

    /// Containers of this app: releases and tasks, running or not. What was taken over from others is among them.
    pub(crate) async fn containers(&self, record: &AppRecord) -> Result<Vec<Container>, Problem> {
        let engine = &self.installation.engine;
        let all = match record.releases.iter().any(|r| r.adopted) {
            true => engine.all_containers().await?,
            false => engine.containers(&self.installation.namespace).await?,
        };
        let ours = |c: &Container| match &c.identity {
            Some(identity) => identity.id.as_ref() == Some(&record.id),
            None => record.has_adopted(&c.name),
        };
        Ok(all.into_iter().filter(ours).collect())
    }

    /// Whose containers and volumes are made.
    pub(crate) fn owner<'b>(&'b self, record: &'b AppRecord) -> Owner<'b> {
        Owner::of(&self.installation.namespace, record)
    }

    /// Time since the lock was asked for, milliseconds; at least 1, since 0 means "under way" in the ledger.
    pub(crate) fn took_ms(&self) -> u64 {
        (self.started.elapsed().as_millis() as u64).max(1)
    }
}

/// A change that waits for its turn while nobody waits for it any more would come late, maybe over a newer one.
fn withdrawn() -> Problem {
    let message = "withdrawn before it began: the process that asked for it is gone";
    Problem::new(Outcome::Interrupted, "withdrawn", message).hint("the same command again asks for it anew")
}

pub(crate) fn interrupted() -> Problem {
    Problem::new(Outcome::Interrupted, "interrupted", "undone on request")
}
