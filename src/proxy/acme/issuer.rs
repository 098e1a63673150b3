//! Sees to it that the names that are to have a certificate have one: looks where they lead, orders, installs, renews.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::authority::{self, Way};
use super::desk::{Desk, Ours};
use super::fault::Fault;
use super::proof::{Names, Outside, SystemNames};
use super::schedule::{Advice, Outcome, Reach, Validity, brief};
use super::{Tell, renewal};
use crate::store::{StoreError, file};
use crate::tls::{Certificate, Certificates};
use once_app::{
    Acme, CertificateFailure, CertificateFlaw, CertificatePair, CertificateSource, Certified, Clock, Hostname, Issuing,
};

/// Names seen to at once.
const AT_ONCE: usize = 16;

/// Orders under way at once: an authority is not to be flooded after a restart with many new names.
const ORDERS: usize = 4;

/// A clock further from the authority's than this makes certificates look as if they were not valid.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// How often the authority is asked when it would like renewals.
const WINDOWS_EVERY: SignedDuration = SignedDuration::from_hours(6);

/// How the world is reached, and what time it is.
#[derive(Clone)]
pub struct IssuerOptions {
    /// The time. Default: the system's.
    pub clock: Arc<dyn Clock>,
    /// Public names. Default: the system's resolver.
    pub names: Arc<dyn Names>,
    /// The public port for HTTP. Default: 80.
    pub http_port: u16,
    /// The public port for HTTPS. Default: 443.
    pub https_port: u16,
    /// How long the schedule is not looked at, at most: a clock may be set meanwhile. Default: 15 s.
    pub nap: Duration,
}

impl Default for IssuerOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            names: Arc::new(SystemNames),
            http_port: 80,
            https_port: 443,
            nap: Duration::from_secs(15),
        }
    }
}

impl std::fmt::Debug for IssuerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ports = (self.http_port, self.https_port);
        f.debug_struct("IssuerOptions").field("ports", &ports).field("nap", &self.nap).finish_non_exhaustive()
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The one who sees to it. Clones are the same.
#[derive(Clone)]
pub struct Issuer {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) dir: PathBuf,
    certificates: Certificates,
    clock: Arc<dyn Clock>,
    outside: Outside,
    nap: Duration,
    desk: Mutex<Arc<Desk>>,
    ours: Ours,
    /// As the apps want it, whatever the authority gives.
    wanted: Mutex<BTreeSet<Hostname>>,
    /// One at a time for each name.
    turns: Mutex<HashMap<Hostname, Arc<tokio::sync::Mutex<()>>>>,
    orders: Semaphore,
    changed: Notify,
}

impl Issuer {
    /// Opens the directory accounts and schedules are kept in. Blocks on the disk.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub fn open(
        dir: &Path,
        config: Acme,
        certificates: Certificates,
        options: IssuerOptions,
    ) -> Result<Self, StoreError> {
        file::make_dir(dir)?;
        let ours = Ours::new(tokio::sync::RwLock::new(true));
        let desk = Desk::open(dir, config, Arc::clone(&ours))?;
        let IssuerOptions { clock, names, http_port, https_port, nap } = options;
        let outside = Outside { names, http: http_port, https: https_port };
        let inner = Inner {
            dir: dir.to_owned(),
            certificates,
            clock,
            outside,
            nap,
            desk: Mutex::new(Arc::new(desk)),
            ours,
            wanted: Mutex::default(),
            turns: Mutex::default(),
            orders: Semaphore::new(ORDERS),
            changed: Notify::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Replaces the names that are to have a certificate; those that no authority is asked for are left out.
    pub fn want(&self, names: BTreeSet<Hostname>) {
        *lock(&self.inner.wanted) = names;
        self.settle();
    }

    /// Goes to another authority, or to the same one with another account. Blocks on the disk.
    ///
    /// # Errors
    /// Its directory cannot be made or read; all stays as it was.
    pub fn configure(&self, config: Acme) -> Result<(), StoreError> {
        let desk = Desk::open(&self.inner.dir, config, Arc::clone(&self.inner.ours))?;
        desk.schedule(super::schedule::Schedule::forgive);
        *lock(&self.inner.desk) = Arc::new(desk);
        self.settle();
        Ok(())
    }

    /// Another process is about to read the files: when this returns nothing is written any more. Orders that are not on
    /// disk by then are not placed.
    pub async fn let_go(&self) {
        *self.inner.ours.write().await = false;
    }

    /// The other process did not come to it.
    pub async fn take_back(&self) {
        *self.inner.ours.write().await = true;
    }

    /// Looks at once whether something is due.
    pub fn poke(&self) {
        self.inner.changed.notify_one();
    }

    /// How the wanted names stand.
    #[must_use]
    pub fn standing(&self) -> Vec<(Hostname, Issuing, Option<CertificateFailure>)> {
        let views = self.desk().schedule(|schedule| schedule.views(self.now()));
        let failure = |issuing: &Issuing, trouble: super::schedule::Trouble| CertificateFailure {
            at: trouble.at,
            message: trouble.message,
            next_try: issuing.next,
        };
        let shown = views.into_iter().map(|(name, issuing, trouble)| {
            let failure = trouble.map(|trouble| failure(&issuing, trouble));
            (name, issuing, failure)
        });
        shown.collect()
    }

    /// Sees to the names until told to stop; orders under way are broken off then, and counted as if they had failed.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let under_way = Arc::new(Mutex::new(HashSet::new()));
        let mut windows = Timestamp::UNIX_EPOCH;
        while !stop.is_cancelled() {
            let (desk, now) = (self.desk(), self.now());
            if windows <= now {
                windows = now + WINDOWS_EVERY;
                let (certificates, desk, stop) = (self.inner.certificates.clone(), Arc::clone(&desk), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = renewal::ask(&desk, &certificates) => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
            for name in desk.schedule(|schedule| schedule.due(now)) {
                let mut names = lock(&under_way);
                if names.len() >= AT_ONCE || !names.insert(name.clone()) {
                    continue;
                }
                let (issuer, stop, under_way) = (self.clone(), stop.clone(), Arc::clone(&under_way));
                tasks.spawn(async move {
                    tokio::select! {
                        came = issuer.attend(&name, false, &|_| {}) => note(&name, &came),
                        () = stop.cancelled() => {}
                    }
                    lock(&under_way).remove(&name);
                    issuer.inner.changed.notify_one();
                });
            }
            let busy = !lock(&under_way).is_empty();
            let next = desk.schedule(|schedule| schedule.wake());
            let until = next.map_or(self.inner.nap, |next| next.duration_since(now).unsigned_abs().min(self.inner.nap));
            // What is due and under way is due until it has been looked at.
            let pause = if busy { until.max(Duration::from_millis(500)) } else { until.max(Duration::from_millis(20)) };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.inner.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Gets a name's certificate now, where it leads here and there is none that is good.
    pub async fn certify(&self, name: &Hostname, tell: &Tell<'_>) -> Certified {
        if let Err(why) = name.certifiable(self.desk().is_default()) {
            return Certified::NotWanted { why: why.to_string() };
        }
        let came = self.attend(name, true, tell).await;
        note(name, &came);
        came
    }

    /// Whether a name has a good certificate, or could have one. Nothing is ordered, and nothing noted.
    pub async fn look(&self, name: &Hostname) -> Certified {
        let desk = self.desk();
        if let Err(why) = name.certifiable(desk.is_default()) {
            return Certified::NotWanted { why: why.to_string() };
        }
        self.sync(&desk, name);
        if let Some(validity) = desk.schedule(|schedule| schedule.fresh(name, self.now())) {
            return Certified::Kept { not_after: validity.not_after };
        }
        match self.inner.outside.look(name, &self.inner.certificates).await {
            Reach::Here => Certified::Obtainable,
            reach => Certified::Elsewhere { leads: reach.text().unwrap_or_default().to_owned() },
        }
    }

    /// Whether an authority would be asked for a name, and there is no certificate that is good and not to be renewed.
    pub(super) fn lacks(&self, name: &Hostname) -> bool {
        let desk = self.desk();
        self.sync(&desk, name);
        let fresh = desk.schedule(|schedule| schedule.fresh(name, self.now()));
        fresh.is_none() && name.certifiable(desk.is_default()).is_ok()
    }

    /// Shakes hands through the public name and compares what is shown with the certificate there is.
    pub async fn prove(&self, name: &Hostname) -> Certified {
        let failed = |code: &str, message: String| Certified::Failed { code: code.to_owned(), message };
        let Some(ours) = self.inner.certificates.find(name.as_str()) else {
            return failed("no-certificate", "there is no certificate".to_owned());
        };
        match self.inner.outside.shake(name).await {
            Err(why) => failed("no-handshake", format!("no handshake over TLS came about: {why}")),
            Ok(shown) if shown.iter().all(|der| fingerprint(der) == ours.facts.fingerprint) => Certified::Proven,
            Ok(_) => failed(
                "other-certificate",
                "what is shown there is not this proxy's certificate: a CDN or another server ends TLS in front of it"
                    .to_owned(),
            ),
        }
    }

    /// `in_person`: somebody waits, and is not kept by a back-off.
    async fn attend(&self, name: &Hostname, in_person: bool, tell: &Tell<'_>) -> Certified {
        let turn = Arc::clone(lock(&self.inner.turns).entry(name.clone()).or_default());
        let _turn = turn.lock().await;
        let (desk, now) = (self.desk(), self.now());
        self.sync(&desk, name);
        if let Some(validity) = desk.schedule(|schedule| schedule.fresh(name, now)) {
            return Certified::Kept { not_after: validity.not_after };
        }
        tell(format!("asking for this proxy through http://{name}"));
        let reach = self.inner.outside.look(name, &self.inner.certificates).await;
        let leads = reach.text().map(str::to_owned);
        let advice = desk.schedule(|schedule| schedule.looked(name, now, reach.clone()));
        if reach != Reach::Here && (in_person || advice == Advice::Wait) {
            return Certified::Elsewhere { leads: leads.unwrap_or_default() };
        }
        let Ok(_room) = self.inner.orders.acquire().await else {
            return Certified::Elsewhere { leads: "the proxy is ending".to_owned() };
        };
        match self.order(&desk, name, tell).await {
            Ok(validity) => Certified::Obtained { not_after: validity.not_after },
            Err(fault) => Certified::Failed { code: fault.code.to_owned(), message: fault.message },
        }
    }

    /// By HTTP-01, and where that does not convince by TLS-ALPN-01.
    async fn order(&self, desk: &Desk, name: &Hostname, tell: &Tell<'_>) -> Result<Validity, Fault> {
        let mut unconvinced: Option<Fault> = None;
        let mut way = Way::Http;
        let mut again = true;
        loop {
            let opened = desk.account(self.now(), tell).await;
            let opened = opened.and_then(|(account, transport)| match transport.seen().ahead {
                Some(ahead) => self.check_clock(ahead).map(|()| (account, transport)),
                None => Ok((account, transport)),
            });
            let (account, transport) = match opened {
                Ok(opened) => opened,
                Err(fault) => {
                    desk.failed_before(name, self.now(), &fault).await;
                    return Err(fault);
                }
            };
            if let Err(fault) = desk.begin(name, self.now()).await {
                // The word of the authority says more than that there will be no other try for now.
                let fault = unconvinced.unwrap_or(fault);
                desk.refused(name, self.now(), &fault).await;
                return Err(fault);
            }
            tell(format!("ordering a certificate, proven by {}", way.word()));
            let certificates = &self.inner.certificates;
            let ordered = match authority::order(&account, &transport, certificates, name, way).await {
                Ok(pair) => self.install(name, pair).await,
                Err(fault) => Err(fault),
            };
            let now = self.now();
            match ordered {
                Ok(validity) => {
                    desk.ended(name, now, &Outcome::Issued(validity), None).await;
                    return Ok(validity);
                }
                Err(fault) if fault.account_gone && again => {
                    desk.ended(name, now, &Outcome::Unreachable, None).await;
                    desk.forget_account(&fault, tell)?;
                    again = false;
                }
                Err(fault) if fault.outcome == Outcome::NotValidated && way == Way::Http => {
                    desk.ended(name, now, &fault.outcome, Some(&fault)).await;
                    tell(format!("{}; trying TLS-ALPN-01", fault.message));
                    unconvinced = Some(fault);
                    way = Way::TlsAlpn;
                }
                Err(mut fault) => {
                    if let Some(first) = unconvinced.filter(|_| fault.outcome == Outcome::NotValidated) {
                        fault.message = format!("{}; by {}: {}", first.message, way.word(), fault.message);
                    }
                    desk.ended(name, now, &fault.outcome, Some(&fault)).await;
                    return Err(fault);
                }
            }
        }
    }

    fn check_clock(&self, ahead_of_system: SignedDuration) -> Result<(), Fault> {
        // What was seen is measured with the system's clock, what counts is ours.
        let ahead = ahead_of_system + Timestamp::now().duration_since(self.now());
        if ahead.abs() <= SKEW {
            return Ok(());
        }
        let (theirs, ours) = (brief(self.now() + ahead), brief(self.now()));
        let message = format!(
            "this machine's clock says {ours}, the authority's {theirs}: certificates would look invalid; set the clock"
        );
        Err(Fault::new("clock-skew", message, Outcome::Failed))
    }

    /// What is of no use by our own clock is not taken, and what was served is served on.
    async fn install(&self, name: &Hostname, pair: CertificatePair) -> Result<Validity, Fault> {
        let (certificates, names, now) = (self.inner.certificates.clone(), [name.clone()], self.now());
        let unusable = |code, message| Err(Fault::new(code, message, Outcome::Unusable));
        let facts = match certificates.check(&names, &pair, now) {
            Ok(facts) => facts,
            Err(CertificateFlaw::NotYet { at }) => {
                let (at, now) = (brief(at), brief(now));
                return unusable("clock-skew", format!("the new certificate is valid from {at}, and here it is {now}"));
            }
            Err(CertificateFlaw::Expired { at }) => {
                let (at, now) = (brief(at), brief(now));
                return unusable("clock-skew", format!("the new certificate ended at {at}, and here it is {now}"));
            }
            Err(flaw) => return unusable("rejected", format!("the authority's certificate cannot be used: {flaw}")),
        };
        let installing = move || certificates.install(&names, &pair, CertificateSource::Acme).map(drop);
        match tokio::task::spawn_blocking(installing).await {
            Ok(Ok(())) => Ok(Validity { not_before: facts.not_before, not_after: facts.not_after }),
            Ok(Err(error)) => unusable("storage", format!("the new certificate cannot be kept: {error}")),
            Err(error) => unusable("storage", format!("the new certificate cannot be kept: {error}")),
        }
    }

    /// What the names are to be, by the authority of now.
    fn settle(&self) {
        let desk = self.desk();
        let public = desk.is_default();
        let names: BTreeSet<Hostname> =
            lock(&self.inner.wanted).iter().filter(|name| name.certifiable(public).is_ok()).cloned().collect();
        desk.schedule(|schedule| schedule.want(names.clone()));
        for name in &names {
            self.sync(&desk, name);
        }
        self.poke();
    }

    /// The store is the truth of which certificate there is.
    fn sync(&self, desk: &Desk, name: &Hostname) {
        let found = self.inner.certificates.find(name.as_str());
        let ours = found.as_ref().is_none_or(|c| c.facts.source == CertificateSource::Acme);
        desk.schedule(|schedule| schedule.found(name, found.map(|c| validity(&c)), ours));
    }

    fn desk(&self) -> Arc<Desk> {
        Arc::clone(&lock(&self.inner.desk))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn validity(certificate: &Certificate) -> Validity {
    Validity { not_before: certificate.facts.not_before, not_after: certificate.facts.not_after }
}

fn fingerprint(der: &[u8]) -> String {
    Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For the proxy's own log.
fn note(name: &Hostname, came: &Certified) {
    match came {
        Certified::Obtained { not_after } => tracing::info!(%name, %not_after, "a certificate was obtained"),
        Certified::Failed { code, message } => tracing::warn!(%name, code, "no certificate: {message}"),
        other => tracing::debug!(%name, ?other, "looked at a name"),
    }
}
