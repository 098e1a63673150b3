//! The table of settings: one row feeds `--unset`, `once set`, the form's sections and the plan's costs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a change of a field costs (CLI.md, "Same").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cost {
    /// Only once itself uses it: recorded.
    Record,
    /// The proxy is updated in place.
    Route,
    /// A new container replaces the old one, without downtime.
    Swap,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Record => "recorded, nothing restarts",
            Self::Route => "re-routed, nothing restarts",
            Self::Swap => "swapped without downtime",
        })
    }
}

/// Sections of the settings form (TUI.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Image, swap, health.
    Application,
    /// Hostnames, path, TLS, networks.
    Network,
    /// Who gets in, and how much of it.
    Protection,
    /// Variables.
    Environment,
    /// SMTP.
    Email,
    /// Limits, volumes.
    Resources,
    /// Newer images.
    Updates,
}

macro_rules! fields {
    ($($variant:ident $key:literal $section:ident $cost:ident $keyed:literal $label:literal $help:literal;)*) => {
        /// One setting of an app.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)]
        pub enum Field { $($variant),* }

        impl Field {
            /// All fields in the order of the form.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in `once set`, `--unset` and plans.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key),* }
            }
            /// Where the form shows it.
            #[must_use]
            pub const fn section(self) -> Section {
                match self { $(Self::$variant => Section::$section),* }
            }
            /// What a change of it costs.
            #[must_use]
            pub const fn cost(self) -> Cost {
                match self { $(Self::$variant => Cost::$cost),* }
            }
            /// Whether it is a map or list whose entries are named `field.entry`.
            #[must_use]
            pub const fn is_keyed(self) -> bool {
                match self { $(Self::$variant => $keyed),* }
            }
            /// Its name for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),* }
            }
            /// One line of explanation.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),* }
            }
        }
    };
}

fields! {
    Image "image" Application Swap false "Image" "repository and tag, as in ghcr.io/acme/shop:1.5.0";
    Host "host" Network Route true "Hostnames" "the first is the primary one; separate several by spaces";
    PathPrefix "path-prefix" Network Route false "Path prefix" "only requests below this path, as in /blog";
    StripPrefix "strip-prefix" Network Route false "Strip prefix" "on: the app does not see its path prefix";
    CanonicalHost "canonical-host" Network Route false "Canonical host" "the app's other hostnames redirect to this one";
    DefaultApp "default-app" Network Route false "Default app" "on: gets the requests for hostnames nobody serves";
    Tls "tls" Network Route false "TLS" "auto, off or custom";
    TlsRedirect "tls-redirect" Network Route false "TLS redirect" "on: HTTP redirects to HTTPS once there is a certificate";
    Hsts "hsts" Network Route false "HSTS" "browsers insist on HTTPS for so long, as in 365d; empty: they do not";
    TlsOnDemand "tls-on-demand" Network Route false "TLS on demand" "path or URL to ask whether a name may have a certificate";
    Upstream "upstream" Network Route false "Upstream" "what the app speaks: http1, or h2c for gRPC";
    ResponseTimeout "response-timeout" Network Route false "Response time-out" "until the head of the answer; empty: 60s";
    Compress "compress" Network Route false "Compress" "on: answers are compressed where it is of use";
    MaxBody "max-body" Protection Route false "Largest body" "of a request, as in 50m; empty: no limit";
    BasicAuth "basic-auth" Protection Route true "Basic auth" "users and their passwords; none: everybody gets in";
    AllowIp "allow-ip" Protection Route true "Allowed addresses" "ranges clients may come from; none: from everywhere";
    RateLimit "rate-limit" Protection Route false "Rate limit" "requests per second and client address, as in 100/s; empty: none";
    Port "port" Application Swap false "Port" "where the app listens; empty: the image's only exposed port, else 80";
    HealthPath "health-path" Application Route false "Health path" "a 2xx here says that the app is ready";
    HealthTimeout "health-timeout" Application Route false "Health time-out" "how long a new release may take to become healthy";
    DrainTimeout "drain-timeout" Application Route false "Drain time-out" "how long requests of the old release may take to finish";
    StreamTimeout "stream-timeout" Application Route false "Stream time-out" "WebSockets and streams of the old release; empty: twice the drain time-out";
    StopTimeout "stop-timeout" Application Record false "Stop time-out" "between SIGTERM and SIGKILL for the old container";
    WatchTime "watch-time" Application Record false "Watch time" "a new release is compared with the old one for so long; 0s: not at all";
    Swap "swap" Application Record false "Swap" "overlap, or handover for apps that must not run twice on one volume";
    ReleaseCommand "release-command" Application Record false "Release command" "run once per deploy before the switch";
    Env "env" Environment Swap true "Environment" "KEY=VALUE";
    SmtpServer "smtp-server" Email Swap false "SMTP server" "empty: no mail settings are handed to the app";
    SmtpPort "smtp-port" Email Swap false "SMTP port" "587 where nothing is said";
    SmtpUsername "smtp-username" Email Swap false "SMTP username" "login name";
    SmtpPassword "smtp-password" Email Swap false "SMTP password" "login password; never shown";
    SmtpFrom "smtp-from" Email Swap false "From" "the sender's address";
    Memory "memory" Resources Swap false "Memory" "hard limit, as in 512m; empty: none";
    Cpus "cpus" Resources Swap false "CPUs" "share of the processors, as in 0.5; empty: all";
    Volume "volume" Resources Swap true "Volumes" "NAME:/path, docker:NAME:/path or /host/path:/path[:ro]";
    Network "network" Network Swap true "Networks" "engine networks to join beside once's own";
    Label "label" Resources Swap true "Labels" "container labels, KEY=VALUE";
    LogMaxSize "log-max-size" Resources Swap false "Log size" "size at which the log is rotated; three files are kept";
    KeepContainers "keep-containers" Updates Record false "Kept containers" "stopped ones of earlier releases, for a rollback in a second";
    KeepImages "keep-images" Updates Record false "Kept images" "of the newest releases; older ones are pulled again for a rollback";
    AutoUpdate "auto-update" Updates Record false "Auto-update" "on, off or notify; without effect in this version";
    Note "note" Application Record false "Note" "a remark for people";
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// A field, or one entry of a keyed one: `memory`, `env.SMTP_HOST`, `volume./data`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldPath {
    /// The field.
    pub field: Field,
    /// The entry, for keyed fields.
    pub entry: Option<String>,
}

/// A path that names no field; carries the nearest field's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldPathError {
    /// No such field.
    #[error("there is no setting `{0}`; did you mean `{1}`?")]
    Unknown(String, &'static str),
    /// The field has no entries.
    #[error("`{0}` is a single value and has no entries")]
    NotKeyed(&'static str),
}

impl std::str::FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let (key, entry) = match text.split_once('.') {
            Some((key, entry)) => (key, Some(entry.to_owned())),
            None => (text, None),
        };
        let field = Field::ALL
            .iter()
            .copied()
            .find(|f| f.key() == key)
            .ok_or_else(|| FieldPathError::Unknown(key.to_owned(), nearest(key)))?;
        if entry.is_some() && !field.is_keyed() {
            return Err(FieldPathError::NotKeyed(field.key()));
        }
        Ok(Self { field, entry })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "{}.{entry}", self.field.key()),
            None => f.write_str(self.field.key()),
        }
    }
}

impl TryFrom<String> for FieldPath {
    type Error = FieldPathError;
    fn try_from(text: String) -> Result<Self, FieldPathError> {
        text.parse()
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

/// The field whose name shares the longest beginning, or most letters, with a mistyped one.
fn nearest(key: &str) -> &'static str {
    let score = |candidate: &str| {
        let prefix = candidate.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
        let shared = key.chars().filter(|c| candidate.contains(*c)).count();
        (prefix * 4 + shared) as i64 - (candidate.len().abs_diff(key.len())) as i64
    };
    Field::ALL.iter().map(|f| f.key()).max_by_key(|k| score(k)).unwrap_or("image")
}
