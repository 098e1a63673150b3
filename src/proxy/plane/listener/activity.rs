//! What a client's connection is doing, for its watchdog: one timer a connection instead of one or two a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::plane::clock;
use crate::plane::options::{Limits, Timeouts};

/// What a connection is doing.
pub(in crate::plane) struct Pulse {
    state: AtomicU8,
    /// When it began to.
    since: AtomicU64,
    /// Requests under way.
    busy: AtomicUsize,
    /// Since when the client takes nothing of what there is for it; 0: it does.
    stuck: AtomicU64,
    /// Many requests at once (HTTP/2): what comes in between them is no head.
    multiplexed: AtomicBool,
    /// Bytes that came since anything got further.
    idle_bytes: AtomicU64,
    /// Answered requests less those the client took back before there was an answer.
    credit: AtomicU32,
    /// The client has used up its time, or the patience with it.
    over: AtomicBool,
}

/// Nothing has come yet.
const NEW: u8 = 0;
const IDLE: u8 = 1;
/// A part of a head has come.
const HEAD: u8 = 2;
const BUSY: u8 = 3;

/// An idle connection gives its buffers back after this. Short enough for memory, long enough for a client that asks once
/// a second.
const REST: Duration = Duration::from_secs(2);

fn now() -> u64 {
    clock::millis(Instant::now())
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl Pulse {
    /// A new connection owes its first head.
    pub(in crate::plane) fn new(limits: &Limits) -> Self {
        Self {
            state: AtomicU8::new(NEW),
            since: AtomicU64::new(now()),
            busy: AtomicUsize::new(0),
            stuck: AtomicU64::new(0),
            multiplexed: AtomicBool::new(false),
            idle_bytes: AtomicU64::new(0),
            credit: AtomicU32::new(limits.taken_back),
            over: AtomicBool::new(false),
        }
    }

    fn enter(&self, state: u8, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.state.store(state, Ordering::Relaxed);
    }

    pub(in crate::plane) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    pub(in crate::plane) fn multiplex(&self) {
        self.multiplexed.store(true, Ordering::Relaxed);
    }

    /// A request has come.
    pub(in crate::plane) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.state.store(BUSY, Ordering::Relaxed);
        self.progress();
        Busy { pulse: Arc::clone(self), ended: None }
    }

    pub(in crate::plane) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Something got further: a request came, a part of a body passed.
    pub(in crate::plane) fn progress(&self) {
        self.idle_bytes.store(0, Ordering::Relaxed);
    }

    /// Bytes came from the client.
    pub(in crate::plane) fn came(&self, bytes: usize, limits: &Limits) {
        if self.is_multiplexed() {
            let before = self.idle_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
            if before + bytes as u64 > limits.idle_bytes() {
                self.expire();
            }
            return;
        }
        match self.state.load(Ordering::Relaxed) {
            NEW => self.state.store(HEAD, Ordering::Relaxed),
            IDLE => self.enter(HEAD, now()),
            _ => {}
        }
    }

    /// Whether the client takes what there is for it.
    pub(in crate::plane) fn takes(&self, takes: bool) {
        let stuck = self.stuck.load(Ordering::Relaxed) != 0;
        if stuck == takes {
            self.stuck.store(if takes { 0 } else { now().max(1) }, Ordering::Relaxed);
        }
    }

    /// Counts a request of a multiplexed connection that is about to be answered.
    pub(in crate::plane) fn asked(&self) -> Asked<'_> {
        Asked { pulse: self, answered: !self.is_multiplexed() }
    }

    /// The client has had its time: the next read ends the connection.
    pub(in crate::plane) fn expire(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(in crate::plane) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Whether the client leaves what there is for it.
    pub(in crate::plane) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed) != 0
    }

    /// Whether a client that used up its time can be told so: it began a head, and is not in the middle of an answer.
    pub(in crate::plane) fn is_owed_a_word(&self) -> bool {
        self.state.load(Ordering::Relaxed) == HEAD && !self.is_stuck()
    }

    /// Whether nothing is under way, nothing is left to go out, and this for a while. Only of HTTP/1: HTTP/2 remembers.
    pub(in crate::plane) fn rests(&self) -> bool {
        let idle = self.state.load(Ordering::Relaxed) == IDLE && !self.is_busy() && !self.is_stuck();
        idle && !self.is_multiplexed() && !self.is_over() && now() >= self.since() + millis(REST)
    }

    /// When a resting connection has rested too long.
    pub(in crate::plane) fn rests_until(&self, timeouts: &Timeouts) -> Instant {
        clock::at_millis(self.since()) + timeouts.idle
    }

    fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }

    /// When to look again; `None`: the client took too long.
    pub(in crate::plane) fn next_look(&self, timeouts: &Timeouts) -> Option<Instant> {
        let now = Instant::now();
        let soon = now + timeouts.head.min(timeouts.stall).min(REST);
        let stuck = self.stuck.load(Ordering::Relaxed);
        let due = match self.state.load(Ordering::Relaxed) {
            _ if stuck != 0 => clock::at_millis(stuck) + timeouts.stall,
            BUSY => return Some(soon),
            NEW | HEAD => clock::at_millis(self.since()) + timeouts.head,
            _ => clock::at_millis(self.since()) + timeouts.idle,
        };
        // A head may begin at any time and has its own limit.
        (due > now).then(|| due.min(soon))
    }
}

/// A request's part of a connection's life.
pub(in crate::plane) struct Busy {
    pulse: Arc<Pulse>,
    /// When it ended, if somebody has looked already.
    ended: Option<Instant>,
}

impl Busy {
    /// A part of a body has passed.
    pub(in crate::plane) fn progress(&self) {
        self.pulse.progress();
    }

    /// It ends now: spares another look at the clock.
    pub(in crate::plane) fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.pulse.busy.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.pulse.enter(IDLE, self.ended.map_or_else(now, clock::millis));
        }
    }
}

/// A request that has no answer yet. A client that takes back more requests than it lets be answered is out for the
/// work this makes ("rapid reset").
pub(in crate::plane) struct Asked<'a> {
    pulse: &'a Pulse,
    answered: bool,
}

impl Asked<'_> {
    pub(in crate::plane) fn answered(mut self) {
        if !self.answered {
            self.pulse.credit.fetch_add(1, Ordering::Relaxed);
            self.answered = true;
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let take = |credit: u32| credit.checked_sub(1);
            if self.pulse.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
                self.pulse.expire();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_taken_back_use_up_the_credit_and_answers_give_it_back() {
        let limits = Limits { taken_back: 2, ..Limits::default() };
        let pulse = Pulse::new(&limits);
        pulse.multiplex();
        pulse.asked().answered();
        for _ in 0..3 {
            drop(pulse.asked());
        }
        assert!(!pulse.is_over());
        drop(pulse.asked());
        assert!(pulse.is_over());
    }

    #[test]
    fn bytes_that_bring_nothing_further_are_counted_until_something_does() {
        let limits = Limits::default();
        let pulse = Arc::new(Pulse::new(&limits));
        pulse.multiplex();
        let most = usize::try_from(limits.idle_bytes()).unwrap();
        pulse.came(most, &limits);
        let busy = pulse.busy();
        pulse.came(most, &limits);
        busy.progress();
        pulse.came(most, &limits);
        assert!(!pulse.is_over());
        pulse.came(1, &limits);
        assert!(pulse.is_over());
    }

    #[test]
    fn a_connection_is_busy_until_its_last_request_ends() {
        let timeouts = Timeouts { idle: std::time::Duration::ZERO, ..Timeouts::default() };
        let pulse = Arc::new(Pulse::new(&Limits::default()));
        let (one, two) = (pulse.busy(), pulse.busy());
        drop(one);
        assert!(pulse.is_busy() && pulse.next_look(&timeouts).is_some());
        drop(two);
        assert!(!pulse.is_busy() && pulse.next_look(&timeouts).is_none());
    }
}
