//! Waits until a release has nothing under way.

use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::future::select_all;
use futures_util::stream::unfold;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument, debug, debug_span};

use crate::plane::routing::app::App;
use crate::plane::upstream::Upstream;
use once_app::ReleaseNumber;
use once_app::proxy::{DrainLimits, DrainProgress};

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);
/// How long what was cut may take to be gone: WebSockets are closed politely.
const GOODBYE: Duration = Duration::from_secs(3);

struct Drain {
    upstreams: Vec<Arc<Upstream>>,
    app: Option<Arc<App>>,
    requests: Limit,
    /// For streams and upgraded connections.
    streams: Limit,
    /// What was cut so far.
    cut: u64,
    told: Option<Counts>,
    next: Instant,
    over: bool,
}

struct Limit {
    at: Instant,
    passed: bool,
}

/// What is under way.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    /// Not begun, or of a known length.
    requests: u64,
    events: u64,
    open: u64,
    upgraded: u64,
}

impl Counts {
    const fn progress(self, cut: Option<u64>) -> DrainProgress {
        let streams = self.events + self.open;
        DrainProgress { requests: self.requests, streams, upgraded: self.upgraded, cut }
    }
}

pub(in crate::plane) fn drain(
    app: Option<Arc<App>>,
    release: ReleaseNumber,
    limits: DrainLimits,
) -> BoxStream<'static, DrainProgress> {
    let upstreams = app.as_ref().map(|app| app.of_release(release)).unwrap_or_default();
    upstreams.iter().for_each(|upstream| upstream.watch());
    let name = app.as_ref().map(|app| app.live().route.name.to_string()).unwrap_or_default();
    let span = debug_span!("drain", app = name, release = release.0);
    Box::pin(unfold(None, move |drain: Option<Drain>| {
        // The time begins with the first poll, not with the call.
        let mut drain = drain.unwrap_or_else(|| {
            let now = Instant::now();
            let limit = |ms| Limit { at: now + Duration::from_millis(ms), passed: false };
            Drain {
                upstreams: upstreams.clone(),
                app: app.clone(),
                requests: limit(limits.requests_ms),
                streams: limit(limits.upgraded_ms),
                cut: 0,
                told: None,
                next: now,
                over: false,
            }
        });
        async move {
            let progress = drain.progress().await?;
            Some((progress, Some(drain)))
        }
        .instrument(span.clone())
    }))
}

impl Drain {
    async fn progress(&mut self) -> Option<DrainProgress> {
        if self.over {
            return None;
        }
        loop {
            let upstreams = self.upstreams.clone();
            let changed: Vec<_> = upstreams.iter().map(|upstream| Box::pin(upstream.quieter.notified())).collect();
            let counts = self.under_way();
            let now = Instant::now();
            if counts == Counts::default() || self.given_up(now) {
                return Some(self.end(counts));
            }
            self.cut_what_is_due(now, counts);
            if self.told != Some(counts) && now >= self.next {
                self.told = Some(counts);
                self.next = now + EVERY;
                return Some(counts.progress(None));
            }
            let mut wake = now + GOODBYE;
            for limit in [&self.requests, &self.streams] {
                wake = wake.min(if limit.passed { limit.at + GOODBYE } else { limit.at });
            }
            if self.told != Some(counts) {
                wake = wake.min(self.next);
            }
            tokio::select! {
                _ = select_all(changed) => {}
                () = sleep_until(wake.max(now + Duration::from_millis(1))) => {}
            }
        }
    }

    /// Requests at their limit, events and upgraded connections at that of streams, answers of unknown length at the
    /// later of both.
    fn cut_what_is_due(&mut self, now: Instant, counts: Counts) {
        if !self.streams.passed && now >= self.streams.at {
            self.streams.passed = true;
            debug!(events = counts.events, upgraded = counts.upgraded, "the limit of streams has passed");
            self.cut += counts.events + counts.upgraded + if self.requests.passed { counts.open } else { 0 };
            self.upstreams.iter().for_each(|upstream| upstream.cut_streams());
        }
        if !self.requests.passed && now >= self.requests.at {
            self.requests.passed = true;
            debug!(requests = counts.requests, "the limit of requests has passed");
            self.cut += counts.requests + if self.streams.passed { counts.open } else { 0 };
            self.upstreams.iter().for_each(|upstream| upstream.cut_requests());
        }
    }

    fn under_way(&self) -> Counts {
        self.upstreams.iter().fold(Counts::default(), |sum, upstream| {
            // Read one after the other, all requests last: a stream that ends in between is none of them any more.
            let (events, open) = upstream.streams();
            let (all, upgraded) = upstream.under_way();
            let events = events.min(all);
            let open = open.min(all - events);
            Counts {
                requests: sum.requests + all - events - open,
                events: sum.events + events,
                open: sum.open + open,
                upgraded: sum.upgraded + upgraded,
            }
        })
    }

    /// What was cut does not end. The release is stopped next, which ends it.
    fn given_up(&self, now: Instant) -> bool {
        [&self.requests, &self.streams].iter().all(|limit| limit.passed && now >= limit.at + GOODBYE)
    }

    fn end(&mut self, counts: Counts) -> DrainProgress {
        self.over = true;
        debug!(cut = self.cut, left = counts.requests + counts.upgraded, "drained");
        for upstream in &self.upstreams {
            let is = |live: Arc<Upstream>| Arc::ptr_eq(&live, upstream);
            let serves = self.app.as_ref().is_some_and(|app| app.live().upstreams().any(is));
            if !serves {
                upstream.close_idle();
            }
        }
        counts.progress(Some(self.cut))
    }
}
