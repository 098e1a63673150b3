//! Who carries a change out. The console only follows: closing it stops nothing.

use futures_core::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use once_app::event::Envelope;
use once_app::{Job, OpId, Problem};

/// Starts changes in processes of their own.
pub trait Runner: Send + Sync {
    /// Starts one at once and returns without waiting for it.
    fn run(&self, job: Job) -> Running;
    /// Says that one goes on, also while it still waits, though nobody looks at it any more. Does not wait.
    fn detach(&self, _op: &OpId) {}
    /// The same of all that are under way: the console is about to be left. Does not wait.
    fn detach_all(&self) {}
}

/// A change under way.
pub struct Running {
    /// Its events, `finished` last. An error: it could not be started or can no longer be followed. Dropping the stream
    /// stops following, not the change.
    pub events: BoxStream<'static, Result<Envelope, Problem>>,
    /// Cancelling asks the change to undo itself, which it does before its switch.
    pub cancel: CancellationToken,
}
