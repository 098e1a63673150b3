//! What an app is told to be. A [`Settings`] value is whole and valid; changes to it are a [`Draft`](super::Draft).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::Hostname;
use super::image::ImageRef;
use super::units::{ByteSize, Cpus, Port, Span, UrlPath};

/// Everything a person decides about an app, complete and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The image as given; what it resolved to belongs to the release.
    pub image: ImageRef,
    /// Hostnames, the first is the primary one; never empty.
    pub hosts: Vec<Hostname>,
    /// Only requests below this path belong to the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<UrlPath>,
    /// How the hostnames are served.
    #[serde(default)]
    pub tls: Tls,
    /// The container's HTTP port; `None`: the image's only exposed port, else 80.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
    /// Where a 2xx says that the app is ready.
    #[serde(default = "UrlPath::up")]
    pub health_path: UrlPath,
    /// How long a new release may take to become healthy.
    #[serde(default = "defaults::health_timeout")]
    pub health_timeout: Span,
    /// How long requests of the old release may take to finish.
    #[serde(default = "defaults::drain_timeout")]
    pub drain_timeout: Span,
    /// How long the old container has between SIGTERM and SIGKILL.
    #[serde(default = "defaults::stop_timeout")]
    pub stop_timeout: Span,
    /// The app's own environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<EnvKey, EnvValue>,
    /// Mounts beside the app's own data volume, by their path in the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<UrlPath, MountSource>,
    /// Engine networks the container joins beside once's own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub networks: BTreeSet<String>,
    /// Hard memory limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Processor limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// How an old release hands over to a new one.
    #[serde(default)]
    pub swap: Swap,
    /// Run once per deploy in the new image before the switch, by `/bin/sh -c` where there is a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command: Option<String>,
    /// Outgoing mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// What to do about newer images under the same tag.
    #[serde(default)]
    pub auto_update: AutoUpdate,
    /// Labels for the container beside once's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Size at which the container's log is rotated; three files are kept.
    #[serde(default = "defaults::log_max_size")]
    pub log_max_size: ByteSize,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Values that hold where nothing is said (CLI.md).
pub mod defaults {
    use super::{ByteSize, Span};

    /// 60 s.
    #[must_use]
    pub const fn health_timeout() -> Span {
        Span::seconds(60)
    }
    /// 30 s.
    #[must_use]
    pub const fn drain_timeout() -> Span {
        Span::seconds(30)
    }
    /// 10 s, the engine's own.
    #[must_use]
    pub const fn stop_timeout() -> Span {
        Span::seconds(10)
    }
    /// 10 MiB a file.
    #[must_use]
    pub const fn log_max_size() -> ByteSize {
        ByteSize(10 << 20)
    }
}

impl Settings {
    /// An app with nothing said about it but its image and one hostname.
    #[must_use]
    pub fn new(image: ImageRef, host: Hostname) -> Self {
        Self {
            image,
            hosts: vec![host],
            path_prefix: None,
            tls: Tls::default(),
            port: None,
            health_path: UrlPath::up(),
            health_timeout: defaults::health_timeout(),
            drain_timeout: defaults::drain_timeout(),
            stop_timeout: defaults::stop_timeout(),
            env: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: BTreeSet::new(),
            memory: None,
            cpus: None,
            swap: Swap::default(),
            release_command: None,
            smtp: None,
            auto_update: AutoUpdate::default(),
            labels: BTreeMap::new(),
            log_max_size: defaults::log_max_size(),
            note: None,
        }
    }

    /// The hostname shown to people and sent in health checks.
    ///
    /// # Panics
    /// Never: [`Settings::hosts`] is not empty by construction, and deserialising an empty list is refused by the
    /// ledger.
    #[must_use]
    pub fn primary_host(&self) -> &Hostname {
        &self.hosts[0]
    }

    /// The same settings with every secret value replaced, for labels, screens and JSON.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        for value in shown.env.values_mut().filter(|v| v.secret) {
            value.value = Secret::new(MASK.to_owned());
        }
        if let Some(smtp) = &mut shown.smtp
            && smtp.password.is_some()
        {
            smtp.password = Some(Secret::new(MASK.to_owned()));
        }
        shown
    }
}

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

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountSource {
    /// A named volume of this app, `once-<app>-<name>`; kept with the app's data. `[a-z0-9-]`, 1 to 24 characters.
    Volume {
        /// The name behind the app's.
        name: String,
    },
    /// A directory or file of the host.
    Host {
        /// Absolute path on the host.
        path: String,
        /// Mounted read-only.
        #[serde(default)]
        read_only: bool,
    },
}

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

/// Outgoing mail, handed to the app as `SMTP_*` and `MAILER_FROM_ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Smtp {
    /// The server's name.
    pub server: String,
    /// Its port; 587 where nothing is said.
    pub port: Port,
    /// Login name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Login password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The sender's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
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
}

/// A word that is none of the allowed ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be one of {}", .0.join(", "))]
pub struct WordError(pub &'static [&'static str]);
