//! One app as the plane knows it, across its routes and releases.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;

use super::metrics::Metrics;
use super::upstream::Upstream;
use crate::app::{AppId, ReleaseNumber, Route};

pub(super) struct App {
    pub(super) id: AppId,
    pub(super) metrics: Metrics,
    /// Requests held.
    pub(super) held: AtomicU64,
    /// Woken whenever `live` changes.
    pub(super) changed: Notify,
    live: ArcSwap<Live>,
    /// Served before and may still have something under way. Also orders those who change `live`.
    retired: Mutex<Vec<Arc<Upstream>>>,
    lanes: usize,
}

/// What is true of an app at one moment; replaced as a whole, so that one look tells all.
pub(super) struct Live {
    pub(super) route: Route,
    pub(super) upstream: Arc<Upstream>,
    pub(super) gate: Gate,
}

#[derive(Clone, Copy)]
pub(super) enum Gate {
    Open,
    Held { until: Instant },
    Removed,
}

/// How many releases of an app are remembered besides the serving one, when they have nothing under way.
const REMEMBERED: usize = 4;

impl App {
    pub(super) fn new(route: Route, lanes: usize) -> Self {
        let metrics = Metrics::new(lanes);
        let upstream = Arc::new(Upstream::new(route.target.clone(), metrics.release(route.target.release), lanes));
        Self {
            id: route.app.clone(),
            metrics,
            held: AtomicU64::new(0),
            changed: Notify::new(),
            live: ArcSwap::from_pointee(Live { route, upstream, gate: Gate::Open }),
            retired: Mutex::new(Vec::new()),
            lanes,
        }
    }

    pub(super) fn live(&self) -> Guard<Arc<Live>> {
        self.live.load()
    }

    /// The new route serves from now on; a hold ends. Requests under way stay where they are.
    pub(super) fn switch(&self, route: Route) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        let upstream = if old.upstream.target == route.target {
            Arc::clone(&old.upstream)
        } else {
            let known = retired.iter().position(|u| u.target == route.target).map(|at| retired.remove(at));
            let counts = || self.metrics.release(route.target.release);
            retired.push(Arc::clone(&old.upstream));
            known.unwrap_or_else(|| Arc::new(Upstream::new(route.target.clone(), counts(), self.lanes)))
        };
        self.put(Live { route, upstream, gate: Gate::Open });
        forget(&mut retired);
    }

    pub(super) fn hold(&self, until: Instant) {
        self.set_gate(Gate::Held { until });
    }

    /// When the present hold ends at the latest.
    pub(super) fn held_until(&self) -> Option<Instant> {
        match self.live().gate {
            Gate::Held { until } => Some(until),
            Gate::Open | Gate::Removed => None,
        }
    }

    pub(super) fn resume(&self) {
        self.set_gate(Gate::Open);
    }

    pub(super) fn remove(&self) {
        self.set_gate(Gate::Removed);
    }

    fn set_gate(&self, gate: Gate) {
        let _order = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let old = self.live.load_full();
        self.put(Live { route: old.route.clone(), upstream: Arc::clone(&old.upstream), gate });
    }

    fn put(&self, live: Live) {
        self.live.store(Arc::new(live));
        self.changed.notify_waiters();
    }

    /// All upstreams that may have something under way, the serving one first.
    pub(super) fn upstreams(&self) -> Vec<Arc<Upstream>> {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = vec![Arc::clone(&self.live().upstream)];
        all.extend(retired.iter().cloned());
        all
    }

    pub(super) fn of_release(&self, release: ReleaseNumber) -> Vec<Arc<Upstream>> {
        self.upstreams().into_iter().filter(|upstream| upstream.target.release == release).collect()
    }
}

fn forget(retired: &mut Vec<Arc<Upstream>>) {
    let mut spare = retired.len().saturating_sub(REMEMBERED);
    retired.retain(|upstream| {
        let goes = spare > 0 && upstream.under_way() == (0, 0);
        spare -= usize::from(goes);
        !goes
    });
}
