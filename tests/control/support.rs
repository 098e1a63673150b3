//! A scripted data plane, and apps to remember.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use once_app::ledger::{AppRecord, Claim, Generated, RunState, Transaction};
use once_app::proxy::{AppTraffic, DrainLimits, DrainProgress, Lease, LockRequest, ProbeAnswer, ProbeRequest, Proxy};
use once_app::{
    AppId, AppName, Caller, EnvValue, OpId, Port, ProxyConfig, Release, ReleaseNumber, ReleaseStatus, ResolvedImage,
    Route, Secret, Settings, Swap,
};
use once_proxy::client::Client;
use once_proxy::control::Server;
use once_proxy::service::{Routes, Service};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A data plane that does as told and remembers it.
#[derive(Default)]
pub struct FakeRoutes {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    routes: BTreeMap<AppId, Route>,
    held: BTreeSet<AppId>,
    marked: Vec<AppId>,
    config: Option<ProxyConfig>,
}

impl FakeRoutes {
    pub fn target(&self, app: &str) -> Option<u64> {
        self.state.lock().unwrap().routes.get(&id(app)).map(|route| route.target.release.0)
    }

    pub fn is_held(&self, app: &str) -> bool {
        self.state.lock().unwrap().held.contains(&id(app))
    }

    pub fn config(&self) -> Option<ProxyConfig> {
        self.state.lock().unwrap().config.clone()
    }

    pub fn marked(&self) -> Vec<AppId> {
        self.state.lock().unwrap().marked.clone()
    }
}

impl Routes for FakeRoutes {
    fn publish(&self, routes: Vec<Route>) {
        self.state.lock().unwrap().routes = routes.into_iter().map(|route| (route.app.clone(), route)).collect();
    }

    fn configure(&self, config: &ProxyConfig) {
        self.state.lock().unwrap().config = Some(config.clone());
    }

    fn set_route(&self, route: Route) {
        self.state.lock().unwrap().routes.insert(route.app.clone(), route);
    }

    fn remove_route(&self, app: &AppId) {
        self.state.lock().unwrap().routes.remove(app);
    }

    fn hold(&self, app: &AppId, _: Duration) -> bool {
        let mut state = self.state.lock().unwrap();
        let known = state.routes.contains_key(app);
        if known {
            state.held.insert(app.clone());
        }
        known
    }

    fn holds(&self) -> Vec<(AppId, Duration)> {
        self.state.lock().unwrap().held.iter().map(|app| (app.clone(), Duration::from_secs(20))).collect()
    }

    fn resume(&self, app: &AppId) {
        self.state.lock().unwrap().held.remove(app);
    }

    fn drain(&self, _: &AppId, _: ReleaseNumber, limits: DrainLimits) -> BoxStream<'static, DrainProgress> {
        let last = DrainProgress { requests: 0, streams: 0, upgraded: 0, cut: Some(limits.requests_ms) };
        stream::iter([DrainProgress { requests: 2, streams: 0, upgraded: 1, cut: None }, last]).boxed()
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
        let refused = ProbeAnswer::Refused { open_ports: request.other_ports };
        stream::iter([ProbeAnswer::NoAddress, refused, ProbeAnswer::Healthy { status: 204, took_ms: 3 }]).boxed()
    }

    fn traffic(&self, app: &AppId) -> AppTraffic {
        AppTraffic { requests: app.0.len() as u64, p50_ms: Some(1.5), ..AppTraffic::default() }
    }

    fn traffic_report(&self, _: &AppId) -> once_app::traffic::TrafficReport {
        once_app::traffic::TrafficReport::default()
    }

    fn traffic_all(&self) -> Vec<(AppId, AppTraffic)> {
        let apps: Vec<AppId> = self.state.lock().unwrap().routes.keys().cloned().collect();
        apps.into_iter().map(|app| (app.clone(), self.traffic(&app))).collect()
    }

    fn mark(&self, app: &AppId) {
        self.state.lock().unwrap().marked.push(app.clone());
    }
}

/// A proxy to try, and what stands behind it.
pub struct Rig {
    pub proxy: Arc<dyn Proxy>,
    /// Somebody else who talks to the same proxy.
    pub other: Arc<dyn Proxy>,
    pub routes: Arc<FakeRoutes>,
    pub dir: TempDir,
    _server: Option<AbortOnDropHandle<()>>,
}

impl Rig {
    pub fn in_process() -> Self {
        let (dir, routes) = (tempfile::tempdir().unwrap(), Arc::new(FakeRoutes::default()));
        let service = Arc::new(Service::open(dir.path(), routes.clone()).unwrap());
        Self { proxy: service.clone(), other: service, routes, dir, _server: None }
    }

    pub fn over_socket() -> Self {
        let (dir, routes) = (tempfile::tempdir().unwrap(), Arc::new(FakeRoutes::default()));
        let service = Service::open(dir.path(), routes.clone()).unwrap();
        let socket = dir.path().join("control.sock");
        let server = serve(&socket, service, CancellationToken::new());
        let client = || Arc::new(Client::connect_unix(&socket));
        Self { proxy: client(), other: client(), routes, dir, _server: Some(server) }
    }
}

pub fn serve(socket: &Path, service: Service, stop: CancellationToken) -> AbortOnDropHandle<()> {
    let server = Server::bind(socket).unwrap();
    AbortOnDropHandle::new(tokio::spawn(server.run(service, stop)))
}

pub fn id(app: &str) -> AppId {
    AppId(format!("id-{app}"))
}

pub fn name(app: &str) -> AppName {
    app.parse().unwrap()
}

pub fn op(text: &str) -> OpId {
    OpId(text.to_owned())
}

pub fn by(user: &str) -> Caller {
    Caller { user: user.to_owned(), host: "desk".to_owned(), command: "deploy".to_owned() }
}

pub const SECRETS: [&str; 5] = ["key-base-secret", "vapid-secret", "env-secret", "smtp-secret", "vapid-public"];

pub fn record(app: &str) -> AppRecord {
    let generated = Generated {
        secret_key_base: Secret::new(SECRETS[0].to_owned()),
        vapid_public_key: SECRETS[4].to_owned(),
        vapid_private_key: Secret::new(SECRETS[1].to_owned()),
    };
    AppRecord::new(id(app), name(app), generated, Timestamp::UNIX_EPOCH)
}

pub fn settings(host: &str) -> Settings {
    let mut settings = Settings::new("acme/shop:1".parse().unwrap(), host.parse().unwrap());
    settings.env.insert("TOKEN".parse().unwrap(), EnvValue::secret(SECRETS[2]));
    settings.env.insert("COLOR".parse().unwrap(), EnvValue::plain("blue"));
    settings.smtp = Some(once_app::Smtp {
        server: "mail.example.com".to_owned(),
        port: Port::HTTP,
        username: None,
        password: Some(Secret::new(SECRETS[3].to_owned())),
        from: None,
    });
    settings
}

pub fn host_of(app: &str) -> String {
    format!("{app}.example.com")
}

pub fn release(app: &str, number: u64, change: &str) -> Release {
    Release {
        number: ReleaseNumber(number),
        op: op(change),
        image: ResolvedImage { digest: None, id: "sha256:1".to_owned() },
        settings: settings(&host_of(app)),
        container: format!("once-{app}-{number}"),
        port: Port::HTTP,
        created_at: Timestamp::UNIX_EPOCH,
        by: by("ann"),
        revision: None,
        rollback_to: None,
        status: ReleaseStatus::Serving,
        took_ms: 0,
        container_kept: true,
        adopted: false,
        declared_volumes: std::collections::BTreeMap::new(),
    }
}

pub fn create(app: &str) -> Transaction {
    Transaction::Create { record: Box::new(record(app)) }
}

pub fn begin(app: &str, change: &str) -> Transaction {
    let claim = Claim::of(&settings(&host_of(app)));
    Transaction::Begin {
        app: id(app),
        op: op(change),
        by: by("ann"),
        at: Timestamp::UNIX_EPOCH,
        swap: Swap::Overlap,
        claim,
    }
}

pub fn switch(app: &str, number: u64, change: &str) -> Transaction {
    Transaction::Switch {
        app: id(app),
        release: Box::new(release(app, number, change)),
        state: RunState::Running,
        keep_canary: false,
    }
}

pub fn retire(app: &str, change: &str) -> Transaction {
    Transaction::Retire { app: id(app), op: op(change), took_ms: 7, gone: Vec::new() }
}

pub fn wants(app: &str, change: &str, user: &str, wait_ms: u64) -> LockRequest {
    LockRequest { app: name(app), op: op(change), by: by(user), wait_ms, part_of: None }
}

pub async fn lock(proxy: &dyn Proxy, app: &str, change: &str) -> Box<dyn Lease> {
    proxy.lock(wants(app, change, "ann", 0)).await.unwrap()
}

/// A whole deploy, lock to retire.
pub async fn deploy(proxy: &dyn Proxy, app: &str, change: &str) -> u64 {
    let lease = lock(proxy, app, change).await;
    if proxy.record(&name(app)).await.unwrap().is_none_or(|r| !r.is_live()) {
        proxy.apply(lease.fence(), create(app)).await.unwrap();
    }
    let number = proxy.apply(lease.fence(), begin(app, change)).await.unwrap().release.unwrap().0;
    proxy.apply(lease.fence(), switch(app, number, change)).await.unwrap();
    proxy.apply(lease.fence(), retire(app, change)).await.unwrap();
    lease.release().await.unwrap();
    number
}

/// Every test is bounded: a channel that hangs is a failure, not a wait.
pub async fn bounded<T>(test: impl Future<Output = T>) -> T {
    bounded_by(Duration::from_secs(60), test).await
}

/// The same, for what takes longer.
pub async fn bounded_by<T>(limit: Duration, test: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, test).await.unwrap_or_else(|_| panic!("not within {limit:?}"))
}
