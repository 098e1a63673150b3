//! What an app's traffic was. Each worker thread counts for itself; reading adds up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use super::clock;
use super::histogram::{Histogram, Sum};
use crate::app::ReleaseNumber;
use crate::app::proxy::{AppTraffic, Compared, ReleaseTraffic};

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
    /// Only while it is compared with another release: it costs memory.
    compared: ArcSwapOption<Comparison>,
}

/// What came since a comparison began.
struct Comparison {
    lanes: Box<[ComparedLane]>,
}

#[repr(align(128))]
struct ComparedLane {
    requests: AtomicU64,
    errors: AtomicU64,
    latencies: Histogram,
}

#[derive(Default)]
#[repr(align(128))]
struct ReleaseLane {
    requests: AtomicU64,
    failed: AtomicU64,
    errors: AtomicU64,
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
    fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| ReleaseLane::default()).collect(), compared: ArcSwapOption::empty() }
    }

    pub(super) fn record(&self, lane: usize, outcome: &Outcome) {
        let error = outcome.failed || outcome.status >= 500;
        let at = lane % self.lanes.len();
        let counts = &self.lanes[at];
        counts.requests.fetch_add(1, Relaxed);
        // Most requests fail in no way.
        if error {
            counts.errors.fetch_add(1, Relaxed);
            counts.failed.fetch_add(u64::from(outcome.failed), Relaxed);
        }
        if let Some(comparison) = &*self.compared.load() {
            let counts = &comparison.lanes[at];
            counts.requests.fetch_add(1, Relaxed);
            counts.errors.fetch_add(u64::from(error), Relaxed);
            if let Some(took) = outcome.took {
                counts.latencies.record(clock::second(outcome.ended), took);
            }
        }
    }

    /// Counts anew, beside the counts since the start, and latencies too.
    pub(super) fn compare(&self) {
        let lane =
            |_| ComparedLane { requests: AtomicU64::new(0), errors: AtomicU64::new(0), latencies: Histogram::new() };
        self.compared.store(Some(Arc::new(Comparison { lanes: (0..self.lanes.len()).map(lane).collect() })));
    }

    pub(super) fn stop_comparing(&self) {
        self.compared.store(None);
    }

    fn sum(&self, of: fn(&ReleaseLane) -> &AtomicU64) -> u64 {
        self.lanes.iter().map(|lane| of(lane).load(Relaxed)).sum()
    }

    fn traffic(&self, release: ReleaseNumber, second: u32) -> ReleaseTraffic {
        let compared = self.compared.load().as_ref().map(|comparison| comparison.traffic(second));
        ReleaseTraffic { release, requests: self.sum(|l| &l.requests), errors: self.sum(|l| &l.errors), compared }
    }
}

impl Comparison {
    fn traffic(&self, second: u32) -> Compared {
        let mut sum = Sum::default();
        self.lanes.iter().for_each(|lane| lane.latencies.add_to(second, &mut sum));
        Compared {
            requests: self.lanes.iter().map(|lane| lane.requests.load(Relaxed)).sum(),
            errors: self.lanes.iter().map(|lane| lane.errors.load(Relaxed)).sum(),
            p50_ms: sum.quantile(0.50),
            p95_ms: sum.quantile(0.95),
            p99_ms: sum.quantile(0.99),
        }
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
        let counts = || Arc::new(ReleaseCounts::new(lanes));
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
        traffic.releases = self.releases(second);
        traffic
    }

    fn by_release(&self) -> Vec<(ReleaseNumber, u64, u64)> {
        let releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = releases.iter().rev();
        counts.map(|(number, counts)| (*number, counts.sum(|l| &l.requests), counts.sum(|l| &l.failed))).collect()
    }

    fn releases(&self, second: u32) -> Vec<ReleaseTraffic> {
        let releases = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        releases.iter().rev().map(|(number, counts)| counts.traffic(*number, second)).collect()
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
        metrics.release(ReleaseNumber(3)).record(0, &outcome(0, 200, 5));
        metrics.release(ReleaseNumber(3)).record(1, &outcome(0, 502, 5));

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
            metrics.release(ReleaseNumber(number));
        }
        let numbers: Vec<u64> = metrics.by_release().iter().map(|(number, ..)| number.0).collect();
        assert_eq!(numbers, [30, 29, 28, 27, 26, 25, 24, 23]);
    }
}
