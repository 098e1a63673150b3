//! What an app's traffic was. Each worker thread counts for itself; reading adds up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use http::Method;

use super::answers::Answers;
use super::cause::Cause;
use super::histogram::{Histogram, Sum};
use super::minutes::{self, Minutes};
use super::per_thread::Lanes;
use super::top_paths::{PathSum, TopPaths};
use super::visitors::{HOURS, Visitors};
use crate::plane::clock;
use once_app::ReleaseNumber;
use once_app::proxy::AppTraffic;
use once_app::traffic::{Compared, ReleaseTraffic, TrafficReport, Window};

/// The series has this many whole seconds.
const SERIES: usize = 120;
const RING: usize = 128;
/// Releases remembered; a deploy a minute for an hour must not grow this.
const RELEASES: usize = 8;

/// Paths in a report.
const TOP: usize = 20;

pub(in crate::plane) struct Metrics {
    lanes: Lanes<Lane>,
    releases: Mutex<BTreeMap<ReleaseNumber, Arc<ReleaseCounts>>>,
    visitors: Visitors,
}

struct Lane {
    counts: Counts,
    slowest_micros: AtomicU64,
    seconds: [Second; RING],
    /// Only its own thread takes it for more than a look.
    details: Mutex<Details>,
}

/// What is counted of an app and of each of its releases.
struct Counts {
    requests: AtomicU64,
    classes: [AtomicU64; 5],
    failed: AtomicU64,
    /// 5xx of the app, and those broken off.
    errors: AtomicU64,
    /// Answers of the proxy's own.
    own: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    latencies: Histogram,
}

struct Details {
    answers: Answers,
    paths: TopPaths,
    minutes: Minutes,
    /// Requests that failed, by cause; most apps never need it.
    causes: Option<Box<[u64; Cause::COUNT]>>,
}

struct Second {
    number: AtomicU32,
    requests: AtomicU32,
    /// Of these: not answered by the app, nor meant to be answered by it.
    others: AtomicU32,
    /// 5xx of the app.
    errors: AtomicU32,
}

/// Whose answer a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) enum Author {
    /// The app's, or the proxy's because the app gave none: 502 and 504.
    App,
    /// The proxy's own, which says nothing about the app: the page of a closed app, a redirect, a refusal.
    Proxy,
    /// There was none: the client left before.
    Nobody,
}

/// Responses of one release.
pub(in crate::plane) struct ReleaseCounts {
    lanes: Lanes<Counts>,
    /// What came since a comparison with another release began; only while there is one: it costs memory.
    compared: ArcSwapOption<Lanes<Counts>>,
}

/// One request's end.
pub(in crate::plane) struct Outcome<'a> {
    pub(in crate::plane) ended: Instant,
    /// `None`: not a latency, as a WebSocket's life is none.
    pub(in crate::plane) took: Option<Duration>,
    pub(in crate::plane) method: &'a Method,
    /// Without the query.
    pub(in crate::plane) path: &'a str,
    pub(in crate::plane) client: IpAddr,
    pub(in crate::plane) status: u16,
    pub(in crate::plane) failed: bool,
    pub(in crate::plane) author: Author,
    /// What went wrong.
    pub(in crate::plane) cause: Option<Cause>,
    pub(in crate::plane) bytes_in: u64,
    pub(in crate::plane) bytes_out: u64,
}

impl ReleaseCounts {
    fn new(lanes: usize) -> Self {
        Self { lanes: Lanes::new(lanes), compared: ArcSwapOption::empty() }
    }

    pub(in crate::plane) fn record(&self, lane: usize, outcome: &Outcome<'_>) {
        self.lanes.of(lane).record(outcome);
        if let Some(compared) = &*self.compared.load() {
            compared.of(lane).record(outcome);
        }
    }

    /// What passed over a connection that was upgraded, and has been counted as a request.
    pub(in crate::plane) fn add_bytes(&self, lane: usize, bytes_in: u64, bytes_out: u64) {
        let counts = self.lanes.of(lane);
        counts.bytes_in.fetch_add(bytes_in, Relaxed);
        counts.bytes_out.fetch_add(bytes_out, Relaxed);
    }

    /// Counts anew, beside the counts since the start.
    pub(in crate::plane) fn compare(&self) {
        self.compared.store(Some(Arc::new(Lanes::new(self.lanes.len()))));
    }

    pub(in crate::plane) fn stop_comparing(&self) {
        self.compared.store(None);
    }

    fn traffic(&self, release: ReleaseNumber, second: u32) -> ReleaseTraffic {
        let mut traffic = sum(&self.lanes, release, second);
        traffic.compared = self.compared.load().as_ref().map(|lanes| {
            let ReleaseTraffic { requests, errors, p50_ms, p95_ms, p99_ms, .. } = sum(lanes, release, second);
            Compared { requests, errors, p50_ms, p95_ms, p99_ms }
        });
        traffic
    }
}

fn sum(lanes: &Lanes<Counts>, release: ReleaseNumber, second: u32) -> ReleaseTraffic {
    let mut sum = Sum::default();
    let (mut traffic, mut own) = (ReleaseTraffic::none(release), 0);
    for counts in lanes.used() {
        traffic.requests += counts.requests.load(Relaxed);
        traffic.failed += counts.failed.load(Relaxed);
        traffic.errors += counts.errors.load(Relaxed);
        own += counts.own.load(Relaxed);
        traffic.bytes_in += counts.bytes_in.load(Relaxed);
        traffic.bytes_out += counts.bytes_out.load(Relaxed);
        traffic.classes.iter_mut().zip(&counts.classes).for_each(|(to, from)| *to += from.load(Relaxed));
        counts.latencies.add_to(second, &mut sum);
    }
    traffic.own = Some(own);
    [traffic.p50_ms, traffic.p95_ms, traffic.p99_ms] = sum.quantiles();
    traffic
}

impl Metrics {
    pub(in crate::plane) fn new(lanes: usize) -> Self {
        Self { lanes: Lanes::new(lanes), releases: Mutex::default(), visitors: Visitors::default() }
    }

    /// The counts of a release, which go on if it serves again.
    pub(in crate::plane) fn release(&self, release: ReleaseNumber) -> Arc<ReleaseCounts> {
        let mut releases = self.releases();
        let counts = || Arc::new(ReleaseCounts::new(self.lanes.len()));
        let counts = Arc::clone(releases.entry(release).or_insert_with(counts));
        while releases.len() > RELEASES {
            releases.pop_first();
        }
        counts
    }

    pub(in crate::plane) fn record(&self, lane: usize, outcome: &Outcome<'_>) {
        let lane = self.lanes.of(lane);
        let now = lane.counts.record(outcome);
        let error = outcome.is_error();
        lane.seconds[now as usize % RING].record(now, outcome.author, error);
        if let Some(took) = outcome.took {
            let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            if micros > lane.slowest_micros.load(Relaxed) {
                lane.slowest_micros.fetch_max(micros, Relaxed);
            }
        }
        let hour = clock::hour(now);
        self.visitors.came(hour, outcome.client);
        let mut details = lane.details();
        details.answers.record(outcome.method, outcome.status, outcome.took);
        details.paths.asked(hour / 24, outcome.path);
        details.minutes.record(now, error);
        if let (true, Some(cause)) = (outcome.failed, outcome.cause) {
            details.causes.get_or_insert_default()[cause as usize] += 1;
        }
    }

    /// All but what is under way, which the upstreams know.
    pub(in crate::plane) fn traffic(&self, now: Instant) -> AppTraffic {
        let second = clock::second(now);
        let mut sum = Sum::default();
        let mut traffic =
            AppTraffic { per_second: vec![0; SERIES], errors_per_second: vec![0; SERIES], ..<_>::default() };
        let (mut slowest, mut own, mut window) = (0, 0, Window::default());
        for lane in self.lanes.used() {
            let counts = &lane.counts;
            traffic.requests += counts.requests.load(Relaxed);
            traffic.classes.iter_mut().zip(&counts.classes).for_each(|(to, from)| *to += from.load(Relaxed));
            traffic.failed += counts.failed.load(Relaxed);
            own += counts.own.load(Relaxed);
            traffic.bytes_in += counts.bytes_in.load(Relaxed);
            traffic.bytes_out += counts.bytes_out.load(Relaxed);
            slowest = slowest.max(lane.slowest_micros.load(Relaxed));
            counts.latencies.add_to(second, &mut sum);
            lane.add_series(second, &mut traffic.per_second, &mut traffic.errors_per_second);
            lane.add_to_window(second, &mut window);
        }
        (traffic.own, traffic.recent) = (Some(own), Some(window.recent()));
        traffic.rate = traffic.per_second.iter().rev().take(10).map(|n| f64::from(*n)).sum::<f64>() / 10.0;
        [traffic.p50_ms, traffic.p95_ms, traffic.p99_ms] = sum.quantiles();
        traffic.slowest_ms = slowest.div_ceil(1000);
        traffic.releases = self.by_release(second);
        traffic.by_release = traffic.releases.iter().map(|of| (of.release, of.requests, of.failed)).collect();
        let hour = clock::hour(second);
        traffic.visitors_today = self.visitors.count(hour, hour % 24 + 1);
        traffic.visitors_24h = self.visitors.count(hour, HOURS);
        traffic
    }

    pub(in crate::plane) fn report(&self, now: Instant) -> TrafficReport {
        let second = clock::second(now);
        let hour = clock::hour(second);
        let (mut by_minute, mut by_ten) = minutes::series();
        let mut paths = PathSum::default();
        for lane in self.lanes.used() {
            let details = lane.details();
            details.minutes.add_to(second, &mut by_minute, &mut by_ten);
            details.paths.add_to(hour / 24, &mut paths);
        }
        let visitors = |back| u32::try_from(self.visitors.count(hour.saturating_sub(back), 1)).unwrap_or(u32::MAX);
        TrafficReport {
            hour: by_minute,
            day: by_ten,
            visitors_by_hour: (0..HOURS).rev().map(visitors).collect(),
            paths: paths.top(TOP),
        }
    }

    /// All answers since the start.
    pub(in crate::plane) fn answers(&self) -> Answers {
        let mut sum = Answers::default();
        self.lanes.used().for_each(|lane| lane.details().answers.add_to(&mut sum));
        sum
    }

    /// Requests that failed since the start: those of each cause that there was.
    pub(in crate::plane) fn causes(&self) -> Vec<(Cause, u64)> {
        let mut sum = [0; Cause::COUNT];
        for lane in self.lanes.used() {
            let details = lane.details();
            let counts = details.causes.iter().flat_map(|counts| counts.iter());
            sum.iter_mut().zip(counts).for_each(|(to, from)| *to += from);
        }
        Cause::ALL.into_iter().zip(sum).filter(|(_, count)| *count > 0).collect()
    }

    fn releases(&self) -> MutexGuard<'_, BTreeMap<ReleaseNumber, Arc<ReleaseCounts>>> {
        self.releases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest first.
    fn by_release(&self, second: u32) -> Vec<ReleaseTraffic> {
        self.releases().iter().rev().map(|(number, counts)| counts.traffic(*number, second)).collect()
    }

    pub(in crate::plane) fn mark(&self) {
        for lane in self.lanes.used() {
            lane.slowest_micros.store(0, Relaxed);
        }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            classes: Default::default(),
            failed: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            own: AtomicU64::new(0),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            latencies: Histogram::new(),
        }
    }
}

impl Counts {
    /// Gives the second it was.
    fn record(&self, outcome: &Outcome<'_>) -> u32 {
        self.requests.fetch_add(1, Relaxed);
        if let Some(class) = self.classes.get(usize::from(outcome.status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Relaxed);
        }
        if outcome.author == Author::Proxy {
            self.own.fetch_add(1, Relaxed);
        }
        // Most requests fail in no way.
        if outcome.failed || outcome.is_error() {
            self.errors.fetch_add(1, Relaxed);
            self.failed.fetch_add(u64::from(outcome.failed), Relaxed);
        }
        self.bytes_in.fetch_add(outcome.bytes_in, Relaxed);
        self.bytes_out.fetch_add(outcome.bytes_out, Relaxed);
        let now = clock::second(outcome.ended);
        if let Some(took) = outcome.took {
            self.latencies.record(now, took);
        }
        now
    }
}

impl Default for Lane {
    fn default() -> Self {
        let zero = || AtomicU32::new(0);
        let second = || Second { number: zero(), requests: zero(), others: zero(), errors: zero() };
        let details = Details { answers: <_>::default(), paths: <_>::default(), minutes: Minutes::new(), causes: None };
        Self {
            counts: Counts::default(),
            slowest_micros: AtomicU64::new(0),
            seconds: std::array::from_fn(|_| second()),
            details: Mutex::new(details),
        }
    }
}

impl Lane {
    fn details(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_to_window(&self, now: u32, window: &mut Window) {
        for second in self.seconds.iter().filter(|second| second.number.load(Relaxed) != 0) {
            let answers = second.requests.load(Relaxed).saturating_sub(second.others.load(Relaxed));
            let age = now.wrapping_sub(second.number.load(Relaxed));
            window.add(age, answers, second.errors.load(Relaxed));
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
    fn record(&self, now: u32, author: Author, error: bool) {
        let seen = self.number.load(Relaxed);
        if seen != now && self.number.compare_exchange(seen, now, Relaxed, Relaxed).is_ok() {
            self.requests.store(0, Relaxed);
            self.others.store(0, Relaxed);
            self.errors.store(0, Relaxed);
        }
        self.requests.fetch_add(1, Relaxed);
        if author != Author::App {
            self.others.fetch_add(1, Relaxed);
        }
        if error {
            self.errors.fetch_add(1, Relaxed);
        }
    }
}

impl Outcome<'_> {
    /// A 5xx of the app's own, or one that it is given in its stead.
    fn is_error(&self) -> bool {
        self.status >= 500 && self.author == Author::App
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
            method: &Method::GET,
            path: "/cart",
            client: IpAddr::from([10, 0, 0, u8::try_from(ms).unwrap()]),
            ended: start + Duration::from_secs(after),
            took: Some(Duration::from_millis(ms)),
            status,
            failed: status == 502,
            author: Author::App,
            cause: (status == 502).then_some(Cause::Refused),
            bytes_in: 1,
            bytes_out: 10,
        };
        for i in 0..20 {
            metrics.record(i, &outcome(0, 200, 5));
        }
        metrics.record(0, &outcome(1, 502, 80));
        metrics.record(1, &outcome(1, 101, 1));
        metrics.release(ReleaseNumber(3)).record(0, &outcome(1, 200, 40));
        metrics.release(ReleaseNumber(3)).record(1, &outcome(1, 502, 40));
        metrics.release(ReleaseNumber(3)).add_bytes(1, 100, 1000);

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
        let release = &traffic.releases[0];
        assert_eq!((release.release, release.classes), (ReleaseNumber(3), [0, 1, 0, 0, 1]));
        assert_eq!((release.bytes_in, release.bytes_out), (102, 1020));
        assert!((36.0..44.0).contains(&release.p95_ms.unwrap()), "{release:?}");
        assert_eq!((traffic.visitors_today, traffic.visitors_24h), (3, 3));

        let report = metrics.report(start + Duration::from_secs(2));
        assert_eq!(report.hour.requests.iter().sum::<u32>(), 22);
        assert_eq!(report.day.errors.iter().sum::<u32>(), 1);
        assert_eq!(report.visitors_by_hour.len(), 24);
        assert_eq!((report.paths[0].path.as_str(), report.paths[0].at_least), ("/cart", 22));
        assert_eq!(metrics.causes(), [(Cause::Refused, 1)]);
        let answers = metrics.answers().sorted();
        let answers: Vec<_> = answers.iter().map(|pair| (pair.method, pair.status(), pair.count)).collect();
        assert_eq!(answers, [("GET", "101".into(), 1), ("GET", "200".into(), 20), ("GET", "502".into(), 1)]);

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
            drop(metrics.release(ReleaseNumber(number)));
        }
        let numbers: Vec<u64> = metrics.by_release(1).iter().map(|of| of.release.0).collect();
        assert_eq!(numbers, [30, 29, 28, 27, 26, 25, 24, 23]);
    }
}
