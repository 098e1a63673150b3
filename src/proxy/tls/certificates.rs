//! Which name has which certificate.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::challenges::Challenges;
use super::demand::{Flight, OnDemand};
use super::files::{CertificateFiles, Entry, Found};
use super::pair::Pair;
use crate::store::StoreError;
use once_app::{
    CertificateFacts, CertificateFailure, CertificateFlaw, CertificatePair, CertificateSource, CertificateView,
    Hostname,
};

/// The certificates of this host. Clones are the same. Readers never wait; what writes blocks on the disk.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// By the names they are served for; lower-case.
    by_name: ArcSwap<HashMap<String, Arc<Certificate>>>,
    /// `None`: they are kept in memory only. Also orders those who change `by_name`.
    files: Mutex<Option<CertificateFiles>>,
    failures: Mutex<BTreeMap<Hostname, CertificateFailure>>,
    challenges: Challenges,
    /// Who sees to names that have none, while there is anybody.
    on_demand: Mutex<Option<Weak<dyn OnDemand>>>,
}

/// A certificate with its key, ready to be served.
#[derive(Debug)]
pub struct Certificate {
    /// What it says.
    pub facts: CertificateFacts,
    /// Chain and key.
    pub key: Arc<CertifiedKey>,
    /// From then on it is time for another one.
    ageing_at: Timestamp,
}

impl Certificate {
    fn new(pair: Pair, source: CertificateSource, obtained_at: Timestamp) -> Arc<Self> {
        let Pair { key, names, not_before, not_after, issuer, fingerprint } = pair;
        let ageing_at = not_before + not_after.duration_since(not_before).mul_f64(2.0 / 3.0);
        let facts = CertificateFacts { names, not_before, not_after, issuer, source, obtained_at, fingerprint };
        Arc::new(Self { facts, key, ageing_at })
    }

    /// Whether an authority gave it, and it is time for another one.
    pub(super) fn is_ageing(&self, now: Timestamp) -> bool {
        self.ageing_at <= now && self.facts.source == CertificateSource::Acme
    }
}

/// Why a certificate was not installed; the one before is still served.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It is not fit for it.
    #[error("the certificate cannot be used: {0}")]
    Flaw(#[from] CertificateFlaw),
    /// It could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Certificates {
    /// Reads a directory, making it where it is missing, and keeps there what is installed from now on. What cannot be
    /// read costs its own name only: file names and why. To be called once, by whoever holds the state directory's lock.
    ///
    /// # Errors
    /// The directory itself cannot be read or written.
    pub fn load(&self, dir: &Path) -> Result<Vec<(String, String)>, StoreError> {
        let mut files = self.shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        let (opened, Found { entries, set_aside }) = CertificateFiles::open(dir)?;
        let mut by_name = HashMap::clone(&self.shared.by_name.load());
        for (entry, pair) in entries {
            by_name.insert(entry.name.to_string(), Certificate::new(pair, entry.source, entry.obtained_at));
        }
        self.shared.by_name.store(Arc::new(by_name));
        *files = Some(opened);
        Ok(set_aside)
    }

    /// Serves a certificate for these names from now on, in place of what was served for them. It is on disk when this
    /// returns. Key and names are checked, dates are not. A failure noted for one of the names is over.
    ///
    /// # Errors
    /// As [`InstallError`]; where the disk fails half-way, some of the names have the new one.
    pub fn install(
        &self,
        names: &[Hostname],
        offered: &CertificatePair,
        source: CertificateSource,
    ) -> Result<Arc<Certificate>, InstallError> {
        let pair = Pair::parse(&offered.chain, offered.key.expose())?;
        uncovered(&pair, names)?;
        let files = self.shared.files.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now();
        let certificate = Certificate::new(pair, source, now);
        for name in names {
            if let Some(files) = &*files {
                files.write(&Entry::new(name.clone(), source, now, &offered.chain, &offered.key))?;
            }
            let mut by_name = HashMap::clone(&self.shared.by_name.load());
            by_name.insert(name.to_string(), Arc::clone(&certificate));
            self.shared.by_name.store(Arc::new(by_name));
            self.clear_failure(name);
        }
        Ok(certificate)
    }

    /// Whether a certificate can be served for these names now; `Ok` are its facts.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(
        &self,
        names: &[Hostname],
        offered: &CertificatePair,
        now: Timestamp,
    ) -> Result<CertificateFacts, CertificateFlaw> {
        let pair = Pair::parse(&offered.chain, offered.key.expose())?;
        uncovered(&pair, names)?;
        if pair.not_after <= now {
            return Err(CertificateFlaw::Expired { at: pair.not_after });
        }
        if pair.not_before > now {
            return Err(CertificateFlaw::NotYet { at: pair.not_before });
        }
        Ok(Certificate::new(pair, CertificateSource::Custom, now).facts.clone())
    }

    /// What is served for a name, in lower case and without final dot: its own certificate, else that of the wildcard
    /// above it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Arc<Certificate>> {
        let by_name = self.shared.by_name.load();
        if let Some(certificate) = by_name.get(name) {
            return Some(Arc::clone(certificate));
        }
        let (_, parent) = name.split_once('.')?;
        by_name.get(format!("*.{parent}").as_str()).cloned()
    }

    /// Every name that has a certificate or a failure, sorted.
    #[must_use]
    pub fn all(&self) -> Vec<CertificateView> {
        let by_name = self.shared.by_name.load();
        let failures = self.failures().clone();
        let parsed = by_name.keys().filter_map(|name| name.parse::<Hostname>().ok());
        let names: BTreeSet<Hostname> = parsed.chain(failures.keys().cloned()).collect();
        let view = |name: Hostname| CertificateView {
            certificate: by_name.get(name.as_str()).map(|certificate| certificate.facts.clone()),
            last_error: failures.get(&name).cloned(),
            issuing: None,
            name,
        };
        names.into_iter().map(view).collect()
    }

    /// Notes why a name has no new certificate; kept in memory until one is installed.
    pub fn set_failure(&self, name: &Hostname, failure: CertificateFailure) {
        self.failures().insert(name.clone(), failure);
    }

    /// Takes the note away.
    pub fn clear_failure(&self, name: &Hostname) {
        self.failures().remove(name);
    }

    /// Answers the path of HTTP-01 for this token, on every plain listener and before any routing.
    pub fn set_http_challenge(&self, token: &str, key_authorization: &str) {
        self.shared.challenges.set_http(token, key_authorization);
    }

    /// No longer.
    pub fn clear_http_challenge(&self, token: &str) {
        self.shared.challenges.clear_http(token);
    }

    /// What to answer at a path, if a challenge of that token is under way.
    #[must_use]
    pub fn http_challenge(&self, path: &str) -> Option<String> {
        self.shared.challenges.http(path)
    }

    /// Serves a certificate of TLS-ALPN-01 for a name, to clients that offer `acme-tls/1` and nothing else.
    pub fn set_alpn_challenge(&self, name: &Hostname, key: &Arc<CertifiedKey>) {
        self.shared.challenges.set_alpn(name.as_str(), key);
    }

    /// No longer.
    pub fn clear_alpn_challenge(&self, name: &Hostname) {
        self.shared.challenges.clear_alpn(name.as_str());
    }

    /// The certificate of a challenge under way; the name in lower case.
    #[must_use]
    pub fn alpn_challenge(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        self.shared.challenges.alpn(name)
    }

    /// Who sees to names that have no certificate from now on.
    pub(crate) fn set_on_demand(&self, who: Weak<dyn OnDemand>) {
        *self.shared.on_demand.lock().unwrap_or_else(PoisonError::into_inner) = Some(who);
    }

    /// Begins to get the certificate of a name that no app was given, as [`OnDemand::begin`].
    pub(super) fn demand(&self, name: &str) -> Option<Flight> {
        let who = self.shared.on_demand.lock().unwrap_or_else(PoisonError::into_inner).clone();
        who?.upgrade()?.begin(name)
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, BTreeMap<Hostname, CertificateFailure>> {
        self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uncovered(pair: &Pair, names: &[Hostname]) -> Result<(), CertificateFlaw> {
    let missing: Vec<String> = pair.uncovered(names).into_iter().map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(CertificateFlaw::Uncovered { missing, names: pair.names.clone() })
}

/// A name as it is looked up: lower-case, without final dot.
pub(super) fn fold(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(&fold(hello.server_name()?)).map(|certificate| Arc::clone(&certificate.key))
    }
}
