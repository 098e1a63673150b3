//! One app as the plane knows it, across its routes and releases.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tracing::{debug, debug_span};

use super::canary::Canary;
use crate::plane::policy::guard::Guard;
use crate::plane::telemetry::metrics::Metrics;
use crate::plane::upstream::Upstream;
use once_app::{AppId, ReleaseNumber, Route, Target};

pub(in crate::plane) struct App {
    pub(in crate::plane) id: AppId,
    pub(in crate::plane) metrics: Metrics,
    /// Requests held.
    pub(in crate::plane) held: AtomicU64,
    /// Woken whenever `live` changes.
    pub(in crate::plane) changed: Notify,
    live: ArcSwap<Live>,
    /// Served before and may still have something under way. Also orders those who change `live`.
    retired: Mutex<Vec<Arc<Upstream>>>,
    lanes: usize,
}

/// What is true of an app at one moment; replaced as a whole, so that one look tells all.
pub(in crate::plane) struct Live {
    pub(in crate::plane) route: Route,
    pub(in crate::plane) upstream: Arc<Upstream>,
    pub(in crate::plane) canary: Option<Arc<Canary>>,
    pub(in crate::plane) gate: Gate,
    /// What requests have to get past first.
    pub(in crate::plane) guard: Option<Arc<Guard>>,
}

#[derive(Clone, Copy)]
pub(in crate::plane) enum Gate {
    Open,
    Held { until: Instant },
    Removed,
}

/// How many releases of an app are remembered besides the serving one, when they have nothing under way.
const REMEMBERED: usize = 4;

impl App {
    pub(in crate::plane) fn new(route: Route, lanes: usize) -> Self {
        let metrics = Metrics::new(lanes);
        let live = live(route, None, &mut Vec::new(), &metrics, lanes);
        Self {
            id: live.route.app.clone(),
            metrics,
            held: AtomicU64::new(0),
            changed: Notify::new(),
            live: ArcSwap::from_pointee(live),
            retired: Mutex::new(Vec::new()),
            lanes,
        }
    }

    pub(in crate::plane) fn live(&self) -> arc_swap::Guard<Arc<Live>> {
        self.live.load()
    }

    /// The new route serves from now on; a hold ends. Requests under way stay where they are.
    pub(in crate::plane) fn switch(&self, route: Route) {
        let span = debug_span!("switch", app = route.name.as_str(), release = route.target.release.0);
        let _inside = span.enter();
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        // What is taken up again leaves the retired ones, what is not joins them.
        retired.extend(old.upstreams());
        self.put(live(route, Some(&old), &mut retired, &self.metrics, self.lanes));
        forget(&mut retired);
        let (from, to) = (&old.upstream.target, &self.live().upstream.target);
        debug!(from = from.address, to = to.address, "the route is switched");
    }

    pub(in crate::plane) fn hold(&self, until: Instant) {
        self.set_gate(Gate::Held { until });
    }

    /// When the present hold ends at the latest.
    pub(in crate::plane) fn held_until(&self) -> Option<Instant> {
        match self.live().gate {
            Gate::Held { until } => Some(until),
            Gate::Open | Gate::Removed => None,
        }
    }

    pub(in crate::plane) fn resume(&self) {
        self.set_gate(Gate::Open);
    }

    pub(in crate::plane) fn remove(&self) {
        self.set_gate(Gate::Removed);
    }

    fn set_gate(&self, gate: Gate) {
        let _order = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        let (upstream, canary, guard) = (Arc::clone(&old.upstream), old.canary.clone(), old.guard.clone());
        self.put(Live { route: old.route.clone(), upstream, canary, gate, guard });
    }

    fn put(&self, live: Live) {
        self.live.store(Arc::new(live));
        self.changed.notify_waiters();
    }

    /// All upstreams that may have something under way, the serving one first.
    pub(in crate::plane) fn upstreams(&self) -> Vec<Arc<Upstream>> {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = self.live().upstreams().collect();
        all.extend(retired.iter().cloned());
        all
    }

    pub(in crate::plane) fn of_release(&self, release: ReleaseNumber) -> Vec<Arc<Upstream>> {
        self.upstreams().into_iter().filter(|upstream| upstream.target.release == release).collect()
    }
}

impl Live {
    /// Those that get requests, the serving one first.
    pub(in crate::plane) fn upstreams(&self) -> impl Iterator<Item = Arc<Upstream>> {
        std::iter::once(Arc::clone(&self.upstream)).chain(self.canary.iter().map(|canary| Arc::clone(&canary.upstream)))
    }
}

/// What a route comes to: upstreams that are known are taken from `known`.
fn live(route: Route, before: Option<&Live>, known: &mut Vec<Arc<Upstream>>, metrics: &Metrics, lanes: usize) -> Live {
    let mut take = |target: &Target| match known.iter().position(|upstream| upstream.target == *target) {
        Some(at) => known.remove(at),
        None => Arc::new(Upstream::new(target.clone(), metrics.release(target.release), lanes)),
    };
    let upstream = take(&route.target);
    let canary = route.canary.as_ref().map(|canary| Arc::new(Canary::new(canary, take(&canary.target))));
    let compared = before.and_then(|before| Some((&before.upstream, &before.canary.as_ref()?.upstream)));
    match (&canary, compared) {
        // The same two as before: their comparison goes on.
        (Some(canary), Some((old, new))) if Arc::ptr_eq(old, &upstream) && Arc::ptr_eq(new, &canary.upstream) => {}
        (Some(canary), _) => {
            upstream.counts.compare();
            canary.upstream.counts.compare();
        }
        (None, Some((old, new))) => {
            old.counts.stop_comparing();
            new.counts.stop_comparing();
        }
        (None, None) => {}
    }
    let guard = Guard::new(&route.web, before.and_then(|before| before.guard.as_deref()));
    Live { route, upstream, canary, gate: Gate::Open, guard }
}

fn forget(retired: &mut Vec<Arc<Upstream>>) {
    let mut spare = retired.len().saturating_sub(REMEMBERED);
    retired.retain(|upstream| {
        let goes = spare > 0 && upstream.under_way() == (0, 0);
        spare -= usize::from(goes);
        !goes
    });
}
