//! Carries effects out and watches engine and proxy. Everything comes back as messages on one bounded channel; the
//! loop never waits for any of it.

mod access;
mod examine;
mod links;
mod locks;
mod log;
mod usage;

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use once_app::event::Outcome;
use once_app::proxy::{ProbeRequest, Proxy};
use once_app::{AppId, AppName, Caller, Installation, Job, OpId, Problem, Release};

use super::console::Console;
use super::msg::{Effect, Inspect, LogRequest, Msg};
use once_job::changes::Runner;

/// Messages that may wait for the loop; then their senders wait.
const WAITING: usize = 256;

/// Entries of the audit log that are loaded.
const ACTIVITY: u32 = 1_000;

/// One task of a kind at a time: a newer one takes the place of the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Logs,
    Inspect,
    Traffic,
    Activity,
    Examine,
    History,
}

/// Tasks under way. Dropping it ends them; changes go on by themselves.
pub(crate) struct Tasks {
    tx: mpsc::Sender<Msg>,
    runner: Arc<dyn Runner>,
    at: watch::Receiver<Option<Installation>>,
    proxy: watch::Receiver<Option<Arc<dyn Proxy>>>,
    looked_at: watch::Sender<Option<String>>,
    keyed: HashMap<Key, AbortHandle>,
    always: Vec<AbortHandle>,
    cancels: HashMap<OpId, CancellationToken>,
}

impl Tasks {
    /// Starts watching; the messages.
    pub(crate) fn start(console: &Console) -> (Self, mpsc::Receiver<Msg>) {
        let (tx, rx) = mpsc::channel(WAITING);
        let (at_tx, at) = watch::channel(None);
        let (proxy_tx, proxy) = watch::channel(None);
        let (ids_tx, ids) = watch::channel(Vec::new());
        let (looked_at, looking) = watch::channel(None);
        let watcher =
            links::Watcher { tx: tx.clone(), clock: Arc::clone(&console.clock), namespace: console.namespace.clone() };
        let always = vec![
            tokio::spawn(links::engine(watcher.clone(), Arc::clone(&console.door), at_tx, ids_tx)).abort_handle(),
            tokio::spawn(links::proxy(watcher, at.clone(), proxy_tx)).abort_handle(),
            tokio::spawn(usage::watch(tx.clone(), at.clone(), ids, looking)).abort_handle(),
        ];
        let runner = Arc::clone(&console.runner);
        let tasks = Self { tx, runner, at, proxy, looked_at, keyed: HashMap::new(), always, cancels: HashMap::new() };
        (tasks, rx)
    }

    /// Carries one effect out. Those that concern the terminal are the loop's.
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Run(job) => self.run(*job),
            Effect::Cancel(op) => self.cancel(op),
            Effect::Detach(op) => self.runner.detach(&op),
            Effect::Follow(op, seq) => self.follow(op, seq),
            Effect::Logs(request) => self.logs(request),
            Effect::Inspect(what) => self.inspect(what),
            Effect::Traffic(name, app) => {
                let (tx, proxy) = (self.tx.clone(), self.proxy.clone());
                self.replace(Key::Traffic, async move {
                    let Some(proxy) = current(proxy).await else { return };
                    let report = proxy.traffic_report(&app).await.map(Box::new).map_err(Into::into);
                    let _ = tx.send(Msg::Traffic(name, report)).await;
                });
            }
            Effect::Hold(app, op, by, why) => self.lock(locks::Wish::Hold(op, why), app, by),
            Effect::Lift(app, by, force) => self.lock(locks::Wish::Lift(force), app, by),
            Effect::History(name, app) => {
                let (tx, proxy) = (self.tx.clone(), self.proxy.clone());
                self.replace(Key::History, async move {
                    let Some(proxy) = current(proxy).await else { return };
                    let releases = history(&*proxy, &name, &app).await;
                    let _ = tx.send(Msg::History(name, releases)).await;
                });
            }
            Effect::Examine => {
                let (tx, at) = (self.tx.clone(), self.at.clone());
                self.replace(Key::Examine, async move {
                    let Some(at) = current(at).await else { return };
                    let _ = tx.send(Msg::Examined(examine::examine(&at, &tx).await.map(Box::new))).await;
                });
            }
            Effect::Activity(app) => {
                let (tx, proxy) = (self.tx.clone(), self.proxy.clone());
                self.replace(Key::Activity, async move {
                    let Some(proxy) = current(proxy).await else { return };
                    let msg = match proxy.activity(app.as_ref(), ACTIVITY).await {
                        Ok(entries) => Msg::Activity(entries),
                        Err(error) => Msg::Problem(error.into()),
                    };
                    let _ = tx.send(msg).await;
                });
            }
            Effect::Copy(_) | Effect::Shell(_) | Effect::Suspend | Effect::Repaint | Effect::Quit => {}
        }
    }

    fn replace(&mut self, key: Key, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(old) = self.keyed.insert(key, tokio::spawn(task).abort_handle()) {
            old.abort();
        }
    }

    fn run(&mut self, job: Job) {
        let op = job.op.clone();
        let running = self.runner.run(job);
        self.cancels.insert(op.clone(), running.cancel);
        tokio::spawn(forward(self.tx.clone(), op, running.events));
    }

    fn cancel(&mut self, op: OpId) {
        if let Some(token) = self.cancels.get(&op) {
            token.cancel();
            return;
        }
        let (tx, proxy) = (self.tx.clone(), self.proxy.clone());
        tokio::spawn(async move {
            let Some(proxy) = current(proxy).await else { return };
            let problem = match proxy.cancel(&op).await {
                Ok(true) => return,
                Ok(false) => Problem::new(Outcome::Refused, "nothing-to-cancel", "that change has ended already"),
                Err(error) => error.into(),
            };
            let _ = tx.send(Msg::Problem(problem)).await;
        });
    }

    fn follow(&mut self, op: OpId, seq: u64) {
        let (tx, proxy) = (self.tx.clone(), self.proxy.clone());
        tokio::spawn(async move {
            let Some(proxy) = current(proxy).await else { return };
            let events = proxy.follow(&op, seq).map(|event| event.map_err(Problem::from)).boxed();
            forward(tx, op, events).await;
        });
    }

    fn lock(&mut self, wish: locks::Wish, app: AppName, by: Caller) {
        let (tx, at, proxy) = (self.tx.clone(), self.at.clone(), self.proxy.clone());
        tokio::spawn(async move {
            let (Some(at), Some(proxy)) = (current(at).await, current(proxy).await) else { return };
            let _ = tx.send(Msg::Locked(locks::change(&at, &*proxy, &app, by, wish).await)).await;
        });
    }

    fn logs(&mut self, request: LogRequest) {
        let (tx, at) = (self.tx.clone(), self.at.clone());
        self.replace(Key::Logs, async move {
            if let Some(at) = current(at).await {
                log::follow(tx, at, request).await;
            }
        });
    }

    fn inspect(&mut self, what: Inspect) {
        self.looked_at.send_replace(Some(what.container.clone()));
        let (tx, at, proxy) = (self.tx.clone(), self.at.clone(), self.proxy.clone());
        self.replace(Key::Inspect, async move {
            let Some(at) = current(at).await else { return };
            // A failure here shows in the link's state; the last look stays.
            if let Ok(detail) = at.engine.container(&what.container).await {
                let _ = tx.send(Msg::Detail(what.container, detail.map(Box::new))).await;
            }
            let Some(proxy) = current(proxy).await else { return };
            let request = ProbeRequest {
                address: what.address,
                path: what.path,
                host: what.host,
                timeout_ms: 1_000,
                other_ports: Vec::new(),
                upstream: what.upstream,
            };
            let answers: Vec<_> = proxy.probe(request).collect().await;
            if let Some(Ok(answer)) = answers.into_iter().next_back() {
                let _ = tx.send(Msg::Health(what.app, answer)).await;
            }
        });
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // Whoever leaves the console, or hangs up, leaves changes that go on; only its death withdraws those that wait.
        self.runner.detach_all();
        self.always.iter().chain(self.keyed.values()).for_each(AbortHandle::abort);
    }
}

/// All releases of an app, newest first.
async fn history(proxy: &dyn Proxy, name: &AppName, app: &AppId) -> Result<Vec<Release>, Problem> {
    let record = proxy.record(name).await?;
    let recent = record.into_iter().flat_map(|record| {
        let canary = record.canary.map(|canary| canary.release);
        canary.into_iter().chain(record.releases.into_iter().rev())
    });
    let mut all: Vec<Release> = recent.collect();
    all.extend(proxy.history(app).await?);
    Ok(all)
}

/// The value, once there is one; `None`: there never will be.
async fn current<T: Clone>(mut from: watch::Receiver<Option<T>>) -> Option<T> {
    from.wait_for(Option::is_some).await.ok()?.clone()
}

/// Hands a change's events on.
async fn forward(
    tx: mpsc::Sender<Msg>,
    op: OpId,
    mut events: futures_core::stream::BoxStream<'static, Result<once_app::event::Envelope, Problem>>,
) {
    use once_app::event::Event;
    while let Some(event) = events.next().await {
        match event {
            Ok(envelope) => {
                let last = matches!(envelope.event, Event::Finished(_));
                if tx.send(Msg::Progress(Box::new(envelope))).await.is_err() || last {
                    return;
                }
            }
            Err(problem) => {
                let _ = tx.send(Msg::Lost(op, problem)).await;
                return;
            }
        }
    }
    let problem = Problem::new(Outcome::Environment, "lost-sight", "the change can no longer be followed")
        .hint("`once status` says what serves now");
    let _ = tx.send(Msg::Lost(op, problem)).await;
}
