//! The log of an app over all of its containers: what was written, merged by time, and what is being written, over swaps
//! and restarts. Command and console read it here.

mod cursor;
mod live;
mod merge;
mod source;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use crate::host::installation::Installation;
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::ports::engine::{EngineError, LogLine, LogQuery};
use cursor::{Cursor, UNSURE};
use live::Live;
use merge::Past;
pub use source::LogOf;
use source::{Looker, Part, Sight};

/// Says of a line whether it is wanted.
pub type LogFilter = Arc<dyn Fn(&LogLine) -> bool + Send + Sync>;

/// Which lines of which log.
#[derive(Clone)]
pub struct LogRequest {
    /// Whose.
    pub of: LogOf,
    /// Go on with lines to come, over swaps and restarts, until the app is removed.
    pub follow: bool,
    /// Only the last so many of the lines that are there, and that are wanted.
    pub last: Option<usize>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// Only of before then; not with `follow`.
    pub until: Option<Timestamp>,
    /// Which lines are wanted; `None`: all.
    pub filter: Option<LogFilter>,
}

impl LogRequest {
    /// All lines that are there.
    #[must_use]
    pub fn all(of: LogOf) -> Self {
        Self { of, follow: false, last: None, since: None, until: None, filter: None }
    }

    fn wants(&self, line: &LogLine) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter(line))
    }
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogItem {
    /// A line.
    Line {
        /// What was written.
        line: LogLine,
        /// The release that wrote it; `None`: it is no release's container.
        release: Option<ReleaseNumber>,
    },
    /// From here on another container writes, or the same one in another run.
    Break(LogBreak),
    /// The log cannot be read now, which is tried again.
    Away(Box<Problem>),
}

/// A break in a followed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBreak {
    /// When it was seen.
    pub at: Timestamp,
    /// What happened.
    pub why: BreakReason,
    /// The release that wrote before.
    pub from: Option<ReleaseNumber>,
    /// The release that writes from now on.
    pub to: Option<ReleaseNumber>,
}

/// Why there is a break in a followed log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakReason {
    /// Another container took over.
    Swap,
    /// The container was started again.
    Restart,
    /// The app was removed, which ends the log.
    Removed,
}

impl BreakReason {
    /// In one word, for scripts.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::Restart => "restart",
            Self::Removed => "removed",
        }
    }
}

/// `release 12 → 13`.
impl fmt::Display for LogBreak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.why, self.from, self.to) {
            (BreakReason::Removed, ..) => f.write_str("the app was removed"),
            (BreakReason::Swap, Some(from), Some(to)) => write!(f, "release {from} → {to}"),
            (BreakReason::Swap, None, Some(to)) => write!(f, "release {to}"),
            (BreakReason::Swap, _, None) => f.write_str("another container"),
            (BreakReason::Restart, _, Some(release)) => write!(f, "release {release} restarted"),
            (BreakReason::Restart, _, None) => f.write_str("restarted"),
        }
    }
}

/// Reads a log: first the lines that are there, merged by time, then those to come where that is asked for. Of each
/// container one line is held, and with [`LogRequest::last`] so many in all.
#[must_use]
pub fn read_log(at: Installation, request: LogRequest) -> BoxStream<'static, Result<LogItem, Problem>> {
    let reader = Reader { looker: Looker::new(at), request, ready: VecDeque::new(), phase: Phase::Begin };
    stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) }).boxed()
}

struct Reader {
    looker: Looker,
    request: LogRequest,
    ready: VecDeque<LogItem>,
    phase: Phase,
}

enum Phase {
    Begin,
    /// The lines that are there.
    Past {
        sight: Sight,
        logs: Vec<Past>,
        tail: Option<u64>,
    },
    Live(Box<Live>),
    End,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<LogItem, Problem>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            match &mut self.phase {
                Phase::Begin => {
                    if let Err(problem) = self.begin().await {
                        self.phase = Phase::End;
                        return Some(Err(problem));
                    }
                }
                Phase::Past { sight, logs, .. } => match merge::next(logs).await {
                    Some(Ok((from, line))) => {
                        if self.request.wants(&line) {
                            self.ready.push_back(LogItem::Line { line, release: sight.parts[from].release });
                        }
                        if let Some(last) = self.request.last
                            && let Err(problem) = self.gather(last).await
                        {
                            self.phase = Phase::End;
                            return Some(Err(problem));
                        }
                    }
                    // It was removed while it was read.
                    Some(Err(EngineError::Absent { .. })) => {}
                    Some(Err(error)) => {
                        self.phase = Phase::End;
                        return Some(Err(error.into()));
                    }
                    None => self.go_live(),
                },
                Phase::Live(live) => return live.next(&mut self.looker, &self.request).await,
                Phase::End => return None,
            }
        }
    }

    async fn begin(&mut self) -> Result<(), Problem> {
        let mut sight = self.looker.look(&self.request.of).await?;
        if sight.gone || (sight.parts.is_empty() && !self.request.follow) {
            return Err(source::no_log(&self.request.of, sight.gone));
        }
        let engine = Arc::clone(&self.looker.at.engine);
        // Lines that are not wanted do not count, so the end of the log is not the end of what is wanted.
        let whole = self.request.filter.is_some() || self.request.until.is_some();
        let last = self.request.last.and_then(|last| u64::try_from(last).ok());
        let tail = last.filter(|_| !whole).map(|last| last.saturating_add(2 * UNSURE));
        let open = |part: &Part| {
            let tail = tail.filter(|_| part.until.is_none());
            let query = LogQuery { follow: false, tail, since: self.request.since };
            let cursor = if tail.is_some() { Cursor::of_tail() } else { Cursor::default() };
            let until = [part.until, self.request.until].into_iter().flatten().min();
            Past::new(engine.logs(&part.id, query), until, cursor)
        };
        let mut logs: Vec<Past> = sight.parts.iter().map(open).collect();
        if matches!(self.request.of, LogOf::Previous(_)) {
            // The newest one that has lines: the earlier runs of a container, else the container before.
            while logs.len() > 1
                && let Some(log) = logs.last_mut()
                && !log.has_lines().await?
            {
                logs.pop();
                sight.parts.pop();
            }
            let begin = sight.parts.len().saturating_sub(1);
            logs.drain(..begin);
            sight.parts.drain(..begin);
        }
        self.phase = Phase::Past { sight, logs, tail };
        Ok(())
    }

    /// Reads all the lines that are there and keeps the last ones.
    async fn gather(&mut self, last: usize) -> Result<(), Problem> {
        let Phase::Past { sight, logs, .. } = &mut self.phase else { return Ok(()) };
        loop {
            while self.ready.len() > last {
                self.ready.pop_front();
            }
            match merge::next(logs).await {
                Some(Ok((from, line))) => {
                    if self.request.wants(&line) {
                        self.ready.push_back(LogItem::Line { line, release: sight.parts[from].release });
                    }
                }
                Some(Err(EngineError::Absent { .. })) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            }
        }
    }

    fn go_live(&mut self) {
        let Phase::Past { sight, logs, tail } = std::mem::replace(&mut self.phase, Phase::End) else { return };
        if !self.request.follow {
            return;
        }
        let cursors = logs.into_iter().map(|log| {
            let mut cursor = log.cursor;
            if tail.is_some_and(|tail| cursor.total() < tail) {
                cursor.is_whole();
            }
            cursor
        });
        let cursors: Vec<Cursor> = cursors.collect();
        self.phase = Phase::Live(Box::new(Live::new(&self.looker, &self.request, sight, cursors)));
    }
}
