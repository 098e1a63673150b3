//! Certificates as the rest of the house knows them: what is shown of one, and why one was turned down.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hostname::Hostname;
use super::issuing::{Issuing, IssuingState};
use crate::settings::Secret;

/// A certificate somebody brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificatePair {
    /// PEM: the certificate itself, then those that lead to its root.
    pub chain: String,
    /// PEM: its private key.
    pub key: Secret,
}

/// A certificate, and for which names it is to be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateOffer {
    /// The names.
    pub names: Vec<Hostname>,
    /// The certificate.
    pub pair: CertificatePair,
    /// Where it comes from: one of an authority is renewed when it is time.
    #[serde(default = "custom", skip_serializing_if = "is_custom")]
    pub source: CertificateSource,
}

fn custom() -> CertificateSource {
    CertificateSource::Custom
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_custom(source: &CertificateSource) -> bool {
    *source == CertificateSource::Custom
}

/// An account at an authority that another program made, to go on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountOffer {
    /// The address of the authority's directory.
    pub directory: String,
    /// PEM: its private key, ECDSA P-256.
    pub key: Secret,
}

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateSource {
    /// Obtained and renewed by the proxy.
    Acme,
    /// Given with `--tls-cert` and `--tls-key`.
    Custom,
}

impl fmt::Display for CertificateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Acme => "acme",
            Self::Custom => "custom",
        })
    }
}

/// What a certificate says, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// The names it holds for, as it says them: hostnames, wildcards, addresses.
    pub names: Vec<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// Who signed it. Untrusted text.
    pub issuer: String,
    /// Where it comes from.
    pub source: CertificateSource,
    /// When it was installed.
    pub obtained_at: Timestamp,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint: String,
}

/// The last try to get a certificate, which failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFailure {
    /// When.
    pub at: Timestamp,
    /// Why, in one sentence. May quote an authority.
    pub message: String,
    /// When it is tried again; `None`: not by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_try: Option<Timestamp>,
}

/// How a name is served over TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// The name.
    pub name: Hostname,
    /// What clients get; `None`: there is none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFacts>,
    /// Set while the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<CertificateFailure>,
    /// How the getting of one from the authority stands; `None`: none is got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuing: Option<Issuing>,
}

impl CertificateView {
    /// How it stands, of whatever source.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> IssuingState {
        let good = self.certificate.as_ref().map(|facts| now < facts.not_after);
        match (good, &self.issuing) {
            (Some(true), _) => IssuingState::Valid,
            (_, Some(issuing)) => issuing.state,
            (Some(false), None) => IssuingState::Expired,
            (None, None) => IssuingState::Pending,
        }
    }
}

/// Why a certificate was turned down. The text reads after "the certificate cannot be used: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "flaw")]
pub enum CertificateFlaw {
    /// No PEM section of that kind.
    #[error("the certificate file holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// The base64 or the frame around it is damaged.
    #[error("the certificate file is damaged: {why}")]
    Damaged {
        /// What could not be read.
        why: String,
    },
    /// A certificate in the file is none.
    #[error("the {}{} certificate in the file cannot be read: {why}", .at, ordinal(*.at))]
    Unreadable {
        /// Which: 1, 2, 3 …
        at: usize,
        /// The parser's words.
        why: String,
    },
    /// No PEM section of that kind.
    #[error("the key file holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey,
    /// Needs a pass phrase.
    #[error("the private key is encrypted; give it without a pass phrase")]
    EncryptedKey,
    /// The key is damaged, or of a kind that is not known.
    #[error("the private key cannot be used: {why}; RSA of 2048 bits and more, ECDSA P-256, P-384 and Ed25519 can")]
    KeyUnusable {
        /// The library's words.
        why: String,
    },
    /// The key belongs to another certificate.
    #[error("the private key does not belong to this certificate")]
    KeyMismatch,
    /// The key belongs to a later certificate of the file.
    #[error("the private key belongs to the {}{} certificate in the file; that one has to be the first", .at, ordinal(*.at))]
    WrongOrder {
        /// Which: 2, 3 …
        at: usize,
    },
    /// Names that are to be served are not in it.
    #[error("it does not hold for {}; it holds for {}", listed(.missing), listed(.names))]
    Uncovered {
        /// Names it would be served for.
        missing: Vec<String>,
        /// Names it holds for.
        names: Vec<String>,
    },
    /// It is over.
    #[error("it expired on {at}")]
    Expired {
        /// Its end.
        at: Timestamp,
    },
    /// It has not begun.
    #[error("it is not valid before {at}")]
    NotYet {
        /// Its beginning.
        at: Timestamp,
    },
}

fn ordinal(at: usize) -> &'static str {
    match (at % 10, at % 100) {
        (1, not) if not != 11 => "st",
        (2, not) if not != 12 => "nd",
        (3, not) if not != 13 => "rd",
        _ => "th",
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

/// What handshakes for a name are answered with: its own certificate, else that of the wildcard above it.
pub(crate) fn served<'a>(host: &Hostname, all: &'a [CertificateView]) -> Option<&'a CertificateFacts> {
    let of = |name: &str| all.iter().find(|view| view.name.as_str() == name)?.certificate.as_ref();
    of(host.as_str()).or_else(|| of(&format!("*.{}", host.as_str().split_once('.')?.1)))
}
