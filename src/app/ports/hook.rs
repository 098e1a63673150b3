//! Programs of the person's own that a deploy runs on the machine it was asked from, before and after.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::units::in_words;
use crate::progress::event::Step;

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Once it is known what will change, before anything is touched. Its failure stops the deploy.
    PreDeploy,
    /// After the deploy. Its failure is a warning.
    PostDeploy,
    /// After a deploy that failed. Its failure is a warning.
    OnFailure,
}

impl Hook {
    /// The name of its program.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreDeploy => "pre-deploy",
            Self::PostDeploy => "post-deploy",
            Self::OnFailure => "on-failure",
        }
    }

    /// The step it is.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::PreDeploy => Step::PreDeploy,
            Self::PostDeploy => Step::PostDeploy,
            Self::OnFailure => Step::OnFailure,
        }
    }
}

/// Why a hook did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It could not be started.
    #[error("the hook {} could not be started: {message}", .path)]
    Start {
        /// Its program.
        path: String,
        /// The system's words.
        message: String,
    },
    /// It said no.
    #[error("the hook {} ended with {end}", .path)]
    Failed {
        /// Its program.
        path: String,
        /// Exit code or signal, in words.
        end: String,
    },
    /// It took longer than it may.
    #[error("the hook {} was ended after {}", .path, in_words(Duration::from_secs(*.seconds)))]
    TooLong {
        /// Its program.
        path: String,
        /// Its limit.
        seconds: u64,
    },
}

/// Runs hooks.
#[async_trait]
pub trait Hooks: Send + Sync {
    /// Whether there is such a hook.
    fn has(&self, hook: Hook) -> bool;
    /// Runs it to its end, with these variables; each line it writes goes to `say`. Dropping this ends it.
    async fn run(
        &self,
        hook: Hook,
        variables: &[(&'static str, String)],
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), HookError>;
}

/// None at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHooks;

#[async_trait]
impl Hooks for NoHooks {
    fn has(&self, _: Hook) -> bool {
        false
    }

    async fn run(
        &self,
        _: Hook,
        _: &[(&'static str, String)],
        _: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), HookError> {
        Ok(())
    }
}
