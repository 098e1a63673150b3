use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_core::stream::BoxStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::deploy::drain;
use super::deploy::probe;
use super::listener::accept::{Listening, Serving};
use super::listener::connection_limit::Crowd;
use super::listener::shutdown::Departure;
use super::listener::worker::Threads;
use super::options::PlaneOptions;
use super::routing::app::App;
use super::routing::table::Table;
use super::telemetry::access_log::LogWriter;
use super::telemetry::metrics::Metrics;
use super::telemetry::prometheus;
use crate::acme::Question;
use crate::tls::{Certificates, TlsServer};
use once_app::proxy::{AppTraffic, DrainLimits, DrainProgress, InFlight, ProbeAnswer, ProbeRequest};
use once_app::traffic::TrafficReport;
use once_app::{AppId, ProxyConfig, ReleaseNumber, Route};

/// The data plane. Clones are the same plane.
///
/// Calls take effect before they return, for every request that comes after them.
#[derive(Clone)]
pub struct Plane {
    shared: Arc<Shared>,
    threads: Arc<Mutex<Option<Arc<Threads>>>>,
}

/// What the threads work with.
pub(super) struct Shared {
    pub(super) options: PlaneOptions,
    pub(super) table: ArcSwap<Table>,
    /// What holds for all apps.
    pub(super) config: ArcSwap<ProxyConfig>,
    /// Also orders those who change the table.
    pub(super) apps: Mutex<HashMap<AppId, Arc<App>>>,
    /// Removed, and may still have something under way.
    pub(super) removed: Mutex<Vec<Arc<App>>>,
    pub(super) log: Option<LogWriter>,
    /// Of requests that are for no app.
    pub(super) strays: Metrics,
    /// Requests held, over all apps.
    pub(super) held: AtomicU64,
    pub(super) crowd: Arc<Crowd>,
    metrics_wanted: watch::Sender<bool>,
    pub(super) departure: Arc<Departure>,
    pub(super) certificates: Certificates,
}

impl Plane {
    /// A plane without routes. Starts no thread but the access log's.
    #[must_use]
    pub fn new(options: PlaneOptions) -> Self {
        let options = PlaneOptions { buffer: options.buffer.max(8192), threads: options.threads.max(1), ..options };
        let log = LogWriter::start(&options.access_log);
        let strays = Metrics::new(options.threads);
        let shared = Shared {
            options,
            table: ArcSwap::default(),
            config: ArcSwap::default(),
            apps: Mutex::default(),
            removed: Mutex::default(),
            log,
            strays,
            held: AtomicU64::new(0),
            crowd: Arc::default(),
            metrics_wanted: watch::Sender::new(false),
            departure: Arc::default(),
            certificates: Certificates::default(),
        };
        Self { shared: Arc::new(shared), threads: Arc::default() }
    }

    /// Sets what holds for all apps, for every connection and request that comes after.
    pub fn configure(&self, config: ProxyConfig) {
        self.shared.metrics_wanted.send_replace(config.metrics_port.is_some());
        self.shared.config.store(Arc::new(config));
    }

    /// Whom to ask whether a name that no app was given may have a certificate; `None`: it may not. In lower case and
    /// without final dot.
    #[must_use]
    pub fn whom_to_ask(&self, name: &str) -> Option<Question> {
        let table = self.shared.table.load();
        let live = table.on_demand(name)?.live();
        let route = &live.route;
        Some(Question {
            app: route.app.clone(),
            ask: route.web.tls_on_demand.clone()?,
            address: route.target.address.clone(),
            host: route.hosts.first()?.clone(),
        })
    }

    /// The certificates it serves; in memory only until somebody loads them from a directory.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.shared.certificates
    }

    /// Replaces the whole table. Apps that are in it keep their numbers and what they have under way, those that are
    /// not are removed.
    pub fn publish(&self, routes: Vec<Route>) {
        let mut apps = self.apps();
        let gone: Vec<AppId> =
            apps.keys().filter(|id| !routes.iter().any(|route| route.app == **id)).cloned().collect();
        let gone: Vec<Arc<App>> = gone.iter().filter_map(|id| apps.remove(id)).collect();
        for route in routes {
            self.put(&mut apps, route);
        }
        self.rebuild(&apps);
        gone.into_iter().for_each(|app| self.retire(app));
    }

    /// Adds an app's route or replaces it as a whole; a hold of the app ends, and what was held goes to the new target.
    pub fn set_route(&self, route: Route) {
        let mut apps = self.apps();
        self.put(&mut apps, route);
        self.rebuild(&apps);
    }

    /// Takes an app's route away. What is under way goes on, and can still be drained.
    pub fn remove_route(&self, app: &AppId) {
        let mut apps = self.apps();
        if let Some(app) = apps.remove(app) {
            self.rebuild(&apps);
            self.retire(app);
        }
    }

    /// Lets an app's new requests wait until [`Plane::resume`] or [`Plane::set_route`]. At the limit they get a 504;
    /// more than [`PlaneOptions::max_held`] or [`PlaneOptions::max_held_of_app`] get a 503. Held already: the limit counts anew. False: there is no such app.
    #[must_use]
    pub fn hold(&self, app: &AppId, limit: Duration) -> bool {
        let known = self.app(app);
        known.iter().for_each(|app| app.hold(Instant::now() + limit));
        known.is_some()
    }

    /// Ends a hold; what was held goes to the target.
    pub fn resume(&self, app: &AppId) {
        if let Some(app) = self.app(app) {
            app.resume();
        }
    }

    /// The apps that are held, and for how much longer.
    #[must_use]
    pub fn holds(&self) -> Vec<(AppId, Duration)> {
        let now = Instant::now();
        let left =
            |app: &Arc<App>| app.held_until().map(|until| (app.id.clone(), until.saturating_duration_since(now)));
        self.apps().values().filter_map(left).collect()
    }

    /// Another process has taken over: the stop that follows gives what is under way [`Timeouts::leave`](super::Timeouts::leave)
    /// instead of [`Timeouts::stop`](super::Timeouts::stop).
    pub fn leave(&self) {
        self.shared.departure.leave();
    }

    /// No more time for [`Plane::leave`]: the shorter limits hold from now on.
    pub fn hurry(&self) {
        self.shared.departure.hurry();
    }

    /// Waits until a release has nothing under way, and cuts what is left at the limits: requests without an answer get
    /// a 504, the others break off; WebSockets are closed with code 1001. Works for the serving release while it is held,
    /// and for releases switched away from. The last item has `cut` set; it comes at once for releases that are not known.
    #[must_use]
    pub fn drain(&self, app: &AppId, release: ReleaseNumber, limits: DrainLimits) -> BoxStream<'static, DrainProgress> {
        let removed = || self.removed().iter().rev().find(|removed| removed.id == *app).cloned();
        drain::drain(self.app(app).or_else(removed), release, limits)
    }

    /// Tries a candidate at once and then at intervals from 25 ms to 1 s, until it is healthy or the time is over; one
    /// item a try, the last one being the verdict.
    #[must_use]
    pub fn probe(&self, request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
        probe::probe(request)
    }

    /// An app's traffic; all zeros for one that is not known.
    #[must_use]
    pub fn traffic(&self, app: &AppId) -> AppTraffic {
        self.app(app).map(|app| traffic(&app)).unwrap_or_default()
    }

    /// An app's traffic over time, its paths and visitors; all empty for one that is not known.
    #[must_use]
    pub fn traffic_report(&self, app: &AppId) -> TrafficReport {
        self.app(app).map(|app| app.metrics.report(Instant::now())).unwrap_or_default()
    }

    /// The traffic of all apps, by id.
    #[must_use]
    pub fn traffic_all(&self) -> Vec<(AppId, AppTraffic)> {
        let mut apps: Vec<Arc<App>> = self.apps().values().cloned().collect();
        apps.sort_by(|a, b| a.id.cmp(&b.id));
        apps.iter().map(|app| (app.id.clone(), traffic(app))).collect()
    }

    /// Whether a port for Prometheus is wanted, now and whenever that changes.
    #[must_use]
    pub fn metrics_wanted(&self) -> watch::Receiver<bool> {
        self.shared.metrics_wanted.subscribe()
    }

    /// The counters of all apps in Prometheus' text format.
    #[must_use]
    pub fn exposition(&self) -> String {
        let mut apps: Vec<Arc<App>> = self.apps().values().cloned().collect();
        apps.sort_by(|a, b| a.live().route.name.cmp(&b.live().route.name));
        prometheus::text(&apps, &self.shared)
    }

    /// Resets [`AppTraffic::slowest_ms`].
    pub fn mark(&self, app: &AppId) {
        if let Some(app) = self.app(app) {
            app.metrics.mark();
        }
    }

    /// Serves a listening socket until `stop`, on threads of the plane's own.
    ///
    /// # Errors
    ///
    /// The socket or the threads could not be set up.
    pub fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<Serving> {
        self.listen(listener, None, stop)
    }

    /// As [`Plane::serve`], with TLS.
    ///
    /// # Errors
    ///
    /// The same, or the system gives no randomness.
    pub fn serve_tls(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<Serving> {
        let tls = TlsServer::new(self.certificates())?;
        self.listen(listener, Some(Arc::new(tls)), stop)
    }

    fn listen(
        &self,
        listener: TcpListener,
        tls: Option<Arc<TlsServer>>,
        stop: CancellationToken,
    ) -> io::Result<Serving> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let threads = {
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            match &*threads {
                Some(threads) => Arc::clone(threads),
                None => Arc::clone(threads.insert(Arc::new(Threads::start(&self.shared)?))),
            }
        };
        let (departure, timeouts) = (Arc::clone(&self.shared.departure), self.shared.options.timeouts.clone());
        let listening = Arc::new(Listening::new(listener, address.port(), tls, stop, departure, timeouts));
        threads.listen(&listening);
        Ok(Serving { listening, address, _threads: threads })
    }

    fn apps(&self) -> std::sync::MutexGuard<'_, HashMap<AppId, Arc<App>>> {
        self.shared.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn app(&self, app: &AppId) -> Option<Arc<App>> {
        self.apps().get(app).cloned()
    }

    fn removed(&self) -> std::sync::MutexGuard<'_, Vec<Arc<App>>> {
        self.shared.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retire(&self, app: Arc<App>) {
        app.remove();
        let mut removed = self.removed();
        removed.retain(|app| app.upstreams().iter().any(|upstream| upstream.under_way() != (0, 0)));
        removed.push(app);
    }

    fn put(&self, apps: &mut HashMap<AppId, Arc<App>>, route: Route) {
        match apps.get(&route.app) {
            Some(app) => app.switch(route),
            None => {
                apps.insert(route.app.clone(), Arc::new(App::new(route, self.shared.options.threads)));
            }
        }
    }

    fn rebuild(&self, apps: &HashMap<AppId, Arc<App>>) {
        let mut apps: Vec<Arc<App>> = apps.values().cloned().collect();
        // The ledger lets no two apps have the same host and path; if they do, it is always the same one that wins.
        apps.sort_by(|a, b| a.id.cmp(&b.id));
        self.shared.table.store(Arc::new(Table::new(apps)));
    }
}

pub(super) fn traffic(app: &App) -> AppTraffic {
    let mut traffic = app.metrics.traffic(Instant::now());
    traffic.held = app.held.load(Ordering::Relaxed);
    for upstream in app.upstreams() {
        let (requests, upgraded) = upstream.under_way();
        let release = upstream.target.release;
        match traffic.in_flight.iter_mut().find(|known| known.release == release) {
            Some(known) => {
                known.requests += requests;
                known.upgraded += upgraded;
            }
            None if requests + upgraded > 0 => traffic.in_flight.push(InFlight { release, requests, upgraded }),
            None => {}
        }
    }
    traffic
}
