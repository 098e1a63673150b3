//! Who may change which app. In memory only: after a restart all locks are gone and their holders take them again; a
//! process that takes over gets them handed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::lease::LocalLease;
use once_app::event::LockView;
use once_app::proxy::{LockRequest, ProxyError};
use once_app::{AppName, OpId, Secret};

pub(super) struct Locks {
    state: Mutex<State>,
}

struct State {
    next_fence: u64,
    next_waiter: u64,
    /// Nothing is given out, for another process is about to do that.
    closed: bool,
    apps: HashMap<AppName, Slot>,
}

#[derive(Default)]
struct Slot {
    held: Option<Held>,
    manual: Option<LockView>,
    queue: VecDeque<Waiter>,
}

struct Held {
    fence: u64,
    view: LockView,
    lost: CancellationToken,
    cancel: CancellationToken,
    last_ping: Instant,
    /// Shares the lock with commands that the holder starts.
    token: Secret,
    /// Somebody shares it.
    shared: bool,
    /// How often somebody took it in hand: only the last one gives it back by letting go.
    hand: u64,
}

/// Which lock somebody holds, and the how manieth hand that is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grip {
    pub(super) fence: u64,
    pub(super) hand: u64,
}

/// A lease on its way to another process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HeldLease {
    fence: u64,
    view: LockView,
    left: Duration,
    #[serde(default = "new_token")]
    token: Secret,
}

/// 32 hex digits that nobody can guess.
fn new_token() -> Secret {
    let mut bytes = [0; 16];
    // Without randomness there is no sharing: an empty one opens nothing.
    let drawn = getrandom::fill(&mut bytes).is_ok();
    Secret::new(if drawn { bytes.iter().map(|b| format!("{b:02x}")).collect() } else { String::new() })
}

struct Waiter {
    number: u64,
    request: LockRequest,
    expiry: Option<Duration>,
    cancel: CancellationToken,
    granted: oneshot::Sender<LocalLease>,
}

impl Slot {
    fn holder(&self) -> Option<&LockView> {
        self.manual.as_ref().or(self.held.as_ref().map(|held| &held.view))
    }

    fn is_free(&self) -> bool {
        self.held.is_none() && self.manual.is_none()
    }
}

impl Locks {
    /// Fencing numbers grow with `start`, the number of this start of the proxy, and with each lock.
    pub(super) fn new(start: u32) -> Self {
        let state = State { next_fence: u64::from(start) << 32, next_waiter: 0, closed: false, apps: HashMap::new() };
        Self { state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock, first come first served. With `expiry` it is lost that long after the last [`Locks::ping`].
    pub(super) async fn acquire(
        self: &Arc<Self>,
        mut request: LockRequest,
        expiry: Option<Duration>,
    ) -> Result<LocalLease, ProxyError> {
        if let Some(lease) = self.share(&request) {
            return Ok(lease);
        }
        let cancel = CancellationToken::new();
        loop {
            if let Some(lease) = self.queue(request.clone(), expiry, &cancel).await {
                return Ok(lease);
            }
            if self.state().closed {
                return Err(ProxyError::Moved);
            }
            match self.holder(&request.app) {
                Some(holder) => return Err(ProxyError::Locked { holder: Box::new(holder) }),
                // It was freed in the moment in which the wait ended.
                None => request.wait_ms = 0,
            }
        }
    }

    /// The lock of the change that this one is a part of. Giving it back gives nothing back.
    fn share(self: &Arc<Self>, request: &LockRequest) -> Option<LocalLease> {
        let token = request.part_of.as_ref().filter(|token| !token.expose().is_empty())?;
        let mut state = self.state();
        let held = state.apps.get_mut(&request.app)?.held.as_mut().filter(|held| held.token == *token)?;
        held.shared = true;
        let grip = Grip { fence: held.fence, hand: held.hand };
        let (lost, cancel) = (held.lost.clone(), held.cancel.clone());
        Some(LocalLease::new(self.clone(), request.app.clone(), grip, lost, cancel).shared())
    }

    /// What commands that the holder starts share the lock by.
    pub(super) fn token(&self, app: &AppName, fence: u64) -> Option<Secret> {
        self.held(app, fence, |held| held.token.clone()).filter(|token| !token.expose().is_empty())
    }

    /// Takes the lock away from its holder; whose it was.
    pub(super) fn take_away(self: &Arc<Self>, app: &AppName) -> Option<LockView> {
        let (fence, view) = {
            let state = self.state();
            let held = state.apps.get(app)?.held.as_ref()?;
            (held.fence, held.view.clone())
        };
        self.lose(app, fence);
        Some(view)
    }

    /// Waits in the queue as long as asked, or until the change is cancelled.
    async fn queue(
        self: &Arc<Self>,
        request: LockRequest,
        expiry: Option<Duration>,
        cancel: &CancellationToken,
    ) -> Option<LocalLease> {
        let (app, wait) = (request.app.clone(), Duration::from_millis(request.wait_ms));
        let (granted, mut grant) = oneshot::channel();
        let number = {
            let mut state = self.state();
            state.next_waiter += 1;
            let number = state.next_waiter;
            let waiter = Waiter { number, request, expiry, cancel: cancel.clone(), granted };
            state.apps.entry(app.clone()).or_default().queue.push_back(waiter);
            number
        };
        let place = Place { locks: self.clone(), app: app.clone(), number };
        // A lock that is free is granted at once: a wait of 0 is no race.
        self.grant_next(&app);
        tokio::select! {
            biased;
            lease = timeout(wait, &mut grant) => if let Ok(Ok(lease)) = lease {
                return Some(lease);
            },
            () = cancel.cancelled() => {}
        }
        drop(place);
        // It may have been granted between the end of the wait and leaving the queue.
        grant.try_recv().ok()
    }

    fn grant_next(self: &Arc<Self>, app: &AppName) {
        loop {
            let (waiter, lease) = {
                let mut state = self.state();
                let (fence, closed) = (state.next_fence, state.closed);
                let Some(slot) = state.apps.get_mut(app) else { return };
                if closed || !slot.is_free() {
                    return;
                }
                let Some(waiter) = slot.queue.pop_front() else { break };
                let lost = CancellationToken::new();
                let LockRequest { app, op, by, .. } = waiter.request.clone();
                let view = LockView { app: app.clone(), by, since: Timestamp::now(), op: Some(op), message: None };
                let cancel = waiter.cancel.clone();
                let last_ping = Instant::now();
                let (token, shared) = (new_token(), false);
                let (lost_too, cancel_too) = (lost.clone(), cancel.clone());
                slot.held =
                    Some(Held { fence, view, lost: lost_too, cancel: cancel_too, last_ping, token, shared, hand: 0 });
                state.next_fence += 1;
                (waiter, LocalLease::new(self.clone(), app, Grip { fence, hand: 0 }, lost, cancel))
            };
            if let Some(expiry) = waiter.expiry {
                tokio::spawn(self.clone().watch(app.clone(), lease.fence_number(), expiry));
            }
            // Outside of the state's lock: a waiter that is gone gives the lease back, which takes it.
            if waiter.granted.send(lease).is_ok() {
                return;
            }
        }
        self.sweep(app);
    }

    async fn watch(self: Arc<Self>, app: AppName, fence: u64, expiry: Duration) {
        loop {
            let Some(last_ping) = self.held(&app, fence, |held| held.last_ping) else { return };
            let end = last_ping + expiry;
            if Instant::now() >= end {
                tracing::warn!(%app, "a lock ran out: its holder no longer pings");
                self.lose(&app, fence);
                return;
            }
            sleep_until(end).await;
        }
    }

    fn held<T>(&self, app: &AppName, fence: u64, act: impl FnOnce(&mut Held) -> T) -> Option<T> {
        self.state().apps.get_mut(app)?.held.as_mut().filter(|held| held.fence == fence).map(act)
    }

    /// Whether this is the app's lock now.
    pub(super) fn is_held(&self, app: &AppName, fence: u64) -> bool {
        self.held(app, fence, |_| ()).is_some()
    }

    /// The app a lease is of.
    pub(super) fn app_of(&self, fence: u64) -> Option<AppName> {
        let state = self.state();
        let found = state.apps.iter().find(|(_, slot)| slot.held.as_ref().is_some_and(|h| h.fence == fence));
        found.map(|(app, _)| app.clone())
    }

    /// Says that the holder is alive; whether it still holds the lock.
    pub(super) fn ping(&self, app: &AppName, fence: u64) -> bool {
        self.held(app, fence, |held| held.last_ping = Instant::now()).is_some()
    }

    fn lose(self: &Arc<Self>, app: &AppName, fence: u64) {
        if let Some(lost) = self.held(app, fence, |held| held.lost.clone()) {
            lost.cancel();
        }
        self.free(app, fence);
    }

    /// Gives the lock to the next one; whether it was held.
    pub(super) fn free(self: &Arc<Self>, app: &AppName, fence: u64) -> bool {
        let freed = match self.state().apps.get_mut(app) {
            Some(slot) => slot.held.take_if(|held| held.fence == fence),
            None => None,
        };
        // Whoever shares it must not go on.
        freed.iter().filter(|held| held.shared).for_each(|held| held.lost.cancel());
        let freed = freed.is_some();
        if freed {
            self.grant_next(app);
        }
        freed
    }

    /// As [`Locks::free`], unless somebody else has taken the lock in hand since.
    pub(super) fn let_go(self: &Arc<Self>, app: &AppName, grip: Grip) {
        if self.held(app, grip.fence, |held| held.hand) == Some(grip.hand) {
            self.free(app, grip.fence);
        }
    }

    /// Takes a lock in hand that is held already: over a new connection, or in the process that took over.
    pub(super) fn take_in_hand(self: &Arc<Self>, app: &AppName, fence: u64, op: &OpId) -> Option<LocalLease> {
        let taken = self.held(app, fence, |held| {
            (held.view.op.as_ref() == Some(op)).then(|| {
                held.hand += 1;
                held.last_ping = Instant::now();
                (held.hand, held.lost.clone(), held.cancel.clone())
            })
        });
        let (hand, lost, cancel) = taken.flatten()?;
        Some(LocalLease::new(self.clone(), app.clone(), Grip { fence, hand }, lost, cancel))
    }

    /// Gives nothing out any more; the leases there are, with what is left of their time.
    pub(super) fn close(&self, expiry: Duration) -> Vec<HeldLease> {
        let mut state = self.state();
        state.closed = true;
        let held = state.apps.values().filter_map(|slot| slot.held.as_ref());
        let left = |held: &Held| expiry.saturating_sub(held.last_ping.elapsed());
        let lease = |held: &Held| HeldLease {
            fence: held.fence,
            view: held.view.clone(),
            left: left(held),
            token: held.token.clone(),
        };
        held.map(lease).collect()
    }

    /// Gives out again.
    pub(super) fn reopen(self: &Arc<Self>) {
        let apps: Vec<_> = {
            let mut state = self.state();
            state.closed = false;
            state.apps.keys().cloned().collect()
        };
        apps.iter().for_each(|app| self.grant_next(app));
    }

    /// Goes on with the leases of a former process. They end with their time unless their holders come.
    pub(super) fn inherit(self: &Arc<Self>, leases: Vec<HeldLease>, expiry: Duration) {
        for HeldLease { fence, view, left, token } in leases {
            let (app, mut state) = (view.app.clone(), self.state());
            let now = Instant::now();
            let last_ping = now.checked_sub(expiry.saturating_sub(left)).unwrap_or(now);
            let (lost, cancel) = (CancellationToken::new(), CancellationToken::new());
            state.next_fence = state.next_fence.max(fence + 1);
            state.apps.entry(app.clone()).or_default().held =
                Some(Held { fence, view, lost, cancel, last_ping, token, shared: false, hand: 0 });
            drop(state);
            tokio::spawn(self.clone().watch(app, fence, expiry));
        }
    }

    pub(super) fn holder(&self, app: &AppName) -> Option<LockView> {
        self.state().apps.get(app).and_then(|slot| slot.holder().cloned())
    }

    /// All locks, by app; a manual one hides nothing: the lease held beside it is listed too.
    pub(super) fn all(&self) -> Vec<LockView> {
        let state = self.state();
        let both = |slot: &Slot| [slot.manual.clone(), slot.held.as_ref().map(|held| held.view.clone())];
        let mut locks: Vec<_> = state.apps.values().flat_map(both).flatten().collect();
        locks.sort_by(|a, b| (&a.app, a.since).cmp(&(&b.app, b.since)));
        locks
    }

    /// Asks the holder, or somebody who waits, to give up; whether there is one.
    pub(super) fn cancel(&self, op: &OpId) -> bool {
        let state = self.state();
        let held = state.apps.values().filter_map(|slot| slot.held.as_ref());
        let holders = held.filter(|held| held.view.op.as_ref() == Some(op)).map(|held| &held.cancel);
        let waiters = state.apps.values().flat_map(|slot| &slot.queue);
        let waiting = waiters.filter(|waiter| &waiter.request.op == op).map(|waiter| &waiter.cancel);
        let mut any = false;
        for token in holders.chain(waiting) {
            token.cancel();
            any = true;
        }
        any
    }

    /// Takes or lifts a lock on purpose. Whoever holds a lease keeps it.
    pub(super) fn set_manual(self: &Arc<Self>, app: &AppName, manual: Option<LockView>) {
        self.state().apps.entry(app.clone()).or_default().manual = manual;
        self.grant_next(app);
    }

    fn leave(&self, app: &AppName, number: u64) {
        if let Some(slot) = self.state().apps.get_mut(app) {
            slot.queue.retain(|waiter| waiter.number != number);
        }
        self.sweep(app);
    }

    /// Names come and go; nothing is kept for one that nobody uses.
    fn sweep(&self, app: &AppName) {
        let mut state = self.state();
        if state.apps.get(app).is_some_and(|slot| slot.is_free() && slot.queue.is_empty()) {
            state.apps.remove(app);
        }
    }
}

/// A place in a queue, left also when the wait is given up from outside.
struct Place {
    locks: Arc<Locks>,
    app: AppName,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.locks.leave(&self.app, self.number);
    }
}

#[cfg(test)]
mod tests;
