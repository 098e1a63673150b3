//! An app's traffic in detail: what is asked for one app at a time, as it would be too much in every
//! [`Snapshot`](super::proxy::Snapshot).

use serde::{Deserialize, Serialize};

use super::name::ReleaseNumber;

/// What one release answered since the proxy's start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReleaseTraffic {
    /// Which.
    pub release: ReleaseNumber,
    /// Requests, upgraded connections included.
    pub requests: u64,
    /// Answered by the proxy with 502, 503 or 504 in its stead, or broken off by it.
    pub failed: u64,
    /// 5xx, by the release or by the proxy in its stead, and those broken off.
    #[serde(default)]
    pub errors: u64,
    /// By class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub classes: [u64; 5],
    /// Bytes of bodies received from clients.
    pub bytes_in: u64,
    /// Bytes of bodies sent to clients.
    pub bytes_out: u64,
    /// Over the last minute, milliseconds; `None`: no requests.
    pub p50_ms: Option<f64>,
    /// The same.
    pub p95_ms: Option<f64>,
    /// The same.
    pub p99_ms: Option<f64>,
    /// While it is compared with another release: since that began.
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

impl ReleaseTraffic {
    /// Of a release that has answered nothing.
    #[must_use]
    pub fn none(release: ReleaseNumber) -> Self {
        Self {
            release,
            requests: 0,
            failed: 0,
            errors: 0,
            classes: [0; 5],
            bytes_in: 0,
            bytes_out: 0,
            p50_ms: None,
            p95_ms: None,
            p99_ms: None,
            compared: None,
        }
    }
}

/// Everything the proxy knows about one app's traffic besides [`AppTraffic`](super::proxy::AppTraffic).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// The last hour by the minute.
    pub hour: Series,
    /// The last day by ten minutes.
    pub day: Series,
    /// Visitors of each of the last 24 hours, oldest first, the current one last. Somebody who comes in two of them
    /// counts in both.
    pub visitors_by_hour: Vec<u32>,
    /// The paths asked for most since midnight UTC, the first one the most. Without their queries.
    pub paths: Vec<PathTraffic>,
}

/// Requests over time: the same number of steps in each list, oldest first, the current step last and not yet whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// How long a step is, seconds.
    pub step: u32,
    /// Requests in each.
    pub requests: Vec<u32>,
    /// 5xx answers in each.
    pub errors: Vec<u32>,
}

/// How often a path was asked for. The memory for paths is bounded, so the number is a range; for a path with a large
/// part of all requests it is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathTraffic {
    /// The path as it was asked for, without query; what is longer than 200 bytes ends in `…`.
    pub path: String,
    /// Not more often than this.
    pub requests: u64,
    /// Not less often than this.
    pub at_least: u64,
}
