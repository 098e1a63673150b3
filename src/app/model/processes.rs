//! The processes of the proxy.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The processes of the proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyProcesses {
    /// What the first process, which owns the sockets, speaks with the others; `None`: it is too old for
    /// [`Proxy::upgrade`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<u32>,
    /// Why another program serves than should; `None`: all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The serving worker first, then those that only finish what they have under way.
    pub workers: Vec<WorkerView>,
}

/// A worker of the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its process in the container.
    pub pid: u32,
    /// Its binary's version.
    pub version: String,
    /// Its binary's SHA-256, in hex.
    pub hash: String,
    /// Its start.
    pub started_at: Timestamp,
    /// Whether it serves; else another one has taken over.
    pub serving: bool,
    /// Requests under way.
    pub requests: u64,
    /// Upgraded connections open.
    pub upgraded: u64,
}
