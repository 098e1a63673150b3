//! Settings that are one word out of a few.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How hostnames are served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// A certificate from the configured authority for public names; plain HTTP for local ones.
    #[default]
    Auto,
    /// Plain HTTP.
    Off,
    /// The operator's own certificate.
    Custom,
}

/// How an old release hands over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Swap {
    /// Both run for a moment.
    #[default]
    Overlap,
    /// Never two at once: requests are held while one stops and the other starts.
    Handover,
}

/// What to do about newer images under the same tag.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoUpdate {
    /// Deploy them.
    On,
    /// Leave them.
    #[default]
    Off,
    /// Say so.
    Notify,
}

/// What an app is spoken to in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, as gRPC servers want it.
    H2c,
}

/// A wish that is granted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

impl From<Switch> for bool {
    fn from(switch: Switch) -> Self {
        switch == Switch::On
    }
}

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),* })*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),* })
            }
        }
        impl std::str::FromStr for $name {
            type Err = WordError;
            fn from_str(text: &str) -> Result<Self, WordError> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(WordError(&[$($word),*])) }
            }
        }
        impl $name {
            /// The words it is written with.
            pub const WORDS: &'static [&'static str] = &[$($word),*];
        }
    )*};
}
words! {
    Tls { Auto = "auto", Off = "off", Custom = "custom" }
    Swap { Overlap = "overlap", Handover = "handover" }
    AutoUpdate { On = "on", Off = "off", Notify = "notify" }
    Upstream { Http1 = "http1", H2c = "h2c" }
    Switch { On = "on", Off = "off" }
}

/// A word that is none of the allowed ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of {}", .0.join(", "))]
pub struct WordError(pub &'static [&'static str]);
