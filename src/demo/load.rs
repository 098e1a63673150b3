//! The load generator: asks for things for a while and counts what goes wrong. It repeats nothing, so that nothing that
//! went wrong is hidden.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::client::{Client, Kind};

/// What a load is made of.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Whom to connect to: `host:port`.
    pub address: String,
    /// Sent as `Host`.
    pub host: String,
    /// Clients that ask at the same time, each over one connection at a time.
    pub connections: usize,
    /// How long; what is under way then is finished.
    pub duration: Duration,
    /// Between two requests of a client.
    pub pause: Duration,
    /// Of what.
    pub mix: Mix,
}

/// How much of what; a client does one thing again and again, the clients share the kinds by these weights.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// `GET /version`, connection kept.
    pub keep_alive: usize,
    /// `GET /version`, a new connection each time.
    pub close: usize,
    /// `POST /upload` of 20 to 200 KB, checked by its hash; connection kept, every other one chunked.
    pub upload: usize,
    /// `GET /slow?ms=200`.
    pub slow: usize,
    /// `GET /stream?chunks=6&ms=10`, checked to its last piece.
    pub stream: usize,
    /// A WebSocket that is talked over for a second, each echo checked.
    pub websocket: usize,
}

impl Mix {
    /// A bit of everything.
    pub const ALL: Self = Self { keep_alive: 4, close: 2, upload: 2, slow: 1, stream: 2, websocket: 1 };
    /// Plain requests over kept connections.
    pub const KEEP_ALIVE: Self = Self { keep_alive: 1, close: 0, upload: 0, slow: 0, stream: 0, websocket: 0 };
    /// Plain requests, each over a connection of its own.
    pub const CLOSE: Self = Self { keep_alive: 0, close: 1, upload: 0, slow: 0, stream: 0, websocket: 0 };

    fn kind(&self, client: usize) -> Kind {
        let kinds = [
            (Kind::KeepAlive, self.keep_alive),
            (Kind::Close, self.close),
            (Kind::Upload, self.upload),
            (Kind::Slow, self.slow),
            (Kind::Stream, self.stream),
            (Kind::WebSocket, self.websocket),
        ];
        let total: usize = kinds.iter().map(|(_, weight)| weight).sum();
        let mut at = client % total.max(1);
        for (kind, weight) in kinds {
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        Kind::KeepAlive
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:80".to_owned(),
            host: "localhost".to_owned(),
            connections: 12,
            duration: Duration::from_secs(10),
            pause: Duration::ZERO,
            mix: Mix::ALL,
        }
    }
}

/// What came of a load. Its `Display` is one line: `1204 requests, 0 failed`.
#[derive(Debug, Clone, Default)]
pub struct LoadReport {
    /// Requests made, WebSockets included.
    pub requests: u64,
    /// Of these: another status than 2xx (101 for WebSockets), a connection that could not be made or broke, an answer
    /// that is not what was asked for or ends early.
    pub failed: u64,
    /// What was wrong, of the first 20.
    pub failures: Vec<String>,
    /// When each of them began and ended, and what was wrong: of the first 10,000.
    pub failed_at: Vec<FailedAt>,
    /// Requests by what was wrong with them.
    pub reasons: BTreeMap<String, u64>,
    /// WebSockets the server closed with 1001, as it may.
    pub went_away: u64,
    /// Messages echoed over WebSockets.
    pub echoes: u64,
    /// Answers by `X-Version`.
    pub versions: BTreeMap<String, u64>,
    /// The slowest request, WebSockets left out.
    pub slowest: Duration,
    /// Half of the requests were faster.
    pub p50: Duration,
    /// 99 of 100 requests were faster.
    pub p99: Duration,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, {} failed", self.requests, self.failed)
    }
}

/// A request that failed, for whoever knows what happened then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAt {
    /// Milliseconds since 1970.
    pub began: u64,
    /// The same.
    pub ended: u64,
    /// In two words.
    pub reason: String,
}

impl fmt::Display for FailedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed {} {} {}", self.began, self.ended, self.reason)
    }
}

/// What all clients write into.
#[derive(Default)]
pub(super) struct Tally {
    report: LoadReport,
    latencies: Vec<u32>,
}

/// One request's end, as a client saw it.
pub(super) struct Seen {
    /// `None`: no latency of interest.
    pub(super) took: Option<Duration>,
    pub(super) version: Option<String>,
    pub(super) went_away: bool,
    pub(super) echoes: u64,
    pub(super) failure: Option<Failure>,
}

/// What was wrong, in two words for counting and in full.
pub(super) struct Failure {
    pub(super) reason: &'static str,
    pub(super) detail: String,
}

/// As many failures are kept with their times.
const FAILURES: usize = 10_000;

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As many latencies are kept for the quantiles; later ones only count for the slowest.
const LATENCIES: usize = 2_000_000;

impl Tally {
    fn add(&mut self, seen: Seen, began: u64) {
        let report = &mut self.report;
        report.requests += 1;
        report.went_away += u64::from(seen.went_away);
        report.echoes += seen.echoes;
        if let Some(version) = seen.version {
            *report.versions.entry(version).or_default() += 1;
        }
        if let Some(took) = seen.took {
            report.slowest = report.slowest.max(took);
            if self.latencies.len() < LATENCIES {
                self.latencies.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
            }
        }
        if let Some(failure) = seen.failure {
            report.failed += 1;
            *report.reasons.entry(failure.reason.to_owned()).or_default() += 1;
            if report.failed_at.len() < FAILURES {
                let (ended, reason) = (now_ms(), failure.reason.to_owned());
                report.failed_at.push(FailedAt { began, ended, reason });
            }
            if report.failures.len() < 20 {
                report.failures.push(format!("{}: {}", failure.reason, failure.detail));
            }
        }
    }

    fn finish(&mut self, took: Duration) -> LoadReport {
        self.latencies.sort_unstable();
        let at = |share: usize| {
            self.latencies.get((self.latencies.len() * share / 100).min(self.latencies.len().saturating_sub(1)))
        };
        let quantile = |share| Duration::from_micros(at(share).copied().unwrap_or(0).into());
        (self.report.p50, self.report.p99, self.report.took) = (quantile(50), quantile(99), took);
        std::mem::take(&mut self.report)
    }
}

/// Makes a load for [`LoadOptions::duration`] or until `stop`, and tells what came of it.
pub async fn run(options: LoadOptions, stop: CancellationToken) -> LoadReport {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let options = Arc::new(options);
    let started = Instant::now();
    let end = started + options.duration;
    let mut clients = JoinSet::new();
    for number in 0..options.connections {
        let (options, tally, stop) = (Arc::clone(&options), Arc::clone(&tally), stop.clone());
        clients.spawn(async move {
            let mut client = Client::new(&options, options.mix.kind(number), number as u64);
            while !stop.is_cancelled() && Instant::now() < end {
                let began = now_ms();
                let seen = client.once(&stop, end).await;
                let broken = seen.failure.is_some();
                tally.lock().unwrap_or_else(PoisonError::into_inner).add(seen, began);
                // A dead server is not to be asked thousands of times a second.
                let pause = if broken { options.pause.max(Duration::from_millis(10)) } else { options.pause };
                if !pause.is_zero() {
                    let _ = tokio::time::timeout(pause, stop.cancelled()).await;
                }
            }
        });
    }
    while clients.join_next().await.is_some() {}
    tally.lock().unwrap_or_else(PoisonError::into_inner).finish(started.elapsed())
}
