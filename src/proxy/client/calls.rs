//! The calls, one line each: what a proxy can do, sent away.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Client;
use super::lease::RemoteLease;
use super::lines::decode;
use super::link::PATIENCE;
use crate::app::event::{Envelope, LockView};
use crate::app::ledger::{AppRecord, Applied, Transaction};
use crate::app::proxy::{
    Activity, AppTraffic, DrainLimits, DrainProgress, Lease, LockRequest, ProbeAnswer, ProbeRequest, Proxy, ProxyError,
    ProxyInfo, Snapshot,
};
use crate::app::{AppId, AppName, CertifyAnswer, CertifyRequest, OpId, ProxyConfig, ProxyDraft, ReleaseNumber};
use crate::proxy::control::wire::{ActivityQuery, Apply, Drain, Follow, Hold, Watch};

type Result<T, E = ProxyError> = std::result::Result<T, E>;

impl Client {
    fn long<Q, A>(&self, call: &'static str, ask: Q) -> BoxStream<'static, Result<A>>
    where
        Q: Serialize + Send + Sync + 'static,
        A: DeserializeOwned + Send + 'static,
    {
        let links = self.links.clone();
        let opened = async move { Ok::<_, ProxyError>(decode(call, links.open(call, &ask).await?)) };
        stream::once(opened).try_flatten().boxed()
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

    async fn lock(&self, request: LockRequest) -> Result<Box<dyn Lease>> {
        let wait = Duration::from_millis(request.wait_ms) + PATIENCE;
        let limit = Instant::now().checked_add(wait).unwrap_or_else(|| Instant::now() + Duration::from_hours(24 * 365));
        let body = self.links.open("lock", &request).await?;
        Ok(Box::new(RemoteLease::take(Arc::clone(&self.links), decode("lock", body), limit).await?))
    }

    async fn holder(&self, app: &AppName) -> Result<Option<LockView>> {
        self.links.ask("holder", app).await
    }

    async fn cancel(&self, op: &OpId) -> Result<bool> {
        self.links.ask("cancel", op).await
    }

    async fn apply(&self, fence: u64, transaction: Transaction) -> Result<Applied> {
        self.links.call("apply", &Apply { fence, transaction }).await
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, Result<ProbeAnswer>> {
        self.long("probe", request)
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
        self.long("drain", Drain { app: app.clone(), release, limits })
    }

    async fn traffic(&self, app: &AppId) -> Result<AppTraffic> {
        self.links.ask("traffic", app).await
    }

    async fn mark(&self, app: &AppId) -> Result<()> {
        self.links.ask("mark", app).await
    }

    async fn publish(&self, events: Vec<Envelope>) -> Result<()> {
        // The proxy knows events it has by their number.
        self.links.ask("publish", &events).await
    }

    fn follow(&self, op: &OpId, seq: u64) -> BoxStream<'static, Result<Envelope>> {
        self.long("follow", Follow { op: op.clone(), seq })
    }

    fn watch(&self, every: Duration) -> BoxStream<'static, Result<Snapshot>> {
        self.long("watch", Watch { every })
    }

    fn certify(&self, request: CertifyRequest) -> BoxStream<'static, Result<CertifyAnswer>> {
        self.long("certify", request)
    }

    async fn config(&self) -> Result<ProxyConfig> {
        self.links.ask("config", &()).await
    }

    async fn configure(&self, draft: ProxyDraft) -> Result<ProxyConfig> {
        // Granted twice it comes to the same.
        self.links.ask("configure", &draft).await
    }

    async fn record_activity(&self, activity: Activity) -> Result<()> {
        self.links.call("record-activity", &activity).await
    }

    async fn activity(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Activity>> {
        self.links.ask("activity", &ActivityQuery { app: app.cloned(), limit }).await
    }
}
