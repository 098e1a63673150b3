//! What an app's traffic was. Each worker thread counts for itself; reading adds up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::clock;
use super::histogram::{Histogram, Sum};
use crate::app::ReleaseNumber;
use crate::app::proxy::AppTraffic;

/// The series has this many whole seconds.
const SERIES: usize = 120;
const RING: usize = 128;
/// Releases remembered; a deploy a minute for an hour must not grow this.
const RELEASES: usize = 8;

pub(super) struct Metrics {
    lanes: Box<[Lane]>,
    releases: Mutex<BTreeMap<ReleaseNumber, Arc<ReleaseCounts>>>,
}

#[repr(align(128))]
struct Lane {
    requests: AtomicU64,
    classes: [AtomicU64; 5],
    failed: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    slowest_micros: AtomicU64,
    seconds: [Second; RING],
    latencies: Histogram,
}

struct Second {
    number: AtomicU32,
    requests: AtomicU32,
    errors: AtomicU32,
}

/// Responses of one release.
pub(super) struct ReleaseCounts {
    lanes: Box<[ReleaseLane]>,
}

#[derive(Default)]
#[repr(align(128))]
struct ReleaseLane {
    requests: AtomicU64,
    failed: AtomicU64,
}

/// One request's end.
pub(super) struct Outcome {
    pub(super) ended: Instant,
    /// `None`: not a latency, as a WebSocket's life is none.
    pub(super) took: Option<Duration>,
    pub(super) status: u16,
    pub(super) failed: bool,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
}

impl ReleaseCounts {
    pub(super) fn record(&self, lane: usize, failed: bool) {
        let lane = &self.lanes[lane % self.lanes.len()];
        lane.requests.fetch_add(1, Relaxed);
        lane.failed.fetch_add(u64::from(failed), Relaxed);
    }
}

impl Metrics {
    pub(super) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes.max(1)).map(|_| Lane::new()).collect(), releases: Mutex::default() }
    }

    /// The counts of a release, which go on if it serves again.
    pub(super) fn release(&self, release: ReleaseNumber) -> Arc<ReleaseCounts> {
        let mut releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = self.lanes.len();
        let counts = || Arc::new(ReleaseCounts { lanes: (0..lanes).map(|_| ReleaseLane::default()).collect() });
        let counts = Arc::clone(releases.entry(release).or_insert_with(counts));
        while releases.len() > RELEASES {
            releases.pop_first();
        }
        counts
    }

    pub(super) fn record(&self, lane: usize, outcome: &Outcome) {
        let lane = &self.lanes[lane % self.lanes.len()];
        lane.requests.fetch_add(1, Relaxed);
        if let Some(class) = lane.classes.get(usize::from(outcome.status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Relaxed);
        }
        if outcome.failed {
            lane.failed.fetch_add(1, Relaxed);
        }
        lane.bytes_in.fetch_add(outcome.bytes_in, Relaxed);
        lane.bytes_out.fetch_add(outcome.bytes_out, Relaxed);
        let now = clock::second(outcome.ended);
        let second = &lane.seconds[now as usize % RING];
        second.enter(now);
        second.requests.fetch_add(1, Relaxed);
        if outcome.status >= 500 {
            second.errors.fetch_add(1, Relaxed);
        }
        if let Some(took) = outcome.took {
            lane.latencies.record(now, took);
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if micros > lane.slowest_micros.load(Relaxed) {
                lane.slowest_micros.fetch_max(micros, Relaxed);
            }
        }
    }

    /// All but what is under way, which the upstreams know.
    pub(super) fn traffic(&self, now: Instant) -> AppTraffic {
        let second = clock::second(now);
        let mut sum = Sum::default();
        let mut traffic =
            AppTraffic { per_second: vec![0; SERIES], errors_per_second: vec![0; SERIES], ..<_>::default() };
        let mut slowest = 0;
        for lane in &self.lanes {
            traffic.requests += lane.requests.load(Relaxed);
            for (to, from) in traffic.classes.iter_mut().zip(&lane.classes) {
                *to += from.load(Relaxed);
            }
            traffic.failed += lane.failed.load(Relaxed);
            traffic.bytes_in += lane.bytes_in.load(Relaxed);
            traffic.bytes_out += lane.bytes_out.load(Relaxed);
            slowest = slowest.max(lane.slowest_micros.load(Relaxed));
            lane.latencies.add_to(second, &mut sum);
            lane.add_series(second, &mut traffic.per_second, &mut traffic.errors_per_second);
        }
        traffic.rate = traffic.per_second.iter().rev().take(10).map(|n| f64::from(*n)).sum::<f64>() / 10.0;
        traffic.p50_ms = sum.quantile(0.50);
        traffic.p95_ms = sum.quantile(0.95);
        traffic.p99_ms = sum.quantile(0.99);
        traffic.slowest_ms = slowest.div_ceil(1000);
        traffic.by_release = self.by_release();
        traffic
    }

    fn by_release(&self) -> Vec<(ReleaseNumber, u64, u64)> {
        let releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |counts: &ReleaseCounts, of: fn(&ReleaseLane) -> &AtomicU64| {
            counts.lanes.iter().map(|lane| of(lane).load(Relaxed)).sum::<u64>()
        };
        releases
            .iter()
            .rev()
            .map(|(number, counts)| (*number, sum(counts, |l| &l.requests), sum(counts, |l| &l.failed)))
            .collect()
    }

    pub(super) fn mark(&self) {
        for lane in &self.lanes {
            lane.slowest_micros.store(0, Relaxed);
        }
    }
}

impl Lane {
    fn new() -> Self {
        let second = || Second { number: AtomicU32::new(0), requests: AtomicU32::new(0), errors: AtomicU32::new(0) };
        Self {
            requests: AtomicU64::new(0),
            classes: Default::default(),
            failed: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            slowest_micros: AtomicU64::new(0),
            seconds: std::array::from_fn(|_| second()),
            latencies: Histogram::new(),
        }
    }

    fn add_series(&self, now: u32, requests: &mut [u32], errors: &mut [u32]) {
        for second in &self.seconds {
            let number = second.number.load(Relaxed);
            let age = now.wrapping_sub(number) as usize;
            if number != 0 && (1..=SERIES).contains(&age) {
                requests[SERIES - age] += second.requests.load(Relaxed);
                errors[SERIES - age] += second.errors.load(Relaxed);
            }
        }
    }
}

impl Second {
    fn enter(&self, now: u32) {
        let seen = self.number.load(Relaxed);
        if seen != now && self.number.compare_exchange(seen, now, Relaxed, Relaxed).is_ok() {
            self.requests.store(0, Relaxed);
            self.errors.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_over_the_lanes() {
        let metrics = Metrics::new(2);
        let start = Instant::now() + Duration::from_secs(300);
        let outcome = |after: u64, status: u16, ms: u64| Outcome {
            ended: start + Duration::from_secs(after),
            took: Some(Duration::from_millis(ms)),
            status,
            failed: status == 502,
            bytes_in: 1,
            bytes_out: 10,
        };
        for i in 0..20 {
            metrics.record(i, &outcome(0, 200, 5));
        }
        metrics.record(0, &outcome(1, 502, 80));
        metrics.record(1, &outcome(1, 101, 1));
        metrics.release(ReleaseNumber(3)).record(0, false);
        metrics.release(ReleaseNumber(3)).record(1, true);

        let traffic = metrics.traffic(start + Duration::from_secs(2));
        assert_eq!(traffic.requests, 22);
        assert_eq!(traffic.classes, [1, 20, 0, 0, 1]);
        assert_eq!(traffic.failed, 1);
        assert_eq!((traffic.bytes_in, traffic.bytes_out), (22, 220));
        assert_eq!(traffic.per_second.len(), 120);
        assert_eq!(traffic.per_second[118..], [20, 2]);
        assert_eq!(traffic.errors_per_second[118..], [0, 1]);
        assert!((traffic.rate - 2.2).abs() < 1e-9);
        assert_eq!(traffic.slowest_ms, 80);
        assert_eq!(traffic.by_release, [(ReleaseNumber(3), 2, 1)]);

        metrics.mark();
        let later = metrics.traffic(start + Duration::from_secs(200));
        assert_eq!(later.slowest_ms, 0);
        assert_eq!(later.per_second, [0; 120]);
        assert_eq!(later.p50_ms, None);
    }

    #[test]
    fn remembers_the_newest_releases() {
        let metrics = Metrics::new(1);
        for number in 1..=30 {
            metrics.release(ReleaseNumber(number)).record(0, false);
        }
        let numbers: Vec<u64> = metrics.by_release().iter().map(|(number, ..)| number.0).collect();
        assert_eq!(numbers, [30, 29, 28, 27, 26, 25, 24, 23]);
    }
}
