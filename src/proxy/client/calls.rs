//! The calls, one line each: what a proxy can do, sent away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout};

use super::Client;
use super::lease::RemoteLease;
use super::lines::decode;
use super::link::{Links, PATIENCE};
use crate::control::wire::{ActivityQuery, Apply, Drain, Follow, HASH_HEADER, Hold, OFFSET_HEADER, Watch};
use crate::service::{HandOver, RouteChange};
use once_app::event::{Envelope, LockView};
use once_app::ledger::{AppRecord, Applied, Transaction};
use once_app::proxy::{
    Activity, AppTraffic, DrainLimits, DrainProgress, Lease, LockRequest, ProbeAnswer, ProbeRequest, Proxy, ProxyError,
    ProxyInfo, ProxyProcesses, Snapshot,
};
use once_app::traffic::TrafficReport;
use once_app::{
    AccountOffer, AppId, AppName, CertificateFacts, CertificateOffer, CertifyAnswer, CertifyRequest, OpId, ProxyConfig,
    ProxyDraft, Release, ReleaseNumber,
};

/// The supervisor gives a newer program 30 s.
const UPGRADE: Duration = Duration::from_secs(45);

type Result<T, E = ProxyError> = std::result::Result<T, E>;

impl Client {
    /// A long answer, asked for again where the connection broke or another process of the proxy took over; `next` makes
    /// of the last item what is to be asked then.
    fn long<Q, A>(
        &self,
        call: &'static str,
        ask: Q,
        next: impl Fn(&mut Q, &A) + Send + 'static,
    ) -> BoxStream<'static, Result<A>>
    where
        Q: Serialize + Send + Sync + 'static,
        A: DeserializeOwned + Send + 'static,
    {
        let start = Long { links: self.links.clone(), ask, lines: None, broken: None };
        stream::try_unfold((start, next), move |(mut long, next)| async move {
            match long.next(call).await? {
                Some(item) => {
                    next(&mut long.ask, &item);
                    Ok(Some((item, (long, next))))
                }
                None => Ok(None),
            }
        })
        .boxed()
    }

    /// Takes what the serving process has in memory only.
    pub(crate) async fn hand_over(&self) -> Result<HandOver> {
        self.links.call("hand-over", &()).await
    }

    /// Tells a relieved process of a change.
    pub(crate) async fn mirror(&self, change: &RouteChange) -> Result<()> {
        self.links.call("mirror", change).await
    }
}

/// How long a broken stream is tried again before its reader hears of it.
const MENDING: Duration = Duration::from_secs(3);

struct Long<Q, A> {
    links: Arc<Links>,
    ask: Q,
    lines: Option<BoxStream<'static, Result<A>>>,
    /// Since when nothing has come, and why.
    broken: Option<(Instant, ProxyError)>,
}

impl<Q: Serialize + Sync, A: DeserializeOwned + Send + 'static> Long<Q, A> {
    async fn next(&mut self, call: &'static str) -> Result<Option<A>> {
        loop {
            let item = match &mut self.lines {
                Some(lines) => lines.next().await.transpose(),
                None => match self.links.open(call, &self.ask).await {
                    Ok(body) => {
                        self.lines = Some(decode(call, body));
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            let error = match item {
                Ok(item) => {
                    self.broken = None;
                    return Ok(item);
                }
                Err(error) => error,
            };
            let passes = match &error {
                ProxyError::Moved | ProxyError::Interrupted { .. } => true,
                ProxyError::Unreachable { .. } => self.broken.is_some(),
                _ => false,
            };
            if !passes {
                return Err(error);
            }
            // What broke it says more than that it cannot be mended.
            match self.broken.take() {
                None => self.broken = Some((Instant::now(), error)),
                Some((since, first)) if since.elapsed() >= MENDING => return Err(first),
                broken => self.broken = broken,
            }
            self.lines = None;
            self.links.leave().await;
        }
    }
}

#[async_trait]
impl Proxy for Client {
    async fn info(&self) -> Result<ProxyInfo> {
        self.links.ask("info", &()).await
    }

    async fn snapshot(&self) -> Result<Snapshot> {
        self.links.ask("snapshot", &()).await
    }

    async fn record(&self, name: &AppName) -> Result<Option<AppRecord>> {
        self.links.ask("record", name).await
    }

    async fn history(&self, app: &AppId) -> Result<Vec<Release>> {
        self.links.ask("history", app).await
    }

    async fn lock(&self, request: LockRequest) -> Result<Box<dyn Lease>> {
        let wait = Duration::from_millis(request.wait_ms) + PATIENCE;
        let limit = Instant::now().checked_add(wait).unwrap_or_else(|| Instant::now() + Duration::from_hours(24 * 365));
        Ok(Box::new(RemoteLease::take(Arc::clone(&self.links), request, limit).await?))
    }

    async fn holder(&self, app: &AppName) -> Result<Option<LockView>> {
        self.links.ask("holder", app).await
    }

    async fn break_lock(&self, app: &AppName) -> Result<Option<LockView>> {
        self.links.call("break-lock", app).await
    }

    async fn cancel(&self, op: &OpId) -> Result<bool> {
        self.links.ask("cancel", op).await
    }

    async fn apply(&self, fence: u64, transaction: Transaction) -> Result<Applied> {
        self.links.call("apply", &Apply { fence, transaction }).await
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, Result<ProbeAnswer>> {
        self.long("probe", request, |_, _| {})
    }

    async fn hold(&self, app: &AppId, limit: Duration) -> Result<()> {
        self.links.call("hold", &Hold { app: app.clone(), limit }).await
    }

    async fn resume(&self, app: &AppId) -> Result<()> {
        self.links.ask("resume", app).await
    }

    fn drain(
        &self,
        app: &AppId,
        release: ReleaseNumber,
        limits: DrainLimits,
    ) -> BoxStream<'static, Result<DrainProgress>> {
        self.long("drain", Drain { app: app.clone(), release, limits }, |_, _| {})
    }

    async fn traffic(&self, app: &AppId) -> Result<AppTraffic> {
        self.links.ask("traffic", app).await
    }

    async fn traffic_report(&self, app: &AppId) -> Result<TrafficReport> {
        self.links.ask("traffic-report", app).await
    }

    async fn mark(&self, app: &AppId) -> Result<()> {
        self.links.ask("mark", app).await
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<()> {
        // The proxy knows events it has by their number.
        self.links.ask("publish", &events).await
    }

    fn follow(&self, op: &OpId, seq: u64) -> BoxStream<'static, Result<Envelope>> {
        self.long("follow", Follow { op: op.clone(), seq }, |follow, event: &Envelope| follow.seq = event.seq + 1)
    }

    fn watch(&self, every: Duration) -> BoxStream<'static, Result<Snapshot>> {
        self.long("watch", Watch { every }, |_, _| {})
    }

    fn certify(&self, request: CertifyRequest) -> BoxStream<'static, Result<CertifyAnswer>> {
        self.long("certify", request, |_, _| {})
    }

    async fn config(&self) -> Result<ProxyConfig> {
        self.links.ask("config", &()).await
    }

    async fn configure(&self, draft: ProxyDraft) -> Result<ProxyConfig> {
        // Granted twice it comes to the same.
        self.links.ask("configure", &draft).await
    }

    async fn check_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts> {
        self.links.ask("check-certificate", &offer).await
    }

    async fn install_certificate(&self, offer: CertificateOffer) -> Result<CertificateFacts> {
        // Twice is once.
        self.links.ask("install-certificate", &offer).await
    }

    async fn offer_account(&self, offer: AccountOffer) -> Result<bool> {
        self.links.ask("offer-account", &offer).await
    }

    async fn record_activity(&self, activity: Activity) -> Result<()> {
        self.links.call("record-activity", &activity).await
    }

    async fn activity(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Activity>> {
        self.links.ask("activity", &ActivityQuery { app: app.cloned(), limit }).await
    }

    async fn processes(&self) -> Result<ProxyProcesses> {
        self.links.ask("processes", &()).await
    }

    async fn put_binary(&self, hash: &str, offset: u64, piece: &[u8]) -> Result<()> {
        let headers = [(HASH_HEADER, hash.to_owned()), (OFFSET_HEADER, offset.to_string())];
        self.links.put("put-binary", &headers, Bytes::copy_from_slice(piece)).await
    }

    async fn upgrade(&self, hash: &str) -> Result<()> {
        let lines = self.links.open("upgrade", &hash).await?;
        let mut lines = decode::<()>("upgrade", lines);
        match timeout(UPGRADE, lines.next()).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err(ProxyError::Interrupted { message: "upgrade: the answer ended".to_owned() }),
            Err(_) => Err(ProxyError::Interrupted { message: "upgrade: no answer in time".to_owned() }),
        }
    }
}
