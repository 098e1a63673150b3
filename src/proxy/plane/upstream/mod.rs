//! One release as it is being used: what it has under way, and its resting connections.

pub(crate) mod attempt;
pub(crate) mod empty_frames;
pub(crate) mod forward;
pub(crate) mod h2_pool;
pub(crate) mod multiplex;
pub(crate) mod outage;
pub(crate) mod pool;
pub(crate) mod write_coalesce;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::telemetry::metrics::ReleaseCounts;
use h2_pool::Trunks;
use once_app::Target;
use outage::Outage;
use pool::Wire;

pub(super) struct Upstream {
    pub(super) target: Target,
    pub(super) counts: Arc<ReleaseCounts>,
    pub(super) outage: Outage,
    lanes: Box<[Lane]>,
    /// Somebody waits for the counts to reach zero.
    drained: AtomicBool,
    /// Woken on each change of the counts while `drained` is set.
    pub(super) quieter: Notify,
    requests_cut: AtomicU64,
    streams_cut: AtomicU64,
    pub(super) upgraded_end: Notify,
}

/// What a request's answer is, for the limits of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Not begun, or of a known length: it has the time of requests.
    Request,
    /// Server-sent events: it has the time of streams, also where that is shorter.
    Events,
    /// Of unknown length: a stream, or an ordinary page that is being made. It has the longer of both times.
    Open,
}

/// What one worker thread does with the upstream; apart from the others' so that they do not share cache lines.
#[repr(align(128))]
struct Lane {
    requests: AtomicU64,
    /// Of these: server-sent events, and answers of unknown length.
    events: AtomicU64,
    open: AtomicU64,
    upgraded: AtomicU64,
    cut: Arc<Notify>,
    #[expect(clippy::vec_box, reason = "a wire is large, and is moved in and out for each request")]
    idle: Mutex<Vec<Box<Wire>>>,
    /// Few apps have any.
    trunks: OnceLock<Box<Trunks>>,
}

impl Lane {
    const fn of(&self, kind: Kind) -> Option<&AtomicU64> {
        match kind {
            Kind::Request => None,
            Kind::Events => Some(&self.events),
            Kind::Open => Some(&self.open),
        }
    }
}

impl Upstream {
    pub(super) fn new(target: Target, counts: Arc<ReleaseCounts>, lanes: usize) -> Self {
        let lane = || Lane {
            requests: AtomicU64::new(0),
            events: AtomicU64::new(0),
            open: AtomicU64::new(0),
            upgraded: AtomicU64::new(0),
            cut: Arc::new(Notify::new()),
            idle: Mutex::new(Vec::new()),
            trunks: OnceLock::new(),
        };
        Self {
            target,
            counts,
            outage: Outage::default(),
            lanes: (0..lanes.max(1)).map(|_| lane()).collect(),
            drained: AtomicBool::new(false),
            quieter: Notify::new(),
            requests_cut: AtomicU64::new(0),
            streams_cut: AtomicU64::new(0),
            upgraded_end: Notify::new(),
        }
    }

    fn lane(&self, lane: usize) -> &Lane {
        &self.lanes[lane % self.lanes.len()]
    }

    pub(super) fn count_in(&self, lane: usize) {
        self.lane(lane).requests.fetch_add(1, Ordering::SeqCst);
        // Pairs with the one in `under_way`: either the drainer sees this count, or this thread sees the new route.
        fence(Ordering::SeqCst);
    }

    pub(super) fn count_stream_in(&self, lane: usize, kind: Kind) {
        if let Some(count) = self.lane(lane).of(kind) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn count_out(&self, lane: usize, kind: Kind) {
        if let Some(count) = self.lane(lane).of(kind) {
            count.fetch_sub(1, Ordering::SeqCst);
        }
        self.lane(lane).requests.fetch_sub(1, Ordering::SeqCst);
        self.tell();
    }

    pub(super) fn count_upgraded_in(&self, lane: usize) {
        self.lane(lane).upgraded.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn count_upgraded_out(&self, lane: usize) {
        self.lane(lane).upgraded.fetch_sub(1, Ordering::SeqCst);
        self.tell();
    }

    fn tell(&self) {
        if self.drained.load(Ordering::SeqCst) {
            self.quieter.notify_waiters();
        }
    }

    /// From now on `quieter` is woken.
    pub(super) fn watch(&self) {
        self.drained.store(true, Ordering::SeqCst);
    }

    /// Of the requests under way: server-sent events, and answers of unknown length.
    pub(super) fn streams(&self) -> (u64, u64) {
        let sum = |of: fn(&Lane) -> &AtomicU64| self.lanes.iter().map(|lane| of(lane).load(Ordering::SeqCst)).sum();
        (sum(|lane| &lane.events), sum(|lane| &lane.open))
    }

    /// Requests, streams among them, and upgraded connections.
    pub(super) fn under_way(&self) -> (u64, u64) {
        fence(Ordering::SeqCst);
        // Upgraded ones last: a request that is being upgraded counts as both for a moment, never as none.
        let requests = self.lanes.iter().map(|lane| lane.requests.load(Ordering::SeqCst)).sum();
        let upgraded = self.lanes.iter().map(|lane| lane.upgraded.load(Ordering::SeqCst)).sum();
        (requests, upgraded)
    }

    /// How often requests were cut, and how often streams and upgraded connections: what began under an earlier number
    /// is to end.
    pub(super) fn cuts(&self) -> (u64, u64) {
        (self.requests_cut.load(Ordering::SeqCst), self.streams_cut.load(Ordering::SeqCst))
    }

    pub(super) fn cut_signal(&self, lane: usize) -> Arc<Notify> {
        Arc::clone(&self.lane(lane).cut)
    }

    /// Ends the requests that are under way now; later ones are not concerned.
    pub(super) fn cut_requests(&self) {
        self.requests_cut.fetch_add(1, Ordering::SeqCst);
        self.signal();
    }

    /// Closes the streams and upgraded connections that are open now.
    pub(super) fn cut_streams(&self) {
        self.streams_cut.fetch_add(1, Ordering::SeqCst);
        self.upgraded_end.notify_waiters();
        self.signal();
    }

    fn signal(&self) {
        for lane in &self.lanes {
            lane.cut.notify_waiters();
        }
    }

    pub(super) fn idle<R>(&self, lane: usize, with: impl FnOnce(&mut Vec<Box<Wire>>) -> R) -> R {
        with(&mut self.lane(lane).idle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn close_idle(&self) {
        for lane in 0..self.lanes.len() {
            drop(self.idle(lane, std::mem::take));
            self.known_trunks(lane).into_iter().for_each(Trunks::close);
        }
    }

    /// Connections that many requests share.
    pub(super) fn trunks(&self, lane: usize) -> &Trunks {
        self.lane(lane).trunks.get_or_init(Box::default)
    }

    /// The same where there are any.
    pub(super) fn known_trunks(&self, lane: usize) -> Option<&Trunks> {
        self.lane(lane).trunks.get().map(|trunks| &**trunks)
    }
}
