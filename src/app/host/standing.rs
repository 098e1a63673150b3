//! How an app is, and why: one rule. The command, its JSON, findings and the console all show this.

use std::fmt;

use crate::ledger::{AppRecord, RunState};
use crate::model::name::ReleaseNumber;
use crate::model::release::{Caller, ReleaseStatus};
use crate::model::units::Span;
use crate::model::watch_rule::percent;
use crate::ports::engine::Container;
use crate::ports::proxy::AppTraffic;
use crate::progress::event::LockView;

/// The share of 5xx from which on errors are mentioned, hundredths.
const MENTIONED_PERCENT: u64 = 1;

/// How an app is, in one word for people and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppState {
    /// It serves.
    Running,
    /// A change is under way.
    Changing,
    /// Stopped on purpose.
    Stopped,
    /// Runs, and visitors see a 503 page on purpose.
    Maintenance,
    /// Runs, and requests wait on purpose.
    Paused,
    /// It serves, and too many of its answers are errors, or its own health check fails.
    Failing,
    /// A change was left behind by a holder that died.
    Abandoned,
    /// Its container is not running, or gone.
    Down,
    /// It never served.
    Empty,
}

impl AppState {
    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        matches!(self, Self::Failing | Self::Abandoned | Self::Down | Self::Empty)
    }
}

impl fmt::Display for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Changing => "changing",
            Self::Stopped => "stopped",
            Self::Maintenance => "maintenance",
            Self::Paused => "paused",
            Self::Failing => "failing",
            Self::Abandoned => "abandoned change",
            Self::Down => "down",
            Self::Empty => "never served",
        })
    }
}

/// How an app is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The word.
    pub state: AppState,
    /// What there is to say about it; `None`: nothing.
    pub reason: Option<Reason>,
}

/// Why an app is as it is, or what else is to be known about one that runs. [`Display`](fmt::Display) gives a whole
/// sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its own 5xx of the last minute.
    Errors {
        /// Answers of the app's own.
        answers: u64,
        /// Of these: 5xx.
        errors: u64,
    },
    /// The health check that its image declares fails.
    Unhealthy,
    /// So many processes in its container were killed for lack of memory since it started.
    MemoryKills(u64),
    /// A release is tried out beside the serving one.
    Canary {
        /// Which.
        release: ReleaseNumber,
        /// Who gets it, in words.
        rule: String,
    },
    /// Visitors see the page of a closed app.
    Closed,
    /// Requests wait, each for so long at most.
    Waits(Span),
    /// Somebody changes it.
    ChangedBy(Caller),
    /// A change is at this point, in words.
    Progress(String),
    /// The holder of a change died.
    LeftBehind,
    /// The engine has no such container.
    Gone,
    /// The engine starts its container again and again.
    Restarting,
    /// Its container does not run.
    Ended,
    /// Its first deploy failed.
    FirstDeployFailed(String),
}

impl Reason {
    /// The same in two or three words, for a table; empty where the state's word says it all.
    #[must_use]
    pub fn short(&self) -> String {
        match self {
            Self::Errors { answers, errors } => format!("{:.0}% errors", percent(*errors, *answers)),
            Self::Unhealthy => "unhealthy".to_owned(),
            Self::MemoryKills(kills) => format!("{kills} killed for lack of memory"),
            Self::Canary { rule, .. } => format!("canary {rule}"),
            Self::Progress(text) => text.clone(),
            Self::Gone | Self::Restarting | Self::Ended => self.to_string(),
            Self::Closed | Self::Waits(_) | Self::ChangedBy(_) | Self::LeftBehind | Self::FirstDeployFailed(_) => {
                String::new()
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors { answers, errors } => {
                write!(f, "{}: {errors} of {answers} answers in the last minute", self.short())
            }
            Self::Unhealthy => f.write_str("the health check of its image fails"),
            Self::MemoryKills(1) => f.write_str("1 process was killed for lack of memory since its container started"),
            Self::MemoryKills(kills) => {
                write!(f, "{kills} processes were killed for lack of memory since its container started")
            }
            Self::Canary { release, rule } => write!(f, "release {release} is tried out as a canary: {rule}"),
            Self::Closed => f.write_str("visitors see a 503 page"),
            Self::Waits(span) => write!(f, "requests wait, each up to {span}"),
            Self::ChangedBy(by) => write!(f, "{} on {} changes it (`{}`)", by.user, by.host, by.command),
            Self::Progress(text) => f.write_str(text),
            Self::LeftBehind => f.write_str("a change was left behind by a process that died"),
            Self::Gone => f.write_str("its container is gone"),
            Self::Restarting => f.write_str("its container keeps restarting"),
            Self::Ended => f.write_str("its container has ended"),
            Self::FirstDeployFailed(why) => write!(f, "its first deploy failed: {why}"),
        }
    }
}

/// `failing, 50% errors`.
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.reason.as_ref().map(Reason::short).unwrap_or_default();
        if short.is_empty() { write!(f, "{}", self.state) } else { write!(f, "{}, {short}", self.state) }
    }
}

/// What is known about an app at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) record: &'a AppRecord,
    /// The serving release's container.
    pub(crate) container: Option<&'a Container>,
    /// Whether the list of containers is as of now: else that one is missing says nothing.
    pub(crate) current: bool,
    /// The lock of a change under way.
    pub(crate) lock: Option<&'a LockView>,
    pub(crate) traffic: &'a AppTraffic,
}

impl Standing {
    /// The rule. Pure.
    pub(crate) fn of(seen: Seen<'_>) -> Self {
        let standing = |state, reason| Self { state, reason: Some(reason) };
        let Seen { record, container, current, lock, .. } = seen;
        match (&record.state, &record.intent, lock) {
            (_, Some(_), Some(lock)) => return standing(AppState::Changing, Reason::ChangedBy(lock.by.clone())),
            (_, Some(_), None) => return standing(AppState::Abandoned, Reason::LeftBehind),
            _ if record.serving.is_none() => return Self { state: AppState::Empty, reason: first_failure(record) },
            (RunState::Stopped, ..) => return standing(AppState::Stopped, Reason::Closed),
            _ => {}
        }
        match container {
            None if current => return standing(AppState::Down, Reason::Gone),
            Some(container) if container.state == "restarting" => {
                return standing(AppState::Down, Reason::Restarting);
            }
            Some(container) if !container.running => return standing(AppState::Down, Reason::Ended),
            _ => {}
        }
        match &record.state {
            RunState::Maintenance(_) => standing(AppState::Maintenance, Reason::Closed),
            RunState::Paused { max_wait } => standing(AppState::Paused, Reason::Waits(*max_wait)),
            RunState::Running | RunState::Stopped => Self::serving(seen),
        }
    }

    fn serving(Seen { record, container, traffic, .. }: Seen<'_>) -> Self {
        // An older proxy does not know: then nothing is said.
        let recent = traffic.recent.unwrap_or_default();
        let errors = Reason::Errors { answers: recent.answers, errors: recent.errors };
        if recent.failing {
            return Self { state: AppState::Failing, reason: Some(errors) };
        }
        if container.is_some_and(|c| c.unhealthy) {
            return Self { state: AppState::Failing, reason: Some(Reason::Unhealthy) };
        }
        let mentioned = recent.errors > 0 && recent.errors * 100 >= recent.answers * MENTIONED_PERCENT;
        let kills = container.and_then(|c| c.memory_kills).filter(|kills| *kills > 0);
        let canary = record
            .canary
            .as_ref()
            .map(|canary| Reason::Canary { release: canary.release.number, rule: canary.rule.to_string() });
        let reason = mentioned.then_some(errors).or(kills.map(Reason::MemoryKills)).or(canary);
        Self { state: AppState::Running, reason }
    }
}

fn first_failure(record: &AppRecord) -> Option<Reason> {
    record.releases.last().and_then(|release| match &release.status {
        ReleaseStatus::Failed { why } => Some(Reason::FirstDeployFailed(why.clone())),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
