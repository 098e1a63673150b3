//! The proxy in process: ledger, store, locks, events and the data plane behind [`Routes`], as one
//! [`Proxy`](once_app::proxy::Proxy). The control server puts it on a socket; tests use it as it is.

mod calls;
mod certificates;
mod changes;
mod gate;
mod lease;
mod locks;
mod notify;
mod relieved;
mod routes;
mod succession;
mod transact;
mod view;

pub use lease::LocalLease;
pub(crate) use relieved::RouteChange;
pub use routes::Routes;
pub(crate) use succession::HandOver;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};

use crate::acme::{Demand, Issuer};
use crate::binaries::Binaries;
use crate::store::{Opened, Store, StoreError};
use crate::tls::Certificates;
use changes::Changes;
use gate::Gate;
use locks::Locks;
use once_app::ledger::{AppRecord, Ledger};
use once_app::proxy::ProxyError;
use once_app::{ProxyConfig, Untold};
use relieved::Relieved;
use succession::Succession;

/// Where the certificates are in the state directory.
const CERTIFICATES: &str = "certs";

/// A lock without a ping for so long is lost.
pub const LEASE_EXPIRY: Duration = Duration::from_secs(30);

/// The proxy's memory and its data plane. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    /// Swapped after a change is on disk, so readers never wait for one.
    ledger: ArcSwap<Ledger>,
    /// The same.
    config: ArcSwap<ProxyConfig>,
    /// The one writer: whoever changes something holds this from the check to the answer.
    store: Arc<Mutex<Store>>,
    locks: Arc<Locks>,
    gate: Gate,
    succession: Succession,
    relieved: Relieved,
    changes: Changes,
    routes: Arc<dyn Routes>,
    instance: String,
    started_at: Timestamp,
    /// Places for posts to a web hook that are under way.
    notices: Arc<Semaphore>,
    /// What the web hook was not told.
    untold: ArcSwapOption<Untold>,
    set_aside: Vec<(String, String)>,
    certificates: Certificates,
    /// Set once by [`Service::issue`], where certificates are obtained at all.
    issuer: OnceLock<Issuer>,
    /// The same, for names that no app was given.
    demand: OnceLock<Arc<Demand>>,
}

impl Service {
    /// Opens a state directory and publishes the routes of all its apps. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open(dir: &Path, routes: Arc<dyn Routes>) -> Result<Self, StoreError> {
        let Opened { store, ledger, config, instance, start, mut set_aside, changes } = Store::open(dir)?;
        routes.configure(&config);
        // Before the routes: what is redirected to HTTPS must find it.
        let certificates = routes.certificates();
        let broken = certificates.load(&dir.join(CERTIFICATES))?;
        set_aside.extend(broken.into_iter().map(|(file, why)| (format!("{CERTIFICATES}/{file}"), why)));
        routes.publish(ledger.records().filter_map(AppRecord::route).collect());
        let locks = Arc::new(Locks::new(start));
        for record in ledger.records() {
            locks.set_manual(&record.name, view::manual_lock(record));
        }
        let (changes, surplus) = Changes::new(changes);
        for op in surplus {
            store.drop_events(&op)?;
        }
        let untold = notify::untold(&store.activity(None, notify::LOOKED_AT)?);
        let started_at = Timestamp::now();
        let (ledger, config) = (ArcSwap::from_pointee(ledger), ArcSwap::from_pointee(config));
        let store = Arc::new(Mutex::new(store));
        let shared = Shared {
            ledger,
            config,
            store,
            locks,
            gate: Gate::default(),
            succession: Succession::new(Binaries::of(dir)),
            relieved: Relieved::of(dir),
            changes,
            routes,
            instance,
            started_at,
            notices: Arc::new(Semaphore::new(notify::AT_ONCE)),
            untold: ArcSwapOption::from_pointee(untold),
            set_aside,
            certificates,
            issuer: OnceLock::new(),
            demand: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Before the end of the process: what a web hook is being told arrives, or a few seconds pass.
    pub async fn finish(&self) {
        self.shared.finish_notices().await;
    }
}

impl From<StoreError> for ProxyError {
    fn from(error: StoreError) -> Self {
        let message = match &error {
            StoreError::InUse => error.to_string(),
            StoreError::Io { source, .. } => format!("{error}: {source}"),
        };
        Self::Storage { message }
    }
}
