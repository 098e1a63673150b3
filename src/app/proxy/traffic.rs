//! What releases have answered, one beside the other.

use serde::{Deserialize, Serialize};

use crate::app::name::ReleaseNumber;

/// What a release has answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseTraffic {
    /// Which.
    pub release: ReleaseNumber,
    /// Responses since the proxy's start.
    pub requests: u64,
    /// Of these: 5xx, by the release or by the proxy in its place, and those broken off on the app's side.
    pub errors: u64,
    /// While it is compared with another one: since that began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
}

/// One side of a comparison, since it began (or since the proxy's start, if that was later).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Responses.
    pub requests: u64,
    /// Of these: 5xx and those broken off.
    pub errors: u64,
    /// Over the last minute, milliseconds; `None`: no requests.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p95_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
}
