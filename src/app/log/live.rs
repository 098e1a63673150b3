//! What is being written: the containers that run are followed at the same time, so that a release that is being
//! drained is heard to its end while the next one writes already.

use std::collections::VecDeque;
use std::time::Duration;

use futures_core::stream::BoxStream;
use futures_util::stream::SelectAll;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout};

use super::cursor::Cursor;
use super::source::{Looker, Part, Sight};
use super::{BreakReason, LogBreak, LogItem, LogRequest};
use crate::model::problem::Problem;
use crate::ports::engine::{EngineError, EngineEvent, LogLine, LogQuery};
use crate::progress::event::Outcome;

/// How often it is looked which container writes, without an event of the engine.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// After an event or an end: the engine says that a container has ended a moment before it says what it is now.
const SOON: Duration = Duration::from_millis(150);

/// No answer for so long is none.
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest wait between two looks while engine or proxy are away.
const LONGEST: Duration = Duration::from_secs(15);

/// A container that is followed, or was.
struct Reel {
    part: Part,
    cursor: Cursor,
    open: bool,
}

/// A line of a container, or its end.
type Piece = (String, Option<Result<LogLine, EngineError>>);

pub(super) struct Live {
    reels: Vec<Reel>,
    /// The container that is gone on with.
    current: Option<String>,
    lines: SelectAll<BoxStream<'static, Piece>>,
    events: Option<BoxStream<'static, Result<EngineEvent, EngineError>>>,
    ready: VecDeque<LogItem>,
    next_look: Instant,
    /// The wait after the next look that fails; `None`: the last one did not.
    away: Option<Duration>,
    removed: bool,
}

impl Live {
    /// Goes on behind the lines that were read of each container.
    pub(super) fn new(looker: &Looker, request: &LogRequest, sight: Sight, cursors: Vec<Cursor>) -> Self {
        let current = sight.current().map(|part| part.id.clone());
        let reels = sight.parts.into_iter().zip(cursors).map(|(part, cursor)| Reel { part, cursor, open: false });
        let mut live = Self {
            reels: reels.collect(),
            current,
            lines: SelectAll::new(),
            events: Some(looker.at.engine.events(&looker.at.namespace)),
            ready: VecDeque::new(),
            next_look: Instant::now(),
            away: None,
            removed: false,
        };
        for index in 0..live.reels.len() {
            let reel = &live.reels[index];
            if reel.part.running || Some(&reel.part.id) == live.current.as_ref() {
                live.open(looker, request, index);
            }
        }
        live
    }

    /// The next line or break; `None` only when the app has been removed.
    pub(super) async fn next(&mut self, looker: &mut Looker, request: &LogRequest) -> Option<Result<LogItem, Problem>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.removed && self.reels.iter().all(|reel| !reel.open) {
                return None;
            }
            tokio::select! {
                Some((id, piece)) = self.lines.next(), if !self.lines.is_empty() => self.take(request, &id, piece),
                event = heard(&mut self.events) => {
                    // Without events a swap is seen a little later.
                    if event.is_none() {
                        self.events = None;
                    }
                    self.look_soon();
                }
                () = sleep_until(self.next_look), if !self.removed => {
                    let seen = timeout(PATIENCE, looker.look(&request.of)).await;
                    self.apply(looker, request, seen.unwrap_or_else(|_| Err(no_answer())));
                }
            }
        }
    }

    fn look_soon(&mut self) {
        if self.away.is_none() {
            self.next_look = self.next_look.min(Instant::now() + SOON);
        }
    }

    fn take(&mut self, request: &LogRequest, id: &str, piece: Option<Result<LogLine, EngineError>>) {
        let Some(reel) = self.reels.iter_mut().find(|reel| reel.part.id == id) else { return };
        match piece {
            Some(Ok(line)) => {
                if reel.cursor.take(&line) && request.wants(&line) {
                    self.ready.push_back(LogItem::Line { line, release: reel.part.release });
                }
            }
            // The next look says what became of it.
            Some(Err(_)) | None => {
                reel.open = false;
                self.look_soon();
            }
        }
    }

    fn apply(&mut self, looker: &Looker, request: &LogRequest, seen: Result<Sight, Problem>) {
        match seen {
            Ok(sight) if sight.gone => self.end(looker),
            Ok(sight) => {
                self.away = None;
                self.next_look = Instant::now() + LOOK_EVERY;
                if self.events.is_none() {
                    self.events = Some(looker.at.engine.events(&looker.at.namespace));
                }
                self.follow(looker, request, sight);
            }
            // What was read is there no more, and will not come again.
            Err(problem) if problem.outcome == Outcome::Rejected => self.end(looker),
            Err(problem) => {
                if self.away.is_none() {
                    self.ready.push_back(LogItem::Away(Box::new(problem)));
                }
                let wait = self.away.unwrap_or(LOOK_EVERY);
                self.away = Some((wait * 2).min(LONGEST));
                self.next_look = Instant::now() + wait;
            }
        }
    }

    fn end(&mut self, looker: &Looker) {
        self.removed = true;
        let from = self.reel(self.current.as_ref()).and_then(|reel| reel.part.release);
        self.ready.push_back(LogItem::Break(LogBreak {
            at: looker.at.clock.now(),
            why: BreakReason::Removed,
            from,
            to: None,
        }));
    }

    fn follow(&mut self, looker: &Looker, request: &LogRequest, sight: Sight) {
        let before = self.reel(self.current.as_ref()).map(|reel| reel.part.clone());
        let current = sight.current().cloned();
        // What has ended and is not there any more cannot write again.
        self.reels.retain(|reel| reel.open || sight.parts.iter().any(|part| part.id == reel.part.id));
        for part in sight.parts {
            if !self.reels.iter().any(|reel| reel.part.id == part.id) {
                // Of a container that came since, all is new; others than the current one have had their say.
                self.reels.push(Reel { part, cursor: Cursor::default(), open: false });
                continue;
            }
            for reel in self.reels.iter_mut().filter(|reel| reel.part.id == part.id) {
                reel.part.running = part.running;
                // A rollback makes a new release of an older one's container.
                reel.part.release = part.release;
            }
        }
        let Some(now) = current else { return };
        let at = looker.at.clock.now();
        let swapped = self.current.as_ref() != Some(&now.id);
        // While it is still heard, lines of the run before are to come.
        let silent = self.reel(Some(&now.id)).is_some_and(|reel| !reel.open);
        let restarted = !swapped && silent && before.as_ref().is_some_and(|part| part.started_at != now.started_at);
        if swapped {
            let from = before.as_ref().and_then(|part| part.release);
            self.ready.push_back(LogItem::Break(LogBreak { at, why: BreakReason::Swap, from, to: now.release }));
            self.current = Some(now.id.clone());
        } else if restarted {
            self.ready.push_back(LogItem::Break(LogBreak {
                at,
                why: BreakReason::Restart,
                from: now.release,
                to: now.release,
            }));
        }
        for index in 0..self.reels.len() {
            let reel = &mut self.reels[index];
            let is_current = reel.part.id == now.id;
            if is_current && (swapped || restarted) {
                reel.part.started_at = now.started_at;
            }
            let again = is_current && (swapped || restarted || now.running);
            let draining = !is_current && reel.part.running && reel.cursor.total() > 0;
            if !reel.open && (again || draining) {
                self.open(looker, request, index);
            }
        }
    }

    fn reel(&self, id: Option<&String>) -> Option<&Reel> {
        self.reels.iter().find(|reel| Some(&reel.part.id) == id)
    }

    fn open(&mut self, looker: &Looker, request: &LogRequest, index: usize) {
        let reel = &mut self.reels[index];
        reel.open = true;
        let since = reel.cursor.resume().max(request.since);
        let id = reel.part.id.clone();
        let lines = looker.at.engine.logs(&id, LogQuery { follow: true, tail: None, since });
        let end = stream::once(std::future::ready((id.clone(), None)));
        self.lines.push(lines.map(move |line| (id.clone(), Some(line))).chain(end).boxed());
    }
}

/// The next event; never, where they cannot be heard.
async fn heard(events: &mut Option<BoxStream<'static, Result<EngineEvent, EngineError>>>) -> Option<EngineEvent> {
    match events {
        Some(events) => events.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}

fn no_answer() -> Problem {
    Problem::new(Outcome::Environment, "no-answer", "the engine gives no answer")
}
