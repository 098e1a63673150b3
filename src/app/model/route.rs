//! What the proxy is told about one app: derived from its record, never kept beside it.

use serde::{Deserialize, Serialize};

use super::canary::CanaryRule;
use super::hostname::Hostname;
use super::name::{AppId, AppName, ReleaseNumber};
use super::units::{Span, UrlPath};
use crate::settings::{Tls, Web};

/// Where an app's requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Whose it is.
    pub app: AppId,
    /// Its name, for logs and metrics.
    pub name: AppName,
    /// Hostnames; wildcards match one or more labels below a name, exact names win.
    pub hosts: Vec<Hostname>,
    /// Only paths below this; the longest prefix wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<UrlPath>,
    /// How the hostnames are served.
    #[serde(default)]
    pub tls: Tls,
    /// What is done with requests on their way.
    #[serde(default, skip_serializing_if = "Web::is_default")]
    pub web: Web,
    /// The release that gets the requests.
    pub target: Target,
    /// What is done with them.
    pub state: RouteState,
    /// Answered with 200 to probes from outside while requests are held.
    pub health_path: UrlPath,
    /// Some of the requests go elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRoute>,
}

/// Another release for some of the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRoute {
    /// The release that gets them.
    pub target: Target,
    /// Which ones.
    pub rule: CanaryRule,
}

/// A release as the proxy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Which release.
    pub release: ReleaseNumber,
    /// `name:port` on the namespace's network; names are resolved by the engine's DNS.
    pub address: String,
}

/// What is done with an app's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RouteState {
    /// They go to the target.
    Serving,
    /// They get a 503 page.
    Stopped,
    /// They get a 503 page that says why.
    Maintenance(Notice),
    /// They wait until the app goes on, each for so long at most, and then get a 503.
    Paused {
        /// The longest wait of a request.
        max_wait: Span,
    },
}

/// What visitors are told during maintenance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// A sentence for people; plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// An own page, HTML; `{message}` in it is replaced by the message. 64 KiB at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}
