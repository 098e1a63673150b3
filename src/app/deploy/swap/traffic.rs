//! Tells of an app's traffic while it is changed.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::name::{AppId, ReleaseNumber};
use crate::ports::proxy::{AppTraffic, Proxy};
use crate::progress::event::{Event, TrafficView};
use crate::progress::journal::Journal;

/// One column of the drawing.
const EVERY: Duration = Duration::from_millis(500);

/// Columns kept.
const COLUMNS: usize = 60;

/// The traffic of one app since a change of it began.
pub(crate) struct Teller<'a> {
    proxy: &'a dyn Proxy,
    journal: &'a Journal,
    app: &'a AppId,
    before: Option<ReleaseNumber>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// What the counters said at first: old, new, failed.
    base: Option<(u64, u64, u64)>,
    /// What they said last.
    last: (u64, u64, u64),
    /// What was counted by workers of the proxy that were there before the present one.
    carried: (u64, u64, u64),
    view: TrafficView,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(
        proxy: &'a dyn Proxy,
        journal: &'a Journal,
        app: &'a AppId,
        before: Option<ReleaseNumber>,
    ) -> Self {
        Self { proxy, journal, app, before, seen: Mutex::default() }
    }

    /// Tells while the work is done.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let result = tokio::select! {
            result = work => result,
            never = self.go_on() => match never {},
        };
        // A swap can be over before the new release's first requests were told of.
        self.tell().await;
        result
    }

    /// Tells every half second, until dropped.
    async fn go_on(&self) -> Infallible {
        // Where the proxy cannot be asked there is nothing to tell; the change itself will say so.
        self.proxy.mark(self.app).await.ok();
        loop {
            self.tell().await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks, and writes an event if there have been requests.
    async fn tell(&self) {
        let Ok(traffic) = self.proxy.traffic(self.app).await else { return };
        let view = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.take_in(&traffic, by_release(&traffic, self.before));
            seen.view.clone()
        };
        if view.old + view.new + view.failed > 0 {
            self.journal.write(Event::Traffic(view));
        }
    }
}

impl Seen {
    fn take_in(&mut self, traffic: &AppTraffic, (old, new): (u64, u64)) {
        let now = (old, new, traffic.failed);
        let mut base = *self.base.get_or_insert(now);
        if now.0 < self.last.0 || now.1 < self.last.1 || now.2 < self.last.2 {
            // Another worker, which counts from nothing.
            self.carried = self.since(base, self.last);
            base = (0, 0, 0);
            self.base = Some(base);
        }
        self.last = now;
        let (old, new, failed) = self.since(base, now);
        let view = &mut self.view;
        let column = (old.saturating_sub(view.old) as u32, new.saturating_sub(view.new) as u32);
        view.series.push(column);
        let surplus = view.series.len().saturating_sub(COLUMNS);
        view.series.drain(..surplus);
        (view.old, view.new) = (old, new);
        view.failed = failed;
        view.slowest_ms = view.slowest_ms.max(traffic.slowest_ms);
    }

    fn since(&self, base: (u64, u64, u64), now: (u64, u64, u64)) -> (u64, u64, u64) {
        let (old, new, failed) = self.carried;
        (old + now.0.saturating_sub(base.0), new + now.1.saturating_sub(base.1), failed + now.2.saturating_sub(base.2))
    }
}

/// Requests of the release that served before, and of all others since.
fn by_release(traffic: &AppTraffic, before: Option<ReleaseNumber>) -> (u64, u64) {
    traffic.by_release.iter().fold((0, 0), |(old, new), (release, requests, _)| {
        if before.is_some_and(|b| *release <= b) { (old + requests, new) } else { (old, new + requests) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_counts_from_nothing_goes_on_where_the_last_one_stopped() {
        let mut seen = Seen::default();
        let mut look = |old, new, failed| {
            seen.take_in(&AppTraffic { failed, ..AppTraffic::default() }, (old, new));
            (seen.view.old, seen.view.new, seen.view.failed)
        };
        assert_eq!(look(100, 0, 2), (0, 0, 0));
        assert_eq!(look(150, 0, 3), (50, 0, 1));
        assert_eq!(look(4, 1, 0), (54, 1, 1));
        assert_eq!(look(4, 9, 1), (54, 9, 2));
    }
}
