//! A release that takes no connections, as one whose container was killed and is being started again: requests of which
//! nothing was sent wait until it is back or another release serves. One task tries it for all of them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tracing::debug;

use super::Upstream;
use super::forward::connect;
use crate::plane::answers::pages::Page;
use crate::plane::request::exchange::Context;
use crate::plane::routing::app::{App, Live};
use crate::plane::routing::canary::Visitor;
use crate::plane::routing::claim::Claim;
use crate::plane::routing::hold_limit::Held;
use crate::plane::telemetry::record::Record;

/// Between two tries: from, to.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(100);
/// For one try. A host that does not answer may be another one at the next try: a container comes back with an address
/// of its own.
const TRY: Duration = Duration::from_secs(1);

/// An outage that nobody met for so long says nothing about the next one.
const QUIET: Duration = Duration::from_mins(1);

/// So many go on at the same time, the next ones later by a step: an app that has just come up is not to be run over.
const ABREAST: u32 = 16;
const STEP: Duration = Duration::from_millis(5);

/// What is known of a release's outage.
#[derive(Default)]
pub(in crate::plane) struct Outage {
    /// Whether there is a state; spares the others a look.
    marked: AtomicBool,
    state: Mutex<Option<State>>,
    /// Requests that wait.
    waiting: AtomicU32,
    /// Woken when the release is back or given up.
    told: Notify,
}

struct State {
    since: Instant,
    /// When a request met it last.
    met: Instant,
    /// Somebody tries it.
    tried: bool,
}

/// Waits for a release. Where nobody does any more, it is not tried.
struct Waiting<'a> {
    outage: &'a Outage,
    /// How many waited before it.
    place: u32,
    until: Instant,
}

impl Outage {
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests wait for it, so that another one need not try it. Not past the time that anybody waits, even if
    /// the last try is yet to come.
    pub(in crate::plane) fn is_waited_for(&self, longest: Duration) -> bool {
        let waited = |state: &State| state.tried && state.since.elapsed() < longest;
        self.marked.load(Ordering::Acquire) && self.state().as_ref().is_some_and(waited)
    }

    /// The release took a connection. Whether that is news.
    fn end(&self) -> bool {
        let was = self.marked.load(Ordering::Acquire);
        if was {
            let mut state = self.state();
            self.marked.store(false, Ordering::Release);
            *state = None;
            drop(state);
            self.told.notify_waiters();
        }
        was
    }

    /// A request met it. `None`: it has lasted for longer than anybody waits. `true`: the caller has to see to it that
    /// the release is tried.
    fn enter(&self, longest: Duration) -> Option<(Waiting<'_>, bool)> {
        let now = Instant::now();
        let mut guard = self.state();
        let known = guard.take().filter(|state| state.tried || now.duration_since(state.met) < QUIET);
        let state = guard.insert(known.unwrap_or(State { since: now, met: now, tried: false }));
        self.marked.store(true, Ordering::Release);
        state.met = now;
        let until = state.since + longest;
        if until <= now {
            return None;
        }
        let place = self.waiting.fetch_add(1, Ordering::SeqCst);
        let first = !std::mem::replace(&mut state.tried, true);
        Some((Waiting { outage: self, place, until }, first))
    }

    /// Whether to go on with the tries; if not, the next request begins them anew.
    fn goes_on(&self, longest: Duration) -> bool {
        let mut guard = self.state();
        let Some(state) = &mut *guard else { return false };
        state.tried = self.waiting.load(Ordering::SeqCst) > 0 && state.since.elapsed() < longest;
        let goes_on = state.tried;
        drop(guard);
        if !goes_on {
            self.told.notify_waiters();
        }
        goes_on
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.outage.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Upstream {
    /// It took a connection.
    pub(in crate::plane) fn came_back(&self) {
        if self.outage.end() {
            debug!(target = self.target.address, "an outage ends");
        }
    }
}

impl Context {
    /// Nobody was there to take the request: waits until there is somebody to ask. Else the answer, which counts as the
    /// release's.
    pub(in crate::plane) async fn comeback(
        &self,
        app: &Arc<App>,
        live: &Arc<Live>,
        until: Instant,
        visitor: &mut Visitor<'_>,
        record: &mut Record,
    ) -> Result<(), Page> {
        // Not under way: a drain of the release need not wait for what it never got.
        record.claim = None;
        let Err(no) = self.wait_for(app, live, until).await else { return Ok(()) };
        match Claim::take(app, self.lane, visitor) {
            Ok(claim) if Arc::ptr_eq(claim.upstream(), &live.upstream) => {
                record.claim = Some(claim);
                Err(no)
            }
            // Somebody has decided in the meantime.
            _ => Ok(()),
        }
    }

    async fn wait_for(&self, app: &Arc<App>, live: &Arc<Live>, until: Instant) -> Result<(), Page> {
        let longest = self.shared.options.timeouts.outage;
        let outage = &live.upstream.outage;
        let _held = Held::enter(&self.shared, app).ok_or(Page::TooManyHeld)?;
        let (waiting, first) = outage.enter(longest).ok_or(Page::BadGateway)?;
        if first {
            debug!(target = live.upstream.target.address, "an outage begins");
            tokio::spawn(try_again(Arc::clone(&live.upstream), longest));
        }
        let until = until.min(waiting.until);
        loop {
            let (changed, told) = (app.changed.notified(), outage.told.notified());
            if !Arc::ptr_eq(live, &app.live()) {
                return Ok(());
            }
            if !outage.is_waited_for(longest) {
                break;
            }
            if until <= Instant::now() {
                return Err(Page::BadGateway);
            }
            let woken = async {
                tokio::select! {
                    () = changed => {}
                    () = told => {}
                }
            };
            let _ = tokio::time::timeout_at(until.into(), woken).await;
        }
        if until <= Instant::now() {
            return Err(Page::BadGateway);
        }
        tokio::time::sleep(STEP * (waiting.place / ABREAST)).await;
        Ok(())
    }
}

/// Tries a release until it takes a connection, while somebody waits for it.
async fn try_again(upstream: Arc<Upstream>, longest: Duration) {
    let mut pause = FIRST;
    while upstream.outage.goes_on(longest) {
        if connect(&upstream.target.address, TRY).await.is_ok() {
            upstream.came_back();
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}
