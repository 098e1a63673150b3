//! The service as everybody else sees it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};

use super::transact::blocking;
use super::{LEASE_EXPIRY, LocalLease, RouteChange, Service, view};
use crate::control::PROTOCOL;
use crate::tls::InstallError;
use once_app::event::{Envelope, LockView};
use once_app::ledger::{AppRecord, Applied, Refusal, Transaction};
use once_app::proxy::{
    Activity, AppTraffic, DrainLimits, DrainProgress, Lease, LockRequest, ProbeAnswer, ProbeRequest, Proxy, ProxyError,
    ProxyInfo, ProxyProcesses, Snapshot,
};
use once_app::traffic::TrafficReport;
use once_app::{
    AccountOffer, AppId, AppName, CertificateFacts, CertificateOffer, CertifyAnswer, CertifyRequest, OpId, ProxyConfig,
    ProxyDraft, Release, ReleaseNumber, Untold,
};

type Result<T, E = ProxyError> = std::result::Result<T, E>;

/// Snapshots are not made faster than this.
const SHORTEST_WATCH: Duration = Duration::from_millis(50);

impl Service {
    /// Takes a lock for somebody behind a connection: it is lost when nobody calls [`Service::ping`] in time.
    ///
    /// # Errors
    /// As [`Proxy::lock`].
    pub async fn lock_pinged(&self, request: LockRequest) -> Result<LocalLease> {
        self.acquire(request, Some(LEASE_EXPIRY)).await
    }

    /// Says that the holder of a lock is alive.
    ///
    /// # Errors
    /// [`ProxyError::LockLost`].
    pub fn ping(&self, app: &AppName, fence: u64) -> Result<()> {
        self.check()?;
        if self.shared.locks.ping(app, fence) { Ok(()) } else { Err(ProxyError::LockLost) }
    }

    /// Gives a lock back by its number.
    ///
    /// # Errors
    /// [`ProxyError::LockLost`].
    pub async fn release(&self, app: &AppName, fence: u64) -> Result<()> {
        let _entered = self.shared.gate.enter().await?;
        if self.shared.locks.free(app, fence) { Ok(()) } else { Err(ProxyError::LockLost) }
    }

    /// Takes a lock in hand again whose connection broke, or which another process has given out; where it is not known
    /// any more, takes it anew if it is free.
    ///
    /// # Errors
    /// As [`Proxy::lock`].
    pub async fn relock_pinged(&self, mut request: LockRequest, fence: u64) -> Result<LocalLease> {
        {
            let _entered = self.shared.gate.enter().await?;
            self.rename(&mut request);
            if let Some(lease) = self.shared.locks.take_in_hand(&request.app, fence, &request.op) {
                return Ok(lease);
            }
        }
        self.lock_pinged(LockRequest { wait_ms: 0, ..request }).await
    }

    /// Whether this process is still the one to be asked.
    ///
    /// # Errors
    /// [`ProxyError::Moved`].
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.gate.check()
    }

    fn rename(&self, request: &mut LockRequest) {
        if let Some(record) = self.shared.ledger.load().find(&request.app) {
            request.app = record.name.clone();
        }
    }

    async fn acquire(&self, mut request: LockRequest, expiry: Option<Duration>) -> Result<LocalLease> {
        self.rename(&mut request);
        loop {
            drop(self.shared.gate.enter().await?);
            let lease = tokio::select! {
                biased;
                () = self.shared.gate.moved() => return Err(ProxyError::Moved),
                lease = self.shared.locks.acquire(request.clone(), expiry) => lease,
            };
            match lease {
                // Whether this process goes on giving out locks is about to be decided.
                Err(ProxyError::Moved) => {}
                lease => {
                    let lease = lease?;
                    // A change of the last holder may be on its way to disk; whoever has the lock sees it.
                    drop(self.shared.store.lock().await);
                    let asked = request.app.clone();
                    self.rename(&mut request);
                    if request.app == asked {
                        return Ok(lease);
                    }
                    // The last holder gave the app another name, and with it another lock.
                }
            }
        }
    }

    /// Nothing is untold where nobody is to be told.
    fn untold(&self) -> Option<Untold> {
        self.shared.config.load().webhook.as_ref()?;
        self.shared.untold.load().as_deref().cloned()
    }

    fn resident(&self, app: &AppId) -> Result<Arc<once_app::ledger::Ledger>> {
        let ledger = self.shared.ledger.load_full();
        match ledger.get(app) {
            Some(_) => Ok(ledger),
            None => Err(Refusal::Absent { app: app.clone() }.into()),
        }
    }
}

#[async_trait]
impl Proxy for Service {
    async fn info(&self) -> Result<ProxyInfo> {
        Ok(ProxyInfo {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: self.shared.instance.clone(),
            started_at: self.shared.started_at,
            set_aside: self.shared.set_aside.clone(),
            memory: view::resident_memory(),
            untold: self.untold(),
        })
    }

    async fn snapshot(&self) -> Result<Snapshot> {
        let ledger = self.shared.ledger.load_full();
        Ok(Snapshot {
            info: self.info().await?,
            apps: ledger.records().map(view::masked).collect(),
            locks: self.shared.locks.all(),
            traffic: self.shared.routes.traffic_all(),
            ops: self.shared.changes.views(),
            certificates: self.shared.certificate_views(),
        })
    }

    async fn record(&self, name: &AppName) -> Result<Option<AppRecord>> {
        Ok(self.shared.ledger.load().find(name).cloned())
    }

    async fn history(&self, app: &AppId) -> Result<Vec<Release>> {
        let store = self.shared.store.clone().lock_owned().await;
        let app = app.clone();
        blocking(move || store.history(&app)).await
    }

    async fn lock(&self, request: LockRequest) -> Result<Box<dyn Lease>> {
        Ok(Box::new(self.acquire(request, None).await?))
    }

    async fn holder(&self, app: &AppName) -> Result<Option<LockView>> {
        let ledger = self.shared.ledger.load();
        let name = ledger.find(app).map_or(app, |record| &record.name);
        Ok(self.shared.locks.holder(name))
    }

    async fn break_lock(&self, app: &AppName) -> Result<Option<LockView>> {
        let _entered = self.shared.gate.enter().await?;
        let ledger = self.shared.ledger.load();
        let name = ledger.find(app).map_or(app, |record| &record.name);
        Ok(self.shared.locks.take_away(name))
    }

    async fn cancel(&self, op: &OpId) -> Result<bool> {
        let _entered = self.shared.gate.enter().await?;
        Ok(self.shared.locks.cancel(op))
    }

    async fn apply(&self, fence: u64, transaction: Transaction) -> Result<Applied> {
        self.transact(fence, transaction).await
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, Result<ProbeAnswer>> {
        self.shared.routes.probe(request).map(Ok).boxed()
    }

    async fn hold(&self, app: &AppId, limit: Duration) -> Result<()> {
        let _entered = self.shared.gate.enter().await?;
        let ledger = self.resident(app)?;
        match ledger.get(app) {
            Some(record) if !self.shared.routes.hold(app, limit) => {
                Err(Refusal::NothingServes { name: record.name.clone() }.into())
            }
            _ => {
                self.shared.relieved.tell(&RouteChange::Hold(app.clone(), limit)).await;
                Ok(())
            }
        }
    }

    async fn resume(&self, app: &AppId) -> Result<()> {
        let _entered = self.shared.gate.enter().await?;
        self.resident(app)?;
        self.shared.routes.resume(app);
        self.shared.relieved.tell(&RouteChange::Resume(app.clone())).await;
        Ok(())
    }

    fn drain(
        &self,
        app: &AppId,
        release: ReleaseNumber,
        limits: DrainLimits,
    ) -> BoxStream<'static, Result<DrainProgress>> {
        let ours = self.shared.routes.drain(app, release, limits);
        self.shared.relieved.drain(ours, app, release, limits).map(Ok).boxed()
    }

    async fn traffic(&self, app: &AppId) -> Result<AppTraffic> {
        Ok(self.shared.routes.traffic(app))
    }

    async fn traffic_report(&self, app: &AppId) -> Result<TrafficReport> {
        Ok(self.shared.routes.traffic_report(app))
    }

    async fn mark(&self, app: &AppId) -> Result<()> {
        self.shared.routes.mark(app);
        Ok(())
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<()> {
        if let Some(bad) = events.iter().find(|e| !e.op.is_plain()) {
            let message = format!("{} is not a change's id", bad.op.0.escape_default());
            return Err(ProxyError::Failed { what: "publish events".to_owned(), message });
        }
        let _entered = self.shared.gate.enter().await?;
        let store = self.shared.store.clone().lock_owned().await;
        let (news, gone) = self.shared.changes.append(events);
        blocking(move || {
            // Followers have them; that they are not on disk is no reason to fail the change they tell of.
            let appended = news.iter().map(|(op, events)| store.append_events(op, events));
            let dropped = gone.iter().map(|op| store.drop_events(op));
            for error in appended.chain(dropped).filter_map(Result::err) {
                tracing::warn!(%error, "events of a change were not kept");
            }
            Ok(())
        })
        .await
    }

    fn follow(&self, op: &OpId, seq: u64) -> BoxStream<'static, Result<Envelope>> {
        let start = (self.shared.clone(), op.clone(), seq);
        stream::unfold(start, |(shared, op, seq)| async move {
            let event = shared.changes.next(&op, seq).await?;
            let next = event.seq + 1;
            Some((Ok(event), (shared, op, next)))
        })
        .boxed()
    }

    fn watch(&self, every: Duration) -> BoxStream<'static, Result<Snapshot>> {
        let mut ticks = interval(every.max(SHORTEST_WATCH));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        stream::unfold((self.clone(), ticks), |(service, mut ticks)| async move {
            ticks.tick().await;
            Some((service.snapshot().await, (service, ticks)))
        })
        .boxed()
    }

    fn certify(&self, request: CertifyRequest) -> BoxStream<'static, Result<CertifyAnswer>> {
        self.shared.certify(request)
    }

    async fn config(&self) -> Result<ProxyConfig> {
        Ok(self.shared.config.load().without_secrets())
    }

    async fn configure(&self, draft: ProxyDraft) -> Result<ProxyConfig> {
        let shared = self.shared.clone();
        // To its end also when the caller goes away: half of it would leave disk and memory apart.
        let ended = tokio::spawn(async move {
            let _entered = shared.gate.enter().await?;
            let store = shared.store.clone().lock_owned().await;
            let next = draft.merge(&shared.config.load());
            let kept = next.clone();
            let store = blocking(move || store.write_config(&kept).map(|()| store)).await?;
            shared.config.store(Arc::new(next.clone()));
            shared.routes.configure(&next);
            shared.follow_authority(&next).await?;
            drop(store);
            Ok(next.without_secrets())
        });
        ended.await.map_err(|e| ProxyError::Failed { what: "keep its settings".to_owned(), message: e.to_string() })?
    }

    async fn check_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts> {
        let checked = self.shared.certificates.check(&offer.names, &offer.pair, jiff::Timestamp::now());
        checked.map_err(ProxyError::Certificate)
    }

    async fn install_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts> {
        let shared = self.shared.clone();
        // To its end also when the caller goes away.
        let ended = tokio::spawn(async move {
            let _entered = shared.gate.enter().await?;
            let certificates = shared.certificates.clone();
            let install = move || certificates.install(&offer.names, &offer.pair, offer.source);
            let installed = tokio::task::spawn_blocking(install).await;
            match installed.map_err(|e| broken_off(&e))? {
                Ok(certificate) => Ok(certificate.facts.clone()),
                Err(InstallError::Flaw(flaw)) => Err(ProxyError::Certificate(flaw)),
                Err(InstallError::Store(error)) => Err(error.into()),
            }
        });
        ended.await.map_err(|e| broken_off(&e))?
    }

    async fn offer_account(&self, offer: AccountOffer) -> Result<bool> {
        let Some(issuer) = self.shared.issuer.get().cloned() else { return Ok(false) };
        let _entered = self.shared.gate.enter().await?;
        let kept = tokio::task::spawn_blocking(move || issuer.offer_account(&offer)).await;
        let failed = |message| ProxyError::Failed { what: "take over an account".to_owned(), message };
        kept.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }

    async fn record_activity(&self, activity: Activity) -> Result<()> {
        let _entered = self.shared.gate.enter().await?;
        let mut store = self.shared.store.clone().lock_owned().await;
        let kept = activity.clone();
        blocking(move || store.append_activity(&kept)).await?;
        self.shared.notify(activity);
        Ok(())
    }

    async fn activity(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Activity>> {
        let store = self.shared.store.clone().lock_owned().await;
        // What was done under the names it went by before is its history too.
        let names = app.map(|app| match self.shared.ledger.load().find(app) {
            Some(record) => [app, &record.name].into_iter().chain(&record.aliases).cloned().collect::<Vec<_>>(),
            None => vec![app.clone()],
        });
        blocking(move || store.activity(names.as_deref(), limit as usize)).await
    }

    async fn processes(&self) -> Result<ProxyProcesses> {
        self.look_at_processes().await
    }

    async fn put_binary(&self, hash: &str, offset: u64, piece: &[u8]) -> Result<()> {
        self.check()?;
        self.put_piece(hash, offset, piece.to_vec()).await
    }

    async fn upgrade(&self, hash: &str) -> Result<()> {
        self.be_relieved(hash).await
    }
}

fn broken_off(error: &tokio::task::JoinError) -> ProxyError {
    ProxyError::Failed { what: "keep a certificate".to_owned(), message: error.to_string() }
}
