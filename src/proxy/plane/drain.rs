//! Waits until a release has nothing under way.

use std::sync::Arc;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::future::select_all;
use futures_util::stream::unfold;
use tokio::time::{Instant, sleep_until};

use super::app::App;
use super::upstream::Upstream;
use crate::app::ReleaseNumber;
use crate::app::proxy::{DrainLimits, DrainProgress};

/// How often progress is told, at most.
const EVERY: Duration = Duration::from_millis(100);
/// How long what was cut may take to be gone: WebSockets are closed politely.
const GOODBYE: Duration = Duration::from_secs(3);

struct Drain {
    upstreams: Vec<Arc<Upstream>>,
    app: Option<Arc<App>>,
    requests: Limit,
    upgraded: Limit,
    told: Option<(u64, u64)>,
    next: Instant,
    over: bool,
}

struct Limit {
    at: Instant,
    cut: Option<u64>,
}

pub(super) fn drain(
    app: Option<Arc<App>>,
    release: ReleaseNumber,
    limits: DrainLimits,
) -> BoxStream<'static, DrainProgress> {
    let upstreams = app.as_ref().map(|app| app.of_release(release)).unwrap_or_default();
    upstreams.iter().for_each(|upstream| upstream.watch());
    Box::pin(unfold(None, move |drain: Option<Drain>| {
        // The time begins with the first poll, not with the call.
        let mut drain = drain.unwrap_or_else(|| {
            let now = Instant::now();
            let limit = |ms| Limit { at: now + Duration::from_millis(ms), cut: None };
            Drain {
                upstreams: upstreams.clone(),
                app: app.clone(),
                requests: limit(limits.requests_ms),
                upgraded: limit(limits.upgraded_ms),
                told: None,
                next: now,
                over: false,
            }
        });
        async move {
            let progress = drain.progress().await?;
            Some((progress, Some(drain)))
        }
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
            let (requests, upgraded) = self.under_way();
            let now = Instant::now();
            if requests + upgraded == 0 || self.given_up(now) {
                return Some(self.end(requests, upgraded));
            }
            if self.requests.cut.is_none() && now >= self.requests.at {
                self.requests.cut = Some(requests);
                self.upstreams.iter().for_each(|upstream| upstream.cut_requests());
            }
            if self.upgraded.cut.is_none() && now >= self.upgraded.at {
                self.upgraded.cut = Some(upgraded);
                self.upstreams.iter().for_each(|upstream| upstream.cut_upgraded());
            }
            if self.told != Some((requests, upgraded)) && now >= self.next {
                self.told = Some((requests, upgraded));
                self.next = now + EVERY;
                return Some(DrainProgress { requests, upgraded, cut: None });
            }
            let mut wake = now + GOODBYE;
            for limit in [&self.requests, &self.upgraded] {
                wake = wake.min(if limit.cut.is_none() { limit.at } else { limit.at + GOODBYE });
            }
            if self.told != Some((requests, upgraded)) {
                wake = wake.min(self.next);
            }
            tokio::select! {
                _ = select_all(changed) => {}
                () = sleep_until(wake.max(now + Duration::from_millis(1))) => {}
            }
        }
    }

    fn under_way(&self) -> (u64, u64) {
        self.upstreams.iter().map(|upstream| upstream.under_way()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// What was cut does not end. The release is stopped next, which ends it.
    fn given_up(&self, now: Instant) -> bool {
        [&self.requests, &self.upgraded].iter().all(|limit| limit.cut.is_some() && now >= limit.at + GOODBYE)
    }

    fn end(&mut self, requests: u64, upgraded: u64) -> DrainProgress {
        self.over = true;
        for upstream in &self.upstreams {
            let serves = self.app.as_ref().is_some_and(|app| Arc::ptr_eq(&app.live().upstream, upstream));
            if !serves {
                upstream.close_idle();
            }
        }
        let cut = self.requests.cut.unwrap_or(0) + self.upgraded.cut.unwrap_or(0);
        DrainProgress { requests, upgraded, cut: Some(cut) }
    }
}
