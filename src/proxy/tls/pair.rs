//! A chain and its key, checked: what a TLS server can work with.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::InconsistentKeys;
use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use once_app::{CertificateFlaw, Hostname};

/// The longest issuer that is shown.
const ISSUER: usize = 120;

/// A chain and its key that belong together.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Vec<String>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) issuer: String,
    pub(super) fingerprint: String,
}

impl Pair {
    /// From PEM. Dates and names are not looked at.
    pub(super) fn parse(chain: &str, key: &str) -> Result<Self, CertificateFlaw> {
        let chain = certificates(chain)?;
        let mut parsed = Vec::new();
        for (at, der) in (1..).zip(&chain) {
            let unreadable = |why: String| CertificateFlaw::Unreadable { at, why };
            parsed.push(X509Certificate::from_der(der).map_err(|e| unreadable(e.to_string()))?.1);
        }
        let Some(leaf) = parsed.first() else { return Err(CertificateFlaw::NoCertificate) };
        let date = |time: x509_parser::time::ASN1Time| {
            let unreadable = |why: String| CertificateFlaw::Unreadable { at: 1, why };
            Timestamp::from_second(time.timestamp()).map_err(|e| unreadable(e.to_string()))
        };
        let (not_before, not_after) = (date(leaf.validity().not_before)?, date(leaf.validity().not_after)?);
        let (names, issuer) = (names(leaf), issuer(leaf));
        drop(parsed);
        let fingerprint = chain.first().map(|leaf| hex(&Sha256::digest(leaf))).unwrap_or_default();
        Ok(Self { key: certified(chain, key)?, names, not_before, not_after, issuer, fingerprint })
    }

    /// Those of `wanted` that it does not hold for.
    pub(super) fn uncovered<'a>(&self, wanted: &'a [Hostname]) -> Vec<&'a Hostname> {
        wanted.iter().filter(|name| !covers(&self.names, name)).collect()
    }
}

/// Whether a certificate with these names holds for a host: literally, or by a wildcard for its first label.
pub(super) fn covers(names: &[String], host: &Hostname) -> bool {
    let wildcard = match host.address() {
        None if !host.is_wildcard() => host.as_str().split_once('.').map(|(_, parent)| parent),
        _ => None,
    };
    names.iter().any(|name| {
        name == host.as_str() || wildcard.is_some_and(|parent| name.strip_prefix("*.").is_some_and(|n| n == parent))
    })
}

fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, CertificateFlaw> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if found.is_empty() => Err(CertificateFlaw::NoCertificate),
        Ok(found) => Ok(found),
        Err(error) => Err(CertificateFlaw::Damaged { why: error.to_string() }),
    }
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<Arc<CertifiedKey>, CertificateFlaw> {
    let key = match PrivateKeyDer::from_pem_slice(key.as_bytes()) {
        Ok(key) => key,
        Err(_) if key.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") => return Err(CertificateFlaw::EncryptedKey),
        Err(pem::Error::NoItemsFound) => return Err(CertificateFlaw::NoKey),
        Err(error) => return Err(CertificateFlaw::KeyUnusable { why: error.to_string() }),
    };
    let unusable = |error: rustls::Error| CertificateFlaw::KeyUnusable { why: error.to_string() };
    let key = ring::sign::any_supported_type(&key).map_err(unusable)?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(mismatch(&certified)),
        Err(error) => Err(CertificateFlaw::Unreadable { at: 1, why: error.to_string() }),
    }
}

/// People put the chain's certificates in any order.
fn mismatch(certified: &CertifiedKey) -> CertificateFlaw {
    let belongs = |der: &CertificateDer<'static>| {
        CertifiedKey::new(vec![der.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
    };
    match certified.cert.iter().position(belongs) {
        Some(at) => CertificateFlaw::WrongOrder { at: at + 1 },
        None => CertificateFlaw::KeyMismatch,
    }
}

/// The alternative names; the subject's own is looked at by no client any more.
fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|a| a.to_string()),
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(text).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    }
}

fn issuer(leaf: &X509Certificate<'_>) -> String {
    let of = leaf.issuer();
    let named = of.iter_common_name().chain(of.iter_organization()).find_map(|name| name.as_str().ok());
    named.map_or_else(|| of.to_string(), str::to_owned).chars().filter(|c| !c.is_control()).take(ISSUER).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
