//! Tells of an app's traffic while it is changed.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::app::event::{Event, TrafficView};
use crate::app::journal::Journal;
use crate::app::name::{AppId, ReleaseNumber};
use crate::app::proxy::{AppTraffic, Proxy};

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
        let base = *self.base.get_or_insert((old, new, traffic.failed));
        let (old, new) = (old.saturating_sub(base.0), new.saturating_sub(base.1));
        let view = &mut self.view;
        let column = (old.saturating_sub(view.old) as u32, new.saturating_sub(view.new) as u32);
        view.series.push(column);
        let surplus = view.series.len().saturating_sub(COLUMNS);
        view.series.drain(..surplus);
        (view.old, view.new) = (old, new);
        view.failed = traffic.failed.saturating_sub(base.2);
        view.slowest_ms = traffic.slowest_ms;
    }
}

/// Requests of the release that served before, and of all others since.
fn by_release(traffic: &AppTraffic, before: Option<ReleaseNumber>) -> (u64, u64) {
    traffic.by_release.iter().fold((0, 0), |(old, new), (release, requests, _)| {
        if before.is_some_and(|b| *release <= b) { (old + requests, new) } else { (old, new + requests) }
    })
}
