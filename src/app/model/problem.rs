//! An error as people and scripts get it: what happened, why, what to do next.

use std::error::Error as StdError;

use serde::{Deserialize, Serialize};

use super::outcome::Outcome;

/// Three things in one value: what happened in plain words, the cause chain, what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Decides the exit code.
    pub outcome: Outcome,
    /// Stable, kebab-case, for scripts: `engine-unreachable`, `host-taken`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// From the nearest cause to the root.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What to do, in order of likelihood; commands in backticks.
    #[serde(default)]
    pub hints: Vec<String>,
    /// Whether the same command may succeed later without a change.
    #[serde(default)]
    pub retryable: bool,
    /// The last lines the failed container wrote. Untrusted text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl Problem {
    /// A problem without causes and hints.
    #[must_use]
    pub fn new(outcome: Outcome, code: &str, message: impl Into<String>) -> Self {
        let retryable = matches!(outcome, Outcome::Environment | Outcome::Locked);
        let message = message.into();
        Self { outcome, code: code.into(), message, causes: vec![], hints: vec![], retryable, log: vec![] }
    }

    /// Bad arguments or settings.
    #[must_use]
    pub fn rejected(code: &str, message: impl Into<String>) -> Self {
        Self::new(Outcome::Rejected, code, message)
    }

    /// Adds the chain of an error and its sources.
    #[must_use]
    pub fn because(mut self, error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Libraries like to repeat their source's text in their own.
            if !self.causes.iter().any(|c| c.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Problem {}
