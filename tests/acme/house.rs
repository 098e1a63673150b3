//! An authority, a name server, the public ports and an issuer, and what is looked at in them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use once_app::{Acme, CertificateFailure, Certified, Clock, Hostname, Issuing, Secret};
use once_proxy::acme::{Issuer, IssuerOptions};
use once_proxy::tls::Certificates;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::front::Front;
use super::gate::Gate;
use crate::support::dns::Zone;
use crate::support::pebble::{Pebble, Wish};

pub const HERE: [u8; 4] = [127, 0, 0, 1];
pub const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

/// No test takes longer.
const LIMIT: Duration = Duration::from_secs(150);

pub async fn bounded<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, test).await.expect("the test ended in time")
}

/// The system's time, and as much more as is asked for.
#[derive(Default)]
pub struct TestClock {
    ahead: AtomicI64,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.ahead.load(Ordering::SeqCst))
    }
}

pub struct House {
    pub zone: Zone,
    pub pebble: Pebble,
    pub front: Front,
    pub clock: Arc<TestClock>,
    pub certificates: Certificates,
    pub issuer: Issuer,
    pub state: TempDir,
    stop: CancellationToken,
    running: Option<AbortOnDropHandle<()>>,
}

impl House {
    pub async fn new() -> Self {
        Self::with(Wish::default()).await
    }

    pub async fn with(wish: Wish) -> Self {
        Self::behind(wish, Front::open()).await
    }

    pub async fn behind(wish: Wish, front: Front) -> Self {
        let zone = Zone::default();
        let pebble = Pebble::start(&zone, front.http, front.https, wish).await;
        let state = TempDir::new().unwrap();
        let certificates = front.certificates();
        certificates.load(&state.path().join("certs")).unwrap();
        let clock = Arc::new(TestClock::default());
        let config = Acme { directory: Some(pebble.directory()), root: Some(pebble.root.clone()), ..Acme::default() };
        let issuer = open(&state, config, &certificates, &zone, &front, &clock);
        let stop = CancellationToken::new();
        Self { zone, pebble, front, clock, certificates, issuer, state, stop, running: None }
    }

    /// The configuration of pebble, for tests that change it.
    pub fn config(&self) -> Acme {
        Acme { directory: Some(self.pebble.directory()), root: Some(self.pebble.root.clone()), ..Acme::default() }
    }

    /// Puts a gate before pebble.
    pub async fn gate(&self) -> Gate {
        let gate = Gate::before(&self.pebble).await;
        let config = Acme { directory: Some(gate.directory()), root: Some(gate.root.clone()), ..Acme::default() };
        self.issuer.configure(config).unwrap();
        gate
    }

    /// Ends the issuer and opens another one on what it left.
    pub async fn restart(&mut self, config: Acme) {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap();
        }
        self.stop = CancellationToken::new();
        self.issuer = open(&self.state, config, &self.certificates, &self.zone, &self.front, &self.clock);
    }

    /// Lets the issuer see to these names by itself.
    pub fn run(&mut self, names: &[&str]) {
        self.issuer.want(names.iter().map(|n| host(n)).collect());
        let running = tokio::spawn(self.issuer.clone().run(self.stop.clone()));
        self.running = Some(AbortOnDropHandle::new(running));
    }

    /// Asks in person; what was told on the way comes along.
    pub async fn certify(&self, name: &str) -> (Certified, Vec<String>) {
        let told = Mutex::new(Vec::new());
        let came = self.issuer.certify(&host(name), &|text| told.lock().unwrap().push(text)).await;
        (came, told.into_inner().unwrap())
    }

    pub async fn obtained(&self, name: &str) {
        let (came, told) = self.certify(name).await;
        assert!(matches!(came, Certified::Obtained { .. }), "{came:?} after {told:?}");
    }

    pub fn forward(&self, seconds: i64) {
        self.clock.ahead.fetch_add(seconds, Ordering::SeqCst);
        self.issuer.poke();
    }

    pub fn standing(&self, name: &str) -> (Issuing, Option<CertificateFailure>) {
        let standing = self.issuer.standing().into_iter().find(|(host, _, _)| host.as_str() == name);
        let (_, issuing, failure) = standing.unwrap_or_else(|| panic!("{name} is not seen to"));
        (issuing, failure)
    }

    /// The fingerprint of what is served for a name.
    pub fn served(&self, name: &str) -> Option<String> {
        Some(self.certificates.find(name)?.facts.fingerprint.clone())
    }

    /// Every file of the state directory, with its text.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        walk(self.state.path(), &mut found);
        found
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn open(
    state: &TempDir,
    config: Acme,
    certificates: &Certificates,
    zone: &Zone,
    front: &Front,
    clock: &Arc<TestClock>,
) -> Issuer {
    let options = IssuerOptions {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        names: Arc::new(zone.clone()),
        http_port: front.http,
        https_port: front.https,
        nap: Duration::from_secs(1),
    };
    Issuer::open(&state.path().join("acme"), config, certificates.clone(), options).unwrap()
}

pub fn host(name: &str) -> Hostname {
    name.parse().unwrap()
}

pub fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.to_owned()))
}

/// Looks again and again until it sees something.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1800 {
        if let Some(seen) = look() {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen");
}

fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push((path.clone(), std::fs::read_to_string(&path).unwrap_or_default()));
        }
    }
}

pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
