//! Tells of an app's traffic while it is changed.

use std::convert::Infallible;
use std::time::Duration;

use crate::app::event::{Event, TrafficView};
use crate::app::journal::Journal;
use crate::app::name::{AppId, ReleaseNumber};
use crate::app::proxy::{AppTraffic, Proxy};

/// One column of the drawing.
const EVERY: Duration = Duration::from_millis(500);

/// Columns kept.
const COLUMNS: usize = 60;

/// Writes a traffic event whenever a request came, until dropped.
pub(crate) async fn tell(
    proxy: &dyn Proxy,
    journal: &Journal,
    app: &AppId,
    before: Option<ReleaseNumber>,
) -> Infallible {
    // Where the proxy cannot be asked there is nothing to tell; the change itself will say so.
    proxy.mark(app).await.ok();
    let mut base: Option<(u64, u64, u64)> = None;
    let mut view = TrafficView::default();
    loop {
        if let Ok(traffic) = proxy.traffic(app).await {
            let (old, new) = by_release(&traffic, before);
            let base = *base.get_or_insert((old, new, traffic.failed));
            let next = (old.saturating_sub(base.0), new.saturating_sub(base.1));
            let column = (next.0.saturating_sub(view.old) as u32, next.1.saturating_sub(view.new) as u32);
            view.series.push(column);
            let surplus = view.series.len().saturating_sub(COLUMNS);
            view.series.drain(..surplus);
            (view.old, view.new) = next;
            view.failed = traffic.failed.saturating_sub(base.2);
            view.slowest_ms = traffic.slowest_ms;
            if view.old + view.new + view.failed > 0 {
                journal.write(Event::Traffic(view.clone()));
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// Requests of the release that served before, and of all others since.
fn by_release(traffic: &AppTraffic, before: Option<ReleaseNumber>) -> (u64, u64) {
    traffic.by_release.iter().fold((0, 0), |(old, new), (release, requests, _)| {
        if before.is_some_and(|b| *release <= b) { (old + requests, new) } else { (old, new + requests) }
    })
}
