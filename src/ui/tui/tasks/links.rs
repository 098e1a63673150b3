//! The two links: each is tried again with growing waits, and says why it is down and when the next try is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use once_app::engine::Container;
use once_app::event::Outcome;
use once_app::proxy::Proxy;
use once_app::{Clock, Installation, Namespace, Problem};

use super::super::console::Door;
use super::super::msg::Msg;
use super::current;

/// The first wait after a failure; doubled up to [`LONGEST`].
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait: somebody who has just started the engine again looks at the screen.
const LONGEST: Duration = Duration::from_secs(15);

/// How often containers are listed without an event.
const LIST_EVERY: Duration = Duration::from_secs(5);

/// Events come in bursts: a swap makes a dozen.
const BURST: Duration = Duration::from_millis(100);

/// No answer for so long is no answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a proxy has come into being.
const LOOK_EVERY: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Watcher {
    pub(super) tx: mpsc::Sender<Msg>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) namespace: Namespace,
}

impl Watcher {
    /// Says that a link is down, waits; the next wait.
    async fn down(&self, say: fn(Problem, jiff::Timestamp) -> Msg, problem: Problem, wait: Duration) -> Duration {
        let retry_at = self.clock.now() + wait;
        let _ = self.tx.send(say(problem, retry_at)).await;
        sleep(wait).await;
        (wait * 2).min(LONGEST)
    }
}

/// Bounds an answer in time.
async fn patiently<T>(answer: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| {
        Err(Problem::new(Outcome::Environment, "no-answer", format!("no answer within {} seconds", PATIENCE.as_secs())))
    })
}

/// Keeps the engine's link, and the list of containers while it is up.
pub(super) async fn engine(
    on: Watcher,
    door: Arc<dyn Door>,
    at: watch::Sender<Option<Installation>>,
    ids: watch::Sender<Vec<String>>,
) {
    let mut wait = SHORTEST;
    while !on.tx.is_closed() {
        let opened = patiently(async {
            let installation = door.open().await?;
            let info = installation.engine.info().await?;
            Ok((installation, info))
        });
        let problem = match opened.await {
            Ok((installation, info)) => {
                at.send_replace(Some(installation.clone()));
                let mut said = Some(Msg::EngineUp(Box::new(info)));
                let problem = list(&on, &installation, &ids, &mut said).await;
                if said.is_none() {
                    wait = SHORTEST;
                }
                problem
            }
            Err(problem) => problem,
        };
        wait = on.down(Msg::EngineDown, problem, wait).await;
    }
}

/// Lists containers on events and every [`LIST_EVERY`] until that fails; why. `up` is said with the first list: an
/// engine that has only been asked about itself may answer from memory.
async fn list(
    on: &Watcher,
    installation: &Installation,
    ids: &watch::Sender<Vec<String>>,
    up: &mut Option<Msg>,
) -> Problem {
    let mut events = installation.engine.events(&on.namespace);
    let mut heard = true;
    loop {
        let containers = match patiently(async { Ok(installation.engine.all_containers().await?) }).await {
            Ok(containers) => containers,
            Err(problem) => return problem,
        };
        // Others' too: an app that was taken over runs in one until its next deploy.
        let here = |c: &Container| c.identity.as_ref().is_none_or(|i| i.namespace == on.namespace);
        let containers: Vec<Container> = containers.into_iter().filter(here).collect();
        ids.send_replace(containers.iter().filter(|c| c.running).map(|c| c.id.clone()).collect());
        if let Some(msg) = up.take() {
            let _ = on.tx.send(msg).await;
        }
        let _ = on.tx.send(Msg::Containers(containers)).await;
        let next = Instant::now() + LIST_EVERY;
        tokio::select! {
            event = events.next(), if heard => {
                // Without events the list is a little late, that is all.
                heard = matches!(event, Some(Ok(_)));
                sleep(BURST).await;
                while let Some(Some(Ok(_))) = futures_util::FutureExt::now_or_never(events.next()) {}
            }
            () = sleep_until(next) => {}
        }
    }
}

/// Keeps the proxy's link and hands its snapshots on.
pub(super) async fn proxy(
    on: Watcher,
    at: watch::Receiver<Option<Installation>>,
    proxy: watch::Sender<Option<Arc<dyn Proxy>>>,
) {
    let mut wait = SHORTEST;
    while !on.tx.is_closed() {
        let Some(installation) = current(at.clone()).await else { return };
        match patiently(installation.proxy()).await {
            Ok(None) => {
                let _ = on.tx.send(Msg::ProxyAbsent).await;
                sleep(LOOK_EVERY).await;
            }
            Ok(Some(found)) => {
                if let Ok(ports) = patiently(installation.public_ports()).await {
                    let _ = on.tx.send(Msg::Ports(ports)).await;
                }
                proxy.send_replace(Some(Arc::clone(&found)));
                let (problem, seen) = snapshots(&on, found.as_ref()).await;
                if seen {
                    wait = SHORTEST;
                }
                wait = on.down(Msg::ProxyDown, problem, wait).await;
            }
            Err(problem) => wait = on.down(Msg::ProxyDown, problem, wait).await,
        }
    }
}

/// Snapshots until they end: why, and whether there was one.
async fn snapshots(on: &Watcher, proxy: &dyn Proxy) -> (Problem, bool) {
    let mut stream = proxy.watch(Duration::from_secs(1));
    let mut seen = false;
    loop {
        match tokio::time::timeout(PATIENCE, stream.next()).await {
            Ok(Some(Ok(snapshot))) => {
                seen = true;
                let _ = on.tx.send(Msg::Snapshot(Box::new(snapshot))).await;
            }
            Ok(Some(Err(error))) => return (error.into(), seen),
            Ok(None) => return (Problem::new(Outcome::Environment, "proxy-gone", "the proxy hung up"), seen),
            Err(_) => return (Problem::new(Outcome::Environment, "no-answer", "the proxy says nothing"), seen),
        }
    }
}
