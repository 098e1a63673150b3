//! What a web hook does not know.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Entries of the audit log that a web hook was not told of, however often it was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untold {
    /// How many.
    pub count: u64,
    /// When the first of them was given up.
    pub since: Timestamp,
    /// Why the last one was.
    pub why: String,
}

impl std::fmt::Display for Untold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, since, why } = self;
        let entries = if *count == 1 { "entry" } else { "entries" };
        let since = since.strftime("%Y-%m-%d %H:%M UTC");
        write!(f, "the web hook was not told of {count} {entries} of the activity, since {since}: {why}")
    }
}
