//! What a wish would change, field by field, and what that costs. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::field::Cost;

/// What will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing: the app is as asked.
    Nothing,
    /// The ledger is updated.
    Record,
    /// The route is updated in place.
    Route,
    /// A new container replaces the old one, without downtime.
    Swap,
    /// The app is made.
    Create,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Record => "record",
            Self::Route => "re-route",
            Self::Swap => "swap",
            Self::Create => "create",
        })
    }
}

/// One difference. Secrets are masked; that they change is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `memory`, `env.KEY`, `host`, `digest`, …
    pub field: String,
    /// What holds; `None`: nothing.
    pub from: Option<String>,
    /// What will; `None`: nothing.
    pub to: Option<String>,
    /// What this alone costs.
    pub cost: Cost,
}

/// A plan for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The sum of it.
    pub action: Action,
    /// Every difference.
    pub changes: Vec<Change>,
    /// Remarks that stop nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}
