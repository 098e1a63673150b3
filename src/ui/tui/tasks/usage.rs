//! What host and containers use, once a second. Local engines are read without a call; on others only the container
//! that is looked at is asked for.

use std::collections::HashMap;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use once_app::Installation;
use once_app::engine::{EngineError, Usage};

use super::super::msg::Msg;
use super::current;

type Stats = BoxStream<'static, Result<Usage, EngineError>>;

pub(super) async fn watch(
    tx: mpsc::Sender<Msg>,
    at: watch::Receiver<Option<Installation>>,
    ids: watch::Receiver<Vec<String>>,
    looked_at: watch::Receiver<Option<String>>,
) {
    let mut every = interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stats: Option<(String, Stats)> = None;
    while !tx.is_closed() {
        every.tick().await;
        let Some(installation) = current(at.clone()).await else { return };
        let containers = ids.borrow().clone();
        let mut usage = installation.engine.usage(&containers).await;
        let host = installation.engine.host_usage().await;
        if usage.is_empty() && !containers.is_empty() {
            let looked_at = looked_at.borrow().clone();
            usage = asked(&installation, looked_at, &mut stats);
        }
        if usage.is_empty() && host.is_none() {
            continue;
        }
        if tx.send(Msg::Usage(usage, host)).await.is_err() {
            return;
        }
    }
}

/// The newest numbers of the container that is looked at, as its stream has brought them.
fn asked(at: &Installation, looked_at: Option<String>, stats: &mut Option<(String, Stats)>) -> HashMap<String, Usage> {
    let Some(id) = looked_at else { return HashMap::new() };
    if stats.as_ref().is_none_or(|(on, _)| *on != id) {
        *stats = Some((id.clone(), at.engine.stats(&id)));
    }
    let Some((_, stream)) = stats else { return HashMap::new() };
    let mut newest = None;
    loop {
        match stream.next().now_or_never() {
            Some(Some(Ok(usage))) => newest = Some(usage),
            Some(Some(Err(_)) | None) => {
                *stats = None;
                break;
            }
            None => break,
        }
    }
    newest.map(|usage| HashMap::from([(id, usage)])).unwrap_or_default()
}
