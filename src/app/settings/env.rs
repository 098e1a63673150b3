//! Variables of an app's environment, and texts that nobody may see.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stands where a secret would.
pub const MASK: &str = "••••••";

/// A text that never shows itself in `Debug` or `Display`. It does serialise: into the ledger and to the engine.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself; for the container's environment only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// A variable's value. All values are kept out of `Debug`; only those marked are masked for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvValue {
    /// The value.
    pub value: Secret,
    /// Given by `--secret`: masked everywhere, never in labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

impl EnvValue {
    /// A value anybody may see.
    #[must_use]
    pub fn plain(value: impl Into<String>) -> Self {
        Self { value: Secret::new(value.into()), secret: false }
    }

    /// A value nobody may see.
    #[must_use]
    pub fn secret(value: impl Into<String>) -> Self {
        Self { value: Secret::new(value.into()), secret: true }
    }

    /// For people: the value, or the mask.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.secret { MASK } else { self.value.expose() }
    }
}

/// The name of an environment variable: `[A-Za-z_][A-Za-z0-9_]*`, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EnvKey(String);

/// Why a variable's name was turned down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a variable's name; letters, digits and `_`, not starting with a digit", .0.escape_debug())]
pub struct EnvKeyError(pub String);

impl EnvKey {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for EnvKey {
    type Err = EnvKeyError;
    fn from_str(text: &str) -> Result<Self, EnvKeyError> {
        let fine = text.len() <= 128
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fine { Ok(Self(text.to_owned())) } else { Err(EnvKeyError(text.to_owned())) }
    }
}

impl TryFrom<String> for EnvKey {
    type Error = EnvKeyError;
    fn try_from(text: String) -> Result<Self, EnvKeyError> {
        text.parse()
    }
}

impl From<EnvKey> for String {
    fn from(key: EnvKey) -> Self {
        key.0
    }
}
