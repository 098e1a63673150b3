//! Hostnames an app answers to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a hostname was turned down. The text reads after "invalid hostname `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// `https://…` was given; carries the part that was probably meant.
    #[error("it is a URL; did you mean `{0}`?")]
    Url(String),
    /// A port was given; carries the host without it.
    #[error("it has a port; routes know hostnames only; did you mean `{0}`?")]
    Port(String),
    /// Not ASCII.
    #[error("`{}` is not ASCII; give the punycode form (`{}`)", .found.escape_debug(), .form.as_deref().unwrap_or("xn--…"))]
    NotAscii {
        /// The first such character.
        found: char,
        /// The name as the name system has it; `None`: it can stand for no name.
        form: Option<String>,
    },
    /// A character outside of the allowed set.
    #[error("`{}` is not allowed in a hostname", .0.escape_default())]
    Character(char),
    /// A label is empty, longer than 63 characters, or starts or ends with `-`.
    #[error("`{0}` is not a valid part; each is 1 to 63 characters and starts and ends with a letter or digit")]
    Label(String),
    /// Longer than 253 characters.
    #[error("it has {0} characters; at most 253 are allowed")]
    TooLong(usize),
    /// `*` anywhere but as the whole first part, or with fewer than two parts behind it.
    #[error("a wildcard is `*.` followed by at least two parts, as in `*.example.com`")]
    Wildcard,
    /// Looks like an IPv4 address and is none.
    #[error("it looks like an IP address and is none")]
    Address,
}

/// A name a route matches: `shop.example.com`, `*.example.com`, `10.0.0.1`, `::1`. Lower-case, no port, no final dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hostname(String);

impl Hostname {
    /// The name as text; IPv6 without brackets.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `*.example.com`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The address, where the host is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// `localhost`, `*.localhost` and addresses: names no public authority gives a certificate for.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0 == "localhost" || self.0.ends_with(".localhost") || self.address().is_some()
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<Hostname> for String {
    fn from(host: Hostname) -> Self {
        host.0
    }
}

impl TryFrom<String> for Hostname {
    type Error = HostError;
    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl FromStr for Hostname {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            return Err(HostError::Url(host.to_ascii_lowercase()));
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        if let Some((host, port)) = text.rsplit_once(':')
            && !host.contains(':')
            && port.bytes().all(|b| b.is_ascii_digit())
        {
            return Err(HostError::Port(host.to_ascii_lowercase()));
        }
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        check(&lower)?;
        Ok(Self(lower))
    }
}

fn check(host: &str) -> Result<(), HostError> {
    if host.len() > 253 {
        return Err(HostError::TooLong(host.len()));
    }
    if let Some(found) = host.chars().find(|c| !c.is_ascii()) {
        let form = idna::domain_to_ascii_strict(host).ok();
        return Err(HostError::NotAscii { found, form });
    }
    let plain = match host.strip_prefix("*.") {
        Some(rest) if rest.contains('.') => rest,
        Some(_) => return Err(HostError::Wildcard),
        None => host,
    };
    if plain.contains('*') {
        return Err(HostError::Wildcard);
    }
    if let Some(bad) = plain.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.' | '_')) {
        return Err(HostError::Character(bad));
    }
    for label in plain.split('.') {
        if label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-') {
            return Err(HostError::Label(label.to_owned()));
        }
    }
    if plain.split('.').next_back().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err(HostError::Address);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_case_and_final_dot() {
        assert_eq!("Shop.Example.COM.".parse::<Hostname>().unwrap().as_str(), "shop.example.com");
        assert_eq!("[::1]".parse::<Hostname>().unwrap().as_str(), "::1");
        assert!("*.example.com".parse::<Hostname>().unwrap().is_wildcard());
        assert!("demo.localhost".parse::<Hostname>().unwrap().is_local());
        assert!(!"example.com".parse::<Hostname>().unwrap().is_local());
    }

    #[test]
    fn says_what_was_probably_meant() {
        assert_eq!("https://Shop.example.com/x".parse::<Hostname>(), Err(HostError::Url("shop.example.com".into())));
        assert_eq!("shop.example.com:8080".parse::<Hostname>(), Err(HostError::Port("shop.example.com".into())));
        assert_eq!("*.com".parse::<Hostname>(), Err(HostError::Wildcard));
        assert_eq!("a.*.com".parse::<Hostname>(), Err(HostError::Wildcard));
        assert_eq!("a..b".parse::<Hostname>(), Err(HostError::Label(String::new())));
        assert_eq!(
            "bücher.de".parse::<Hostname>(),
            Err(HostError::NotAscii { found: 'ü', form: Some("xn--bcher-kva.de".into()) })
        );
        assert_eq!("a b".parse::<Hostname>(), Err(HostError::Character(' ')));
        assert_eq!("999.1.1.1".parse::<Hostname>(), Err(HostError::Address));
    }
}
