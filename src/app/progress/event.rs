//! What happens during a change, as a stream of serialisable events. The console's deploy view, the command's lines
//! and `--json` are drawings of the same [`fold`](super::reducer) over it. Field names are a promise: additive only.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::{AppRecord, RunState};
use crate::model::canary::CanaryView;
use crate::model::name::{AppName, OpId, ReleaseNumber};
pub use crate::model::outcome::Outcome;
use crate::model::problem::Problem;
use crate::model::release::Caller;
use crate::model::units::Span;
use crate::plan::diff::PlanView;

/// An event with its place: which change, which app, the how-manieth, when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The event; its fields stand beside the ones below in JSON.
    #[serde(flatten)]
    pub event: Event,
    /// The change.
    pub op: OpId,
    /// The app, once it is known.
    pub app: Option<AppName>,
    /// 0, 1, 2 … within the change.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A change was asked for.
    Started {
        /// Who, from where, with which command.
        by: Caller,
    },
    /// Somebody else holds the lock.
    Waiting {
        /// Who holds it.
        holder: LockView,
    },
    /// What an earlier, abandoned change had left was put in order.
    Tidied {
        /// What was found and done, one sentence.
        text: String,
    },
    /// What will be done.
    Planned {
        /// Changes and their cost.
        plan: PlanView,
        /// The primary hostname.
        host: String,
        /// The release that serves now.
        from: Option<ReleaseNumber>,
        /// The steps to come, in order.
        steps: Vec<Step>,
    },
    /// The number of the release to be.
    Numbered {
        /// The number.
        release: ReleaseNumber,
    },
    /// A step began.
    StepStarted {
        /// Which.
        step: Step,
    },
    /// A step goes on; newer ones replace older ones.
    Progress {
        /// Which.
        step: Step,
        /// In words.
        text: String,
        /// How much is done, in bytes or pieces.
        done: Option<u64>,
        /// Of how much.
        total: Option<u64>,
    },
    /// A step ended well.
    StepFinished {
        /// Which.
        step: Step,
        /// In words: what came of it.
        detail: String,
        /// How long it took, milliseconds.
        took_ms: u64,
    },
    /// A step was not needed.
    StepSkipped {
        /// Which.
        step: Step,
        /// Why.
        why: String,
    },
    /// A step ended badly.
    StepFailed {
        /// Which.
        step: Step,
        /// In words.
        detail: String,
        /// How long it took, milliseconds.
        took_ms: u64,
    },
    /// A line the candidate or its release command wrote. Untrusted text: sanitise before showing.
    Log {
        /// The line, without its end.
        line: String,
    },
    /// Requests during this change so far; newer ones replace older ones.
    Traffic(TrafficView),
    /// Something the person should know that stops nothing.
    Warning {
        /// Stable, for scripts.
        code: String,
        /// In words.
        text: String,
    },
    /// The one honest answer; always last.
    Finished(Finished),
}

/// The end of a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The outcome.
    pub outcome: Outcome,
    /// The release the change made, where it made one.
    pub release: Option<ReleaseNumber>,
    /// The release that serves now; `None`: nothing does.
    pub serving: Option<ReleaseNumber>,
    /// The release that is tried out beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryView>,
    /// What visitors get now, where it is not the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visitors: Option<Visitors>,
    /// Where to reach the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// All warnings again.
    pub warnings: Vec<String>,
    /// Whether the same command may succeed later without a change.
    pub retryable: bool,
    /// Whether the release command had run, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_command_ran: Option<bool>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// What visitors of an app get that does not serve on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Visitors {
    /// A 503 page: the app is stopped.
    Stopped,
    /// A 503 page: the app is under maintenance.
    Maintenance,
    /// Their requests wait.
    Paused {
        /// Each so long at most.
        max_wait: Span,
    },
    /// "Not found": the app was removed.
    Removed {
        /// The volumes that are kept, by their names on the engine.
        kept: Vec<String>,
    },
}

impl Visitors {
    /// By what is remembered of an app; `None`: they get the app.
    #[must_use]
    pub fn of(record: &AppRecord) -> Option<Self> {
        match &record.state {
            _ if !record.is_live() => Some(Self::Removed { kept: Vec::new() }),
            RunState::Running => None,
            RunState::Stopped => Some(Self::Stopped),
            RunState::Maintenance(_) => Some(Self::Maintenance),
            RunState::Paused { max_wait } => Some(Self::Paused { max_wait: *max_wait }),
        }
    }

    /// How to take it back, as a part of a sentence.
    #[must_use]
    pub fn way_back(&self, app: &AppName) -> String {
        match self {
            Self::Stopped => format!("`once start {app}` lets it serve again"),
            Self::Maintenance => format!("`once maintenance {app} --off` ends it"),
            Self::Paused { .. } => format!("`once resume {app}` lets them go on"),
            Self::Removed { kept } if kept.is_empty() => format!("`once deploy IMAGE --name {app}` makes it anew"),
            Self::Removed { .. } => format!("`once deploy IMAGE --name {app}` takes them up again"),
        }
    }
}

impl fmt::Display for Visitors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped: visitors see a 503 page"),
            Self::Maintenance => f.write_str("under maintenance: visitors see a 503 page"),
            Self::Paused { max_wait } => write!(f, "paused: requests wait, each up to {max_wait}"),
            Self::Removed { kept } => match kept.as_slice() {
                [] => f.write_str("removed"),
                [one] => write!(f, "removed; data kept: volume {one}"),
                more => write!(f, "removed; data kept: volumes {}", more.join(", ")),
            },
        }
    }
}

/// Steps of a change, in the words of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Step {
    Lock,
    PreDeploy,
    Preflight,
    Pull,
    ReleaseCommand,
    Hold,
    Start,
    Healthy,
    Certificate,
    Switch,
    Watch,
    Return,
    Proof,
    Drain,
    Retire,
    PostDeploy,
    OnFailure,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lock => "lock",
            Self::PreDeploy => "pre-deploy",
            Self::Preflight => "preflight",
            Self::Pull => "pull",
            Self::ReleaseCommand => "release command",
            Self::Hold => "hold",
            Self::Start => "start",
            Self::Healthy => "healthy",
            Self::Certificate => "certificate",
            Self::Switch => "switch",
            Self::Watch => "watch",
            Self::Return => "switch back",
            Self::Proof => "proof",
            Self::Drain => "drain",
            Self::Retire => "retire",
            Self::PostDeploy => "post-deploy",
            Self::OnFailure => "on-failure",
        })
    }
}

/// A lock as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockView {
    /// Which app.
    pub app: AppName,
    /// Who holds it.
    pub by: Caller,
    /// Since when.
    pub since: Timestamp,
    /// The change it is held for; `None` for a lock taken on purpose.
    pub op: Option<OpId>,
    /// Why, for a lock taken on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Requests of an app since a change began, old and new release apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficView {
    /// Answered by the old release.
    pub old: u64,
    /// Answered by the new release.
    pub new: u64,
    /// Answered by the proxy itself with 502, 503 or 504, or broken off.
    pub failed: u64,
    /// The slowest, milliseconds.
    pub slowest_ms: u64,
    /// Requests per half second, oldest first, at most 60: old and new.
    pub series: Vec<(u32, u32)>,
}
