//! Releases: what ran, runs, or failed to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::image::ResolvedImage;
use super::name::{OpId, ReleaseNumber};
use super::units::Port;
use super::volumes::DeclaredVolumes;
use crate::settings::Settings;

/// Who asked for a change, from where, and how. Holds no secret: flags with values are left out of `command`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Login name, or the CI system's actor.
    pub user: String,
    /// The machine the command ran on.
    pub host: String,
    /// `deploy`, `set`, `rollback`, `console`, …
    pub command: String,
}

/// One release of an app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its number; unique within the app.
    pub number: ReleaseNumber,
    /// The change that made it.
    pub op: OpId,
    /// What the image resolved to.
    pub image: ResolvedImage,
    /// What the app was told to be.
    pub settings: Settings,
    /// The container's name.
    pub container: String,
    /// The port inside of the container that is routed to.
    pub port: Port,
    /// When the deploy began.
    pub created_at: Timestamp,
    /// Who asked.
    pub by: Caller,
    /// Source revision, from `--revision` or the image's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The release it is a rollback to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_to: Option<ReleaseNumber>,
    /// How it ended up.
    pub status: ReleaseStatus,
    /// From lock to retire, in milliseconds; 0 while under way.
    #[serde(default)]
    pub took_ms: u64,
    /// Whether its container is kept (stopped) for a quick rollback, or runs.
    #[serde(default)]
    pub container_kept: bool,
    /// Its container was made by somebody else and taken over as it ran: it has none of our labels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// What is mounted where its image declares a `VOLUME` and its settings mount nothing. Empty also for a release that a
    /// version before 0.1.1 made: its container has anonymous volumes there.
    #[serde(default, skip_serializing_if = "DeclaredVolumes::is_empty")]
    pub declared_volumes: DeclaredVolumes,
}

impl Release {
    /// Where the proxy finds it: a name of the engine's DNS, and a port.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.container, self.port)
    }
}

/// How a release ended up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "status")]
pub enum ReleaseStatus {
    /// It serves.
    Serving,
    /// It served until another took over.
    Replaced {
        /// When.
        at: Timestamp,
    },
    /// It is tried out on some of the requests.
    Canary,
    /// It never served, or had to give way again at once.
    Failed {
        /// Why, in one sentence.
        why: String,
    },
}
