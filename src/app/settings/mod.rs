//! What an app is told to be. A [`Settings`] value is whole and valid; changes to it are a [`Draft`](crate::Draft).

mod cidr;
pub(crate) mod draft;
mod env;
pub(crate) mod field;
pub(crate) mod label;
mod mount;
mod retention;
mod web;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::hostname::Hostname;
use crate::model::image::ImageRef;
use crate::model::units::{ByteSize, Cpus, Port, Span, UrlPath};

pub use cidr::{Cidr, CidrError};
pub use env::{EnvKey, EnvKeyError, EnvValue, MASK, Secret};
pub use mount::{Mount, MountError, MountSource};
pub use retention::{KeptContainers, KeptImages, Retention};
pub use web::{AskUrl, MaxAge, RateLimit, UserName, Web, WebError};
pub use words::{AutoUpdate, Swap, Switch, Tls, Upstream, WordError};

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
    #[serde(default = "defaults::recorded_health_timeout")]
    pub health_timeout: Span,
    /// How long requests of the old release may take to finish.
    #[serde(default = "defaults::drain_timeout")]
    pub drain_timeout: Span,
    /// How long WebSockets and streams of the old release may take; `None`: twice [`Settings::drain_timeout`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_timeout: Option<Span>,
    /// How long the old container has between SIGTERM and SIGKILL.
    #[serde(default = "defaults::stop_timeout")]
    pub stop_timeout: Span,
    /// How long a new release is compared with the old one after the switch; 0: not at all.
    #[serde(default, skip_serializing_if = "Span::is_zero")]
    pub watch_time: Span,
    /// What the proxy does with requests on their way.
    #[serde(default, skip_serializing_if = "Web::is_default")]
    pub web: Web,
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
    /// Whether `overlap` was chosen in words, and is not only what holds where nothing is said. What a version before 0.1.1
    /// recorded counts as not chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overlap_chosen: bool,
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
    /// What of earlier releases stays on the engine.
    #[serde(default, skip_serializing_if = "Retention::is_default")]
    pub retention: Retention,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Values that hold where nothing is said (CLI.md).
pub mod defaults {
    use super::{ByteSize, Span};

    /// 120 s.
    #[must_use]
    pub const fn health_timeout() -> Span {
        Span::seconds(120)
    }
    /// 60 s: what it was in versions before 0.1.1, for records in which nothing is written.
    #[must_use]
    pub const fn recorded_health_timeout() -> Span {
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
            stream_timeout: None,
            stop_timeout: defaults::stop_timeout(),
            watch_time: Span::default(),
            web: Web::default(),
            env: BTreeMap::new(),
            volumes: BTreeMap::new(),
            networks: BTreeSet::new(),
            memory: None,
            cpus: None,
            swap: Swap::default(),
            overlap_chosen: false,
            release_command: None,
            smtp: None,
            auto_update: AutoUpdate::default(),
            labels: BTreeMap::new(),
            log_max_size: defaults::log_max_size(),
            retention: Retention::default(),
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

    /// How long WebSockets and streams may take at a drain.
    #[must_use]
    pub fn stream_limit(&self) -> Span {
        self.stream_timeout.unwrap_or_else(|| self.drain_timeout.twice())
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
        for password in shown.web.basic_auth.values_mut() {
            *password = Secret::new(MASK.to_owned());
        }
        shown
    }
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
