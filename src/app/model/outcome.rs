//! How a change ended, and the exit code that says so.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One honest outcome (CLI.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A new app serves.
    Created,
    /// The app serves as asked.
    Updated,
    /// It did already.
    Unchanged,
    /// A bug.
    Internal,
    /// Bad arguments or settings; nothing was touched.
    Rejected,
    /// Engine unreachable, registry refused, disk full, port taken; nothing was switched.
    Environment,
    /// Somebody else is changing this app.
    Locked,
    /// The deploy failed; what served before serves on.
    Failed,
    /// Something served before and now nothing does.
    Down,
    /// A guard said no.
    Refused,
    /// A newer `--sequence` was accepted before.
    Superseded,
    /// Undone on request.
    Interrupted,
}

impl Outcome {
    /// The exit code: a promise.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Created | Self::Updated | Self::Unchanged => 0,
            Self::Internal => 1,
            Self::Rejected => 2,
            Self::Environment => 3,
            Self::Locked => 4,
            Self::Failed => 5,
            Self::Down => 6,
            Self::Refused => 7,
            Self::Superseded => 8,
            Self::Interrupted => 130,
        }
    }

    /// Whether things are as they were asked to be.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.exit_code() == 0
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Internal => "internal error",
            Self::Rejected => "rejected",
            Self::Environment => "environment",
            Self::Locked => "locked",
            Self::Failed => "failed",
            Self::Down => "down",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
            Self::Interrupted => "interrupted",
        })
    }
}
