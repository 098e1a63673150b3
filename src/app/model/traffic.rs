//! An app's traffic in detail: what is asked for one app at a time, as it would be too much in every
//! [`Snapshot`](crate::ports::proxy::Snapshot).

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
    /// Answers of the proxy's own to requests that this release had been given, such as a 413 for a body that grew too
    /// large; `None`: the proxy is too old to count them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u64>,
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
            own: None,
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

/// How an app answered in the last [`WINDOW`] seconds, the current one included. Answers of the proxy's own (pages of a
/// closed app, redirects, refusals) are left out; a 502 or 504 that it gives because the app did not answer is the app's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recent {
    /// Answers of the app's own.
    pub answers: u64,
    /// Of these: 5xx.
    pub errors: u64,
    /// Whether it [is failing](Window::is_failing).
    pub failing: bool,
}

/// How many seconds the errors of an app are looked at, and how long it stays failing when they get fewer.
pub const WINDOW: u32 = 60;

/// Fewer answers than this say nothing.
const LEAST_ANSWERS: u64 = 5;

/// The share of 5xx from which on an app is failing, hundredths.
const FAILING_PERCENT: u64 = 5;

/// Answers and errors of an app by the second, for two times [`WINDOW`].
#[derive(Debug, Clone)]
pub struct Window {
    /// Answers and errors of a second, by its age.
    seconds: [(u64, u64); 2 * WINDOW as usize],
}

impl Default for Window {
    fn default() -> Self {
        Self { seconds: [(0, 0); 2 * WINDOW as usize] }
    }
}

impl Window {
    /// Adds what was counted in the second of this age; 0 is the current one. What is too old is left out.
    pub fn add(&mut self, age: u32, answers: u32, errors: u32) {
        if let Some(second) = self.seconds.get_mut(age as usize) {
            second.0 += u64::from(answers);
            second.1 += u64::from(errors);
        }
    }

    /// Whether the app is failing: at some moment of the last [`WINDOW`] seconds it had given at least
    /// [`LEAST_ANSWERS`] within as many seconds, of which at least [`FAILING_PERCENT`] in a hundred were 5xx, and it has
    /// given a 5xx since. So it does not flap where the share of errors is near the bar, and is over at the latest when
    /// there was no error for that time.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        let is_bad =
            |(answers, errors): (u64, u64)| answers >= LEAST_ANSWERS && errors * 100 >= answers * FAILING_PERCENT;
        self.ending(0).1 > 0 && (0..WINDOW).any(|ago| is_bad(self.ending(ago)))
    }

    /// The last [`WINDOW`] seconds.
    #[must_use]
    pub fn recent(&self) -> Recent {
        let (answers, errors) = self.ending(0);
        Recent { answers, errors, failing: self.is_failing() }
    }

    /// The sum of the [`WINDOW`] seconds that ended so many seconds ago.
    fn ending(&self, ago: u32) -> (u64, u64) {
        let seconds = self.seconds.iter().skip(ago as usize).take(WINDOW as usize);
        seconds.fold((0, 0), |sum, second| (sum.0 + second.0, sum.1 + second.1))
    }
}

/// Everything the proxy knows about one app's traffic besides [`AppTraffic`](crate::ports::proxy::AppTraffic).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn window(seconds: &[(u32, u32, u32)]) -> Window {
        let mut window = Window::default();
        seconds.iter().for_each(|(age, answers, errors)| window.add(*age, *answers, *errors));
        window
    }

    #[test]
    fn failing_needs_answers_and_a_share_of_errors() {
        for (seconds, failing) in [
            (&[][..], false),
            (&[(0, 4, 4)], false),
            (&[(0, 5, 5)], true),
            (&[(0, 5, 0)], false),
            (&[(0, 20, 1)], true),
            (&[(0, 21, 1)], false),
            // A minute, the current second included.
            (&[(59, 4, 1), (0, 1, 0)], true),
            (&[(60, 4, 1), (0, 1, 0)], false),
        ] {
            assert_eq!(window(seconds).is_failing(), failing, "{seconds:?}");
        }
    }

    #[test]
    fn failing_lasts_while_there_are_errors_and_for_a_minute_at_most() {
        // Half of them failed some time ago; since then only few.
        let since = |ago| window(&[(ago, 10, 5), (1, 990, 1)]);
        assert!(since(30).is_failing() && since(59).is_failing(), "the share alone would end it");
        assert!(since(118).is_failing() && !since(119).is_failing(), "for a minute, there are few errors");
        assert!(!window(&[(60, 10, 5), (1, 990, 0)]).is_failing(), "for a minute, there are none");
    }

    #[test]
    fn the_last_minute_is_told_and_what_is_older_is_not() {
        let seen = window(&[(0, 3, 1), (59, 4, 0), (60, 100, 100), (500, 1, 1)]).recent();
        assert_eq!((seen.answers, seen.errors, seen.failing), (7, 1, true));
    }

    #[test]
    fn what_an_older_proxy_does_not_count_is_not_known() {
        let old = r#"{"release":1,"requests":9,"failed":0,"classes":[0,9,0,0,0],"bytes_in":0,"bytes_out":0}"#;
        assert_eq!(serde_json::from_str::<ReleaseTraffic>(old).unwrap().own, None);
        let old = r#"{"requests":9,"classes":[0,9,0,0,0],"failed":0,"rate":0,"bytes_in":0,"bytes_out":0,"in_flight":[],
            "held":0,"per_second":[],"errors_per_second":[],"by_release":[],"slowest_ms":0}"#;
        let old: crate::ports::proxy::AppTraffic = serde_json::from_str(old).unwrap();
        assert_eq!((old.own, old.recent), (None, None));
    }
}
