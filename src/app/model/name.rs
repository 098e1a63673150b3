//! Names that end up in Docker object names and on command lines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was turned down. The text reads after "invalid name `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// Longer than [`AppName::MAX`] (or [`Namespace::MAX`]) characters.
    #[error("it has {0} characters; at most {1} are allowed")]
    TooLong(usize, usize),
    /// A character outside of the allowed set.
    #[error("`{}` is not allowed; use a-z, 0-9 and `-`", .0.escape_default())]
    Character(char),
    /// Starts or ends with `-`, or an instance is empty.
    #[error("each part must start and end with a letter or digit")]
    Edge,
    /// More than one `.`.
    #[error("only one `.` is allowed, between the app and its instance")]
    Dots,
    /// Used by once itself.
    #[error("`{0}` is reserved for once itself")]
    Reserved(String),
}

/// The name of an app, given once: `shop`, or with an instance `shop.staging`.
///
/// `[a-z0-9-]`, each part starting and ending with a letter or digit, at most [`AppName::MAX`] characters in all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppName(String);

impl AppName {
    /// Leaves room for `<namespace>-` and `-<release>` within a 63 character DNS label.
    pub const MAX: usize = 40;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_length(text, Self::MAX)?;
        if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.')) {
            return Err(NameError::Character(bad));
        }
        let parts: Vec<&str> = text.split('.').collect();
        if parts.len() > 2 {
            return Err(NameError::Dots);
        }
        if parts.iter().any(|p| p.is_empty() || p.starts_with('-') || p.ends_with('-')) {
            return Err(NameError::Edge);
        }
        if parts[0] == "proxy" {
            return Err(NameError::Reserved(parts[0].to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Separates whole installations on one engine. `[a-z0-9-]`, at most [`Namespace::MAX`] characters; default `once`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

impl Namespace {
    /// With an app name of 40 and a release number of 5 digits a container name stays under 63 characters.
    pub const MAX: usize = 16;

    /// The namespace as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The network all of this namespace's containers join.
    #[must_use]
    pub fn network(&self) -> String {
        self.0.clone()
    }

    /// The usual name of the proxy's container, and of the volume that holds the host's memory. One that is there is
    /// found by its labels instead.
    #[must_use]
    pub fn proxy(&self) -> String {
        format!("{}-proxy", self.0)
    }

    /// What both are called where the name of [`Self::proxy`] is somebody else's.
    #[must_use]
    pub fn gateway(&self) -> String {
        format!("{}-gateway", self.0)
    }

    /// The container of one release.
    #[must_use]
    pub fn container(&self, app: &AppName, release: ReleaseNumber) -> String {
        format!("{}-{app}-{release}", self.0)
    }

    /// A data volume: the app's own, or a named one beside it.
    #[must_use]
    pub fn volume(&self, app: &AppName, name: Option<&str>) -> String {
        match name {
            None => format!("{}-{app}", self.0),
            Some(name) => format!("{}-{app}-{name}", self.0),
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("once".to_owned())
    }
}

impl FromStr for Namespace {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check_length(text, Self::MAX)?;
        if let Some(bad) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
            return Err(NameError::Character(bad));
        }
        if text.starts_with('-') || text.ends_with('-') {
            return Err(NameError::Edge);
        }
        Ok(Self(text.to_owned()))
    }
}

fn check_length(text: &str, max: usize) -> Result<(), NameError> {
    match text.chars().count() {
        0 => Err(NameError::Empty),
        n if n > max => Err(NameError::TooLong(n, max)),
        _ => Ok(()),
    }
}

/// The opaque identity of an app, given at creation; survives renames. 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppId(pub String);

/// The identity of one change, made by whoever asks for it; makes the switch idempotent. 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OpId(pub String);

impl OpId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A release's number within its app: 1, 2, 3 …; burnt on failure, never reused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u64);

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AppId {
    /// Whether it can safely be a file's name.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        is_plain(&self.0)
    }
}

impl OpId {
    /// Whether it can safely be a file's name.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        is_plain(&self.0)
    }
}

fn is_plain(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}
text_type!(AppName, Namespace, AppId, OpId);

impl TryFrom<String> for AppName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl TryFrom<String> for Namespace {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_and_instances() {
        for good in ["a", "shop", "shop.staging", "my-app-2", "0", &"a".repeat(40)] {
            assert_eq!(good.parse::<AppName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn turns_down_what_docker_or_dns_would() {
        for (bad, why) in [
            ("", NameError::Empty),
            ("Shop", NameError::Character('S')),
            ("a b", NameError::Character(' ')),
            ("a_b", NameError::Character('_')),
            ("-a", NameError::Edge),
            ("a-", NameError::Edge),
            ("a.", NameError::Edge),
            (".a", NameError::Edge),
            ("a.b.c", NameError::Dots),
            ("proxy", NameError::Reserved("proxy".into())),
            ("proxy.x", NameError::Reserved("proxy".into())),
        ] {
            assert_eq!(bad.parse::<AppName>(), Err(why), "{bad}");
        }
        assert_eq!("a".repeat(41).parse::<AppName>(), Err(NameError::TooLong(41, 40)));
    }

    #[test]
    fn names_things_on_the_engine() {
        let ns = Namespace::default();
        let app: AppName = "shop".parse().unwrap();
        assert_eq!(ns.container(&app, ReleaseNumber(13)), "once-shop-13");
        assert_eq!(ns.volume(&app, None), "once-shop");
        assert_eq!(ns.volume(&app, Some("cache")), "once-shop-cache");
        assert_eq!(ns.proxy(), "once-proxy");
    }
}
