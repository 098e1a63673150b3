//! A fault at every single call a change makes to its engine: it is not done, done without the answer arriving, or never
//! answered, upon which the process is killed. After each: what served serves, the answer is honest, and one further
//! deploy without a fault puts everything in order. The engine is in memory, the ledger is the real one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use once_app::event::{Event, Outcome};
use once_app::ledger::{AppRecord, Transaction};
use once_app::proxy::{AppTraffic, DrainLimits, DrainProgress, ProbeAnswer, ProbeRequest, Proxy, ProxyError};
use once_app::traffic::ReleaseTraffic;
use once_app::{
    AppId, AppName, Ask, Caller, Deploy, Draft, EnvValue, Installation, ProxyConfig, ReleaseNumber, ReleaseStatus,
    Route, Selector, Span, Swap,
};
use once_proxy::service::{Routes, Service};
use tempfile::TempDir;

use crate::support::fake_engine::{FakeEngine, Fault, Health, When, Which};
pub use crate::support::installation::Told;
use crate::support::installation::{Asker, installation};

pub const SECRETS: [&str; 3] = ["planted-in-env", "planted-key-base", "planted-vapid"];

/// Time a change that got no answer has before it is killed; longer than anything in it waits.
const LIFE: Duration = Duration::from_secs(600);

/// A data plane that asks the engine in memory how a container is.
struct Plane {
    engine: FakeEngine,
    routes: Mutex<BTreeMap<AppId, Route>>,
    held: Mutex<Option<AppId>>,
    /// Half of what release 2 is asked for fails.
    sour: AtomicBool,
    asked: AtomicU64,
}

impl Routes for Plane {
    fn publish(&self, routes: Vec<Route>) {
        *self.routes.lock().unwrap() = routes.into_iter().map(|route| (route.app.clone(), route)).collect();
    }

    fn configure(&self, _: &ProxyConfig) {}

    fn set_route(&self, route: Route) {
        let before = self.routes.lock().unwrap().insert(route.app.clone(), route.clone());
        if before.is_none_or(|before| before.target != route.target) {
            self.resume(&route.app);
        }
    }

    fn remove_route(&self, app: &AppId) {
        self.routes.lock().unwrap().remove(app);
    }

    fn hold(&self, app: &AppId, _: Duration) -> bool {
        *self.held.lock().unwrap() = Some(app.clone());
        self.routes.lock().unwrap().contains_key(app)
    }

    fn holds(&self) -> Vec<(AppId, Duration)> {
        Vec::new()
    }

    fn resume(&self, app: &AppId) {
        self.held.lock().unwrap().take_if(|held| held == app);
    }

    fn drain(&self, _: &AppId, _: ReleaseNumber, _: DrainLimits) -> BoxStream<'static, DrainProgress> {
        stream::iter([DrainProgress { requests: 0, streams: 0, upgraded: 0, cut: Some(0) }]).boxed()
    }

    fn probe(&self, request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
        let engine = self.engine.clone();
        let container = request.address.rsplit_once(':').unwrap().0.to_owned();
        let deadline = tokio::time::Instant::now() + Duration::from_millis(request.timeout_ms);
        stream::unfold(false, move |over| {
            let (engine, container) = (engine.clone(), container.clone());
            async move {
                if over {
                    return None;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
                let late = tokio::time::Instant::now() >= deadline;
                match engine.health(&container) {
                    Health::Status(status) => Some((ProbeAnswer::Healthy { status, took_ms: 1 }, true)),
                    _ => Some((ProbeAnswer::Refused { open_ports: Vec::new() }, late)),
                }
            }
        })
        .boxed()
    }

    fn traffic(&self, _: &AppId) -> AppTraffic {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) * u64::from(self.sour.load(Ordering::Relaxed));
        let release = ReleaseNumber(2);
        let seen = ReleaseTraffic { requests: 100 * asked, errors: 50 * asked, ..ReleaseTraffic::none(release) };
        AppTraffic { releases: vec![seen], ..AppTraffic::default() }
    }

    fn traffic_report(&self, _: &AppId) -> once_app::traffic::TrafficReport {
        once_app::traffic::TrafficReport::default()
    }

    fn traffic_all(&self) -> Vec<(AppId, AppTraffic)> {
        Vec::new()
    }

    fn mark(&self, _: &AppId) {}
}

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    First,
    Overlap,
    Handover,
    /// A release is tried out beside the serving one.
    Canary,
    /// It serves then.
    Promote,
    /// Or goes.
    Abort,
    /// The switch is watched, and all is well.
    Watched,
    /// It is not, and the old release takes over again.
    Back,
    /// The same where two must never run at once.
    BackInHandover,
}

impl Change {
    fn is_handover(self) -> bool {
        matches!(self, Self::Handover | Self::BackInHandover)
    }

    fn goes_back(self) -> bool {
        matches!(self, Self::Back | Self::BackInHandover)
    }

    /// How it ends where nothing goes wrong but what it is about.
    fn end(self) -> Outcome {
        match self {
            Self::First => Outcome::Created,
            Self::Back | Self::BackInHandover => Outcome::Failed,
            _ => Outcome::Updated,
        }
    }
}

pub struct Bed {
    change: Change,
    pub engine: FakeEngine,
    plane: Arc<Plane>,
    pub service: Service,
    pub installation: Installation,
    asker: Asker,
    _directory: TempDir,
}

impl Bed {
    /// A host on which the change is about to be made.
    pub async fn new(change: Change) -> Self {
        let engine = FakeEngine::new();
        for tag in ["shop:1", "shop:2", "shop:3"] {
            engine.hold_image(tag);
        }
        let plane = Arc::new(Plane {
            engine: engine.clone(),
            routes: Mutex::default(),
            held: Mutex::default(),
            sour: AtomicBool::new(false),
            asked: AtomicU64::new(1),
        });
        // Hundreds of ledgers, each synced with every change: in memory, where there is such a place.
        let memory = std::path::Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(place).unwrap();
        let service = Service::open(directory.path(), plane.clone()).unwrap();
        let installation = installation("steps", &engine, &service, [SECRETS[1], SECRETS[2]]);
        let asker = Asker::default();
        let bed = Self { change, engine, plane, service, installation, asker, _directory: directory };
        if change != Change::First {
            let told = bed.deploy("shop:1").await;
            assert_eq!(told.finished.unwrap().outcome, Outcome::Created);
        }
        if matches!(change, Change::Promote | Change::Abort) {
            let told = bed.ask(bed.wish("shop:2", Some("10%"))).await;
            assert_eq!(told.finished.unwrap().outcome, Outcome::Updated);
        }
        bed.plane.sour.store(change.goes_back(), Ordering::Relaxed);
        bed
    }

    /// Makes the change this is about.
    pub async fn act(&self) -> Told {
        let app = || Selector("shop".into());
        match self.change {
            Change::Canary => self.ask(self.wish("shop:2", Some("10%"))).await,
            Change::Promote => self.ask(Ask::Promote { app: app() }).await,
            Change::Abort => self.ask(Ask::Abort { app: app() }).await,
            _ => self.deploy("shop:2").await,
        }
    }

    async fn deploy(&self, image: &str) -> Told {
        self.ask(self.wish(image, None)).await
    }

    pub fn wish(&self, image: &str, canary: Option<&str>) -> Ask {
        let mut draft = Draft { image: Some(image.parse().unwrap()), ..Draft::default() };
        draft.swap = self.change.is_handover().then_some(Swap::Handover);
        // The word of the engine in memory for a program that ends well.
        draft.release_command = (!self.change.is_handover()).then(|| "exit 0".to_owned());
        let watched = self.change == Change::Watched || self.change.goes_back();
        draft.watch_time = watched.then(|| Span::seconds(4));
        draft.env.insert("TOKEN".parse().unwrap(), EnvValue::secret(SECRETS[0]));
        let canary = canary.map(|rule| rule.parse().unwrap());
        Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, canary, ..Deploy::default() }))
    }

    pub async fn ask(&self, ask: Ask) -> Told {
        self.asker.ask(&self.installation, ask, LIFE).await
    }

    pub async fn record(&self) -> Option<AppRecord> {
        self.service.record(&name()).await.unwrap().filter(AppRecord::is_live)
    }

    /// Containers of releases and tasks, by whether they run.
    pub fn containers(&self) -> (Vec<String>, Vec<String>) {
        let all = self.engine.running().into_iter().filter(|(name, _)| *name != self.installation.namespace.proxy());
        let (run, rest): (Vec<_>, Vec<_>) = all.partition(|(_, runs)| *runs);
        (run.into_iter().map(|(name, _)| name).collect(), rest.into_iter().map(|(name, _)| name).collect())
    }

    /// The container requests go to.
    pub fn target(&self) -> Option<String> {
        let routes = self.plane.routes.lock().unwrap();
        assert!(routes.len() <= 1, "{routes:?}");
        routes.values().next().map(|route| route.target.address.rsplit_once(':').unwrap().0.to_owned())
    }

    fn is_held(&self) -> bool {
        self.plane.held.lock().unwrap().is_some()
    }

    /// What must hold whatever went wrong.
    async fn check(&self, told: &Told, may_be_down: bool) {
        let answers: Vec<_> = told.events.iter().filter(|e| matches!(e.event, Event::Finished(_))).collect();
        assert_eq!(answers.len(), usize::from(told.finished.is_some()), "{answers:#?}");
        let said = serde_json::to_string(&told.events).unwrap() + &format!("{:?} {:?}", told.events, told.finished);
        for secret in SECRETS {
            assert!(!said.contains(secret), "{said}");
        }
        if let Some(finished) = &told.finished {
            assert!(matches!(told.events.last().unwrap().event, Event::Finished(_)), "it is the last word");
            assert_eq!(finished.problem.is_none(), finished.outcome.is_success(), "{finished:#?}");
            assert_ne!(finished.outcome, Outcome::Internal, "{finished:#?}");
            if let Some(problem) = &finished.problem {
                assert!(!problem.code.is_empty() && !problem.message.is_empty(), "{problem:#?}");
                if problem.outcome == Outcome::Environment {
                    assert!(!problem.hints.is_empty(), "{problem:#?}");
                }
            }
            if !may_be_down {
                assert_ne!(finished.outcome, Outcome::Down, "{finished:#?}");
            }
        }
        let record = self.record().await;
        let serving = record.as_ref().and_then(|r| r.serving_release());
        // What fails behind the switch is a warning.
        if let (Change::Overlap, Some(finished), Some(2)) = (self.change, &told.finished, serving.map(|r| r.number.0)) {
            assert!(finished.outcome.is_success(), "release 2 serves: {finished:#?}");
        }
        assert_eq!(self.target(), serving.map(|r| r.container.clone()), "the route follows the ledger");
        if let Some(record) = &record {
            let serve = record.releases.iter().filter(|r| r.status == ReleaseStatus::Serving);
            assert_eq!(serve.count(), usize::from(record.serving.is_some()), "{record:#?}");
        }
        if self.change != Change::First {
            assert!(serving.is_some(), "what served is forgotten: {record:#?}");
        }
        let honest = told.finished.as_ref().filter(|f| f.outcome != Outcome::Down);
        if let Some(finished) = honest {
            assert!(!finished.outcome.is_success() || serving.is_some(), "{finished:#?}");
            assert!(!self.is_held(), "requests wait for ever: {finished:#?}");
        }
        let (running, _) = self.containers();
        let must_serve = honest.is_some() || (told.finished.is_none() && !self.change.is_handover());
        if let (true, Some(release)) = (must_serve, serving) {
            assert!(running.contains(&release.container), "{} should run: {running:?}", release.container);
        }
    }

    /// One further deploy without a fault puts everything in order.
    pub async fn mends(&self) {
        self.engine.no_more_faults();
        self.plane.sour.store(false, Ordering::Relaxed);
        let told = self.deploy("shop:3").await;
        let finished = told.finished.as_ref().expect("it ends");
        assert!(finished.outcome.is_success(), "{finished:#?}");
        self.check(&told, false).await;
        let record = self.record().await.unwrap();
        assert_eq!((&record.intent, &record.canary), (&None, &None));
        let serving = record.serving_release().unwrap();
        assert_eq!(serving.settings.image.to_string(), "shop:3");
        let (running, rest) = self.containers();
        assert_eq!(running, std::slice::from_ref(&serving.container), "and {rest:?}");
        let known: Vec<_> = record.releases.iter().filter(|r| r.container_kept).map(|r| &r.container).collect();
        assert!(rest.iter().all(|name| known.contains(&name)), "{rest:?} {known:?}");
        assert!(rest.len() <= 2, "{rest:?}");
        assert!(self.service.snapshot().await.unwrap().locks.is_empty());
    }
}

pub fn name() -> AppName {
    "shop".parse().unwrap()
}

/// Calls the change makes where all is well.
async fn calls(change: Change) -> Vec<&'static str> {
    let bed = Bed::new(change).await;
    let before = bed.engine.calls().len();
    let told = bed.act().await;
    assert_eq!(told.finished.unwrap().outcome, change.end());
    bed.engine.calls()[before..].to_vec()
}

pub async fn faults_everywhere(change: Change, when: fn(usize) -> When, may_be_down: bool) {
    let calls = calls(change).await;
    assert!(calls.len() > 3, "{calls:?}");
    let mut outcomes = BTreeMap::<String, usize>::new();
    for (n, call) in calls.iter().enumerate() {
        for fault in [Fault::Fails, Fault::DoesButFails, Fault::Hangs, Fault::DoesButHangs] {
            // Named before, so that a failed assertion says where.
            eprintln!("{change:?}: {fault:?} at call {} ({call})", n + 1);
            let bed = Bed::new(change).await;
            bed.engine.fault(Which::Any, when(n + 1), fault);
            let told = bed.act().await;
            let outcome = told.finished.as_ref().map_or("killed".to_owned(), |f| f.outcome.to_string());
            *outcomes.entry(outcome).or_default() += 1;
            bed.check(&told, may_be_down).await;
            bed.mends().await;
        }
    }
    eprintln!("{change:?}: {} calls, {outcomes:?}", calls.len());
    assert!(outcomes.len() > 1, "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_a_first_deploy() {
    faults_everywhere(Change::First, When::Nth, false).await;
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_a_swap() {
    faults_everywhere(Change::Overlap, When::Nth, false).await;
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_a_handover() {
    faults_everywhere(Change::Handover, When::Nth, false).await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_fails_from_some_call_on() {
    faults_everywhere(Change::First, When::From, false).await;
    faults_everywhere(Change::Overlap, When::From, false).await;
    faults_everywhere(Change::Handover, When::From, true).await;
}

/// The ledger refuses what is not in order; the checks above would notice if it did not.
#[tokio::test(start_paused = true)]
async fn a_killed_change_cannot_speak_again() {
    let bed = Bed::new(Change::Overlap).await;
    bed.engine.fault(Which::Call("create"), When::Nth(1), Fault::DoesButHangs);
    assert!(bed.deploy("shop:2").await.finished.is_none());
    let record = bed.record().await.unwrap();
    let intent = record.intent.clone().expect("what it was about to do is known");
    let late = Transaction::Abandon { app: record.id, op: intent.op, release: None };
    assert!(matches!(bed.service.apply(1, late).await, Err(ProxyError::LockLost)), "its lock died with it");
    bed.mends().await;
}

/// A proxy whose first process cannot put another worker in charge says what can be done.
#[tokio::test]
async fn a_proxy_that_is_too_old_for_an_upgrade_names_the_other_way() {
    let bed = Bed::new(Change::First).await;
    let problem = bed.installation.upgrade_proxy(&bed.service, &Caller::default()).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.outcome), ("proxy-too-old", Outcome::Environment));
    assert!(problem.hints.iter().any(|hint| hint.contains("once proxy upgrade --replace")), "{problem:?}");
}
