//! What the proxy does with an app's requests on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cidr::Cidr;
use super::env::Secret;
use super::words::{Switch, Upstream};
use crate::model::hostname::Hostname;
use crate::model::units::{ByteSize, Port, Span, UrlPath};
use crate::settings::field::Field;

/// Settings of the way between visitor and app. The proxy's own defaults hold for what is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Web {
    /// The app does not see its path prefix.
    #[serde(skip_serializing_if = "is_off")]
    pub strip_prefix: bool,
    /// Requests for the app's other hostnames are redirected to this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_host: Option<Hostname>,
    /// Gets the requests for hostnames nobody serves; one app of an installation at most.
    #[serde(skip_serializing_if = "is_off")]
    pub default_app: bool,
    /// HTTP is redirected to HTTPS once there is a certificate.
    #[serde(skip_serializing_if = "is_on")]
    pub tls_redirect: bool,
    /// `Strict-Transport-Security` with this `max-age`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsts: Option<MaxAge>,
    /// Certificates for names that are not known beforehand, where this says yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_on_demand: Option<AskUrl>,
    /// What the app is spoken to in.
    #[serde(skip_serializing_if = "is_http1")]
    pub upstream: Upstream,
    /// From a request's last byte to the head of the answer; then 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_timeout: Option<Span>,
    /// Larger bodies of requests are turned down with 413.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body: Option<ByteSize>,
    /// Users and their passwords; empty: everybody is let in.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub basic_auth: BTreeMap<UserName, Secret>,
    /// Where clients may come from; empty: from everywhere.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub allow_ip: BTreeSet<Cidr>,
    /// Requests that one client address may make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Answers are compressed where the client takes it and it is of use.
    #[serde(skip_serializing_if = "is_off")]
    pub compress: bool,
}

fn is_off(on: &bool) -> bool {
    !on
}

fn is_on(on: &bool) -> bool {
    *on
}

fn is_http1(upstream: &Upstream) -> bool {
    *upstream == Upstream::Http1
}

impl Default for Web {
    fn default() -> Self {
        Self {
            strip_prefix: false,
            canonical_host: None,
            default_app: false,
            tls_redirect: true,
            hsts: None,
            tls_on_demand: None,
            upstream: Upstream::default(),
            response_timeout: None,
            max_body: None,
            basic_auth: BTreeMap::new(),
            allow_ip: BTreeSet::new(),
            rate_limit: None,
            compress: false,
        }
    }
}

impl Web {
    /// Whether nothing was said about any of it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self == &Self::default()
    }

    /// A single setting as it is typed; `None`: it has its default, has entries, or is not among these.
    #[must_use]
    pub fn text(&self, field: Field) -> Option<String> {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        fn differs(on: bool, default: bool) -> Option<String> {
            (on != default).then(|| Switch::from(on).to_string())
        }
        match field {
            Field::StripPrefix => differs(self.strip_prefix, false),
            Field::CanonicalHost => text(self.canonical_host.as_ref()),
            Field::DefaultApp => differs(self.default_app, false),
            Field::TlsRedirect => differs(self.tls_redirect, true),
            Field::Hsts => text(self.hsts.as_ref()),
            Field::TlsOnDemand => text(self.tls_on_demand.as_ref()),
            Field::Upstream => (self.upstream != Upstream::default()).then(|| self.upstream.to_string()),
            Field::ResponseTimeout => text(self.response_timeout.as_ref()),
            Field::MaxBody => text(self.max_body.as_ref()),
            Field::RateLimit => text(self.rate_limit.as_ref()),
            Field::Compress => differs(self.compress, false),
            _ => None,
        }
    }
}

/// Why one of the values was turned down. The text reads after "invalid value `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// Not a rate.
    #[error("a rate is a number of requests per second from 1 to 1000000, as in `100` or `100/s`")]
    Rate,
    /// Not an age.
    #[error("an age is a number with `s`, `m`, `h`, `d` or `w`, as in `365d`, and at most 10 years")]
    Age,
    /// Neither a path nor a URL.
    #[error("it must be a path of the app, as in `/tls/ask`, or a URL that starts with http:// or https://")]
    Ask,
    /// Not a user's name.
    #[error("a user's name has 1 to 64 characters, none of them `:`, `=`, a space or a control character")]
    User,
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = WebError;
            fn try_from(text: String) -> Result<Self, WebError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}
as_text! { RateLimit MaxAge AskUrl UserName }

/// Requests per second, 1 to 1,000,000; written `100/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RateLimit(NonZeroU32);

impl RateLimit {
    /// Requests per second.
    #[must_use]
    pub const fn per_second(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl FromStr for RateLimit {
    type Err = WebError;

    fn from_str(text: &str) -> Result<Self, WebError> {
        let number = text.strip_suffix("/s").unwrap_or(text);
        let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let rate = digits.then(|| number.parse().ok()).flatten().filter(|n: &NonZeroU32| n.get() <= 1_000_000);
        rate.map(Self).ok_or(WebError::Rate)
    }
}

/// How long something stays known to browsers, in seconds; written `365d`. At most 10 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MaxAge(u64);

impl MaxAge {
    const MAX: u64 = 10 * 365 * 24 * 3600;

    /// As std's duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl fmt::Display for MaxAge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s > 0 && s.is_multiple_of(86_400) => write!(f, "{}d", s / 86_400),
            s if s > 0 && s.is_multiple_of(3600) => write!(f, "{}h", s / 3600),
            s => write!(f, "{s}s"),
        }
    }
}

impl FromStr for MaxAge {
    type Err = WebError;

    fn from_str(text: &str) -> Result<Self, WebError> {
        let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(at);
        let factor: u64 = match unit {
            "" | "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(WebError::Age),
        };
        let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).filter(|s| *s <= Self::MAX);
        seconds.map(Self).ok_or(WebError::Age)
    }
}

/// Whom to ask whether a name may have a certificate: the app itself below a path, or any URL. The name is added as
/// `?domain=`; a 2xx is a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AskUrl {
    /// A path of the app.
    Path(UrlPath),
    /// `http://` or `https://`, without user, query and fragment.
    Url(String),
}

impl fmt::Display for AskUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

impl FromStr for AskUrl {
    type Err = WebError;

    fn from_str(text: &str) -> Result<Self, WebError> {
        if text.starts_with('/') {
            return text.parse().map(Self::Path).map_err(|_| WebError::Ask);
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(WebError::Ask)?;
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let fine = is_authority(authority) && path.parse::<UrlPath>().is_ok();
        if fine { Ok(Self::Url(text.to_owned())) } else { Err(WebError::Ask) }
    }
}

/// A name or an address, IPv6 in brackets, and a port if need be.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fine = match address {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.contains(|c: char| c == ':' || c.is_whitespace())
                && host.parse::<Hostname>().is_ok_and(|name| !name.is_wildcard())
        }
    };
    fine && port.is_none_or(|port| port.parse::<Port>().is_ok())
}

/// Who may log in: 1 to 64 characters, no `:`, `=`, space or control character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for UserName {
    type Err = WebError;

    fn from_str(text: &str) -> Result<Self, WebError> {
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, ':' | '=');
        let fine = (1..=64).contains(&text.chars().count()) && text.chars().all(plain);
        if fine { Ok(Self(text.to_owned())) } else { Err(WebError::User) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, rate) in [("100", 100), ("100/s", 100), ("1", 1), ("1000000/s", 1_000_000)] {
            let parsed: RateLimit = text.parse().unwrap();
            assert_eq!(parsed.per_second(), rate);
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in ["", "0", "1000001", "-1", "+1", "1.5", "10/m", "/s", "10 /s", "99999999999"] {
            assert_eq!(text.parse::<RateLimit>(), Err(WebError::Rate), "{text}");
        }
    }

    #[test]
    fn ages() {
        for (text, shown) in [("365d", "365d"), ("1w", "7d"), ("90", "90s"), ("36h", "36h"), ("0", "0s"), ("60m", "1h")]
        {
            let parsed: MaxAge = text.parse().unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(shown.parse(), Ok(parsed));
        }
        for text in ["", "d", "1y", "1.5d", "-1d", "11000d", "99999999999999999999w", "1 d"] {
            assert_eq!(text.parse::<MaxAge>(), Err(WebError::Age), "{text}");
        }
    }

    #[test]
    fn whom_to_ask() {
        assert_eq!("/tls/ask".parse(), Ok(AskUrl::Path("/tls/ask".parse().unwrap())));
        for text in ["http://ask.internal:8080/tls", "https://example.com", "http://[::1]:80/x", "http://10.0.0.1/a"] {
            assert_eq!(text.parse::<AskUrl>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "ask",
            "ftp://x/y",
            "http://",
            "http:///x",
            "http://u:p@x/y",
            "http://x/y?z",
            "http://x/y#z",
            "http://a b/",
            "/a b",
            "/a/../b",
            "http://:80/x",
            "http://[",
            "http://[::1",
            "http://::1/x",
            "http://a:/x",
            "http://a:+80/x",
            "http://a:b:80/x",
            "http://-a/x",
        ] {
            assert_eq!(text.parse::<AskUrl>(), Err(WebError::Ask), "{text}");
        }
    }

    #[test]
    fn users() {
        for text in ["ann", "ann@example.com", "Ünal", "a.b-c_d"] {
            assert!(text.parse::<UserName>().is_ok(), "{text}");
        }
        for text in ["", "a:b", "a b", "a\nb", "a=b", &"a".repeat(65)] {
            assert_eq!(text.parse::<UserName>(), Err(WebError::User), "{text}");
        }
    }

    #[test]
    fn what_is_not_said_is_not_written() {
        assert_eq!(serde_json::to_string(&Web::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Web>("{}").unwrap(), Web::default());
    }
}
