//! Certificates from an authority: for which hostnames it is asked, how that stands, and what a change wants of it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::hostname::Hostname;

/// Why no authority is asked for a hostname. The text reads after "`x` gets no certificate: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificate {
    /// `localhost`, `*.localhost`, an address.
    #[error("no authority vouches for local names and addresses")]
    Local,
    /// One label, or a top-level domain that is kept out of the public DNS.
    #[error("it is no name of the public internet")]
    Reserved,
    /// `*.example.com` needs DNS-01, which takes the keys of a DNS zone.
    #[error("a wildcard needs a certificate of your own")]
    Wildcard,
}

/// Top-level domains that are kept out of the public DNS (RFC 2606, 6761, 6762, 7686, 8375, ICANN's `internal`, and
/// those that home routers and companies use).
const RESERVED: [&str; 13] = [
    "test",
    "example",
    "invalid",
    "localhost",
    "local",
    "onion",
    "alt",
    "internal",
    "intranet",
    "home",
    "lan",
    "corp",
    "localdomain",
];

impl Hostname {
    /// Whether an authority is asked for this name. `public`: the authority is one of the internet's; one of the
    /// operator's own may know names that the internet does not.
    ///
    /// # Errors
    /// Why not.
    pub fn certifiable(&self, public: bool) -> Result<(), NoCertificate> {
        if self.is_local() {
            return Err(NoCertificate::Local);
        }
        if self.is_wildcard() {
            return Err(NoCertificate::Wildcard);
        }
        let last = self.as_str().rsplit_once('.').map(|(_, last)| last);
        let reserved = last.is_none_or(|last| RESERVED.contains(&last)) || self.as_str().ends_with(".home.arpa");
        if public && reserved { Err(NoCertificate::Reserved) } else { Ok(()) }
    }
}

/// How the getting of a hostname's certificate stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuing {
    /// In one word.
    pub state: IssuingState,
    /// When something is next done about it: looked whether the name leads here, tried again, or renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// Where the name led at the last look, while it does not lead here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leads: Option<String>,
    /// What kind of thing went wrong last, until something goes well. Stable, for scripts: `authority-unreachable`,
    /// `rate-limited`, `budget`, `not-validated`, `account`, `rejected`, `clock-skew`, `storage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// How it stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuingState {
    /// There is a certificate, and it is good.
    Valid,
    /// There is none yet: it was not looked at.
    Pending,
    /// There is none yet: the name does not lead to this proxy.
    Waiting,
    /// There is none yet, or it ran out, and the last try failed.
    Failing,
    /// There was one, and it ran out.
    Expired,
}

impl fmt::Display for IssuingState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Valid => "valid",
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Failing => "failing",
            Self::Expired => "expired",
        })
    }
}

/// A wish for certificates during a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifyRequest {
    /// For which hostnames.
    pub hosts: Vec<Hostname>,
    /// What is asked.
    pub ask: CertifyAsk,
}

/// What is asked about certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertifyAsk {
    /// Get them, where the name leads to this proxy and there is none that is good.
    Obtain,
    /// Shake hands through the public name, and look at what is served there.
    Prove,
    /// Say whether there is one, or the name leads to this proxy, so that one could be had. Changes nothing.
    Look,
}

/// What came of it, one hostname at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifyAnswer {
    /// Of which hostname.
    pub host: Hostname,
    /// What.
    pub came: Certified,
}

/// What came of a wish for one certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "came")]
pub enum Certified {
    /// It goes on: in words.
    Progress {
        /// What is being done.
        text: String,
    },
    /// There was a good one.
    Kept {
        /// Until when it is valid.
        not_after: Timestamp,
    },
    /// It was obtained.
    Obtained {
        /// Until when it is valid.
        not_after: Timestamp,
    },
    /// There is none that is good, and the name leads to this proxy: one may be had.
    Obtainable,
    /// The name does not lead to this proxy yet.
    Elsewhere {
        /// Where it leads, in words.
        leads: String,
    },
    /// The handshake through the public name got the certificate that this proxy has.
    Proven,
    /// It was not obtained, or what is served is not it.
    Failed {
        /// Stable, as in [`Issuing::code`], and `other-certificate`, `no-handshake`.
        code: String,
        /// In words.
        message: String,
    },
    /// No authority is asked for this name.
    NotWanted {
        /// Why.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(host: &str, public: bool) -> Result<(), NoCertificate> {
        host.parse::<Hostname>().unwrap().certifiable(public)
    }

    #[test]
    fn the_internets_authorities_are_asked_for_names_of_the_internet_only() {
        assert_eq!(asked("shop.example.com", true), Ok(()));
        assert_eq!(asked("xn--bcher-kva.de", true), Ok(()));
        for local in ["localhost", "shop.localhost", "10.0.0.1", "::1"] {
            assert_eq!(asked(local, true), Err(NoCertificate::Local), "{local}");
            assert_eq!(asked(local, false), Err(NoCertificate::Local), "{local}");
        }
        for reserved in ["shop", "shop.test", "a.b.internal", "nas.local", "box.lan", "tv.home.arpa"] {
            assert_eq!(asked(reserved, true), Err(NoCertificate::Reserved), "{reserved}");
            assert_eq!(asked(reserved, false), Ok(()), "{reserved}");
        }
        assert_eq!(asked("*.example.com", true), Err(NoCertificate::Wildcard));
        assert_eq!(asked("*.example.com", false), Err(NoCertificate::Wildcard));
    }
}
