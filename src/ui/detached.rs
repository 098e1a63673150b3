//! The console's changes, made in detached processes as the command's are.

use futures_util::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::runner::{self, Place, RunnerError, RunningJob};
use super::tui::{Runner, Running};
use crate::app::event::{Envelope, Outcome};
use crate::app::{Job, Problem};

/// Starts each change in a process of its own.
#[derive(Debug, Clone)]
pub struct Detached {
    /// Where changes are made.
    pub place: Place,
}

/// How far following a change has got.
enum Following {
    Asked(Job, Place),
    Under(RunningJob),
    Ended,
}

impl Runner for Detached {
    fn run(&self, job: Job) -> Running {
        let cancel = CancellationToken::new();
        let start = (Following::Asked(job, self.place.clone()), cancel.clone());
        let events = stream::unfold(start, |(mut following, cancel)| async move {
            let item = next(&mut following, &cancel).await?;
            if item.is_err() {
                following = Following::Ended;
            }
            Some((item, (following, cancel)))
        });
        // A task of its own, so that a change begins at once and a cancel is heard while nobody asks for events.
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut events = events.boxed();
            while let Some(event) = events.next().await {
                // Whoever followed may have left; the change goes on, and a cancel is still passed on.
                sender.send(event).ok();
            }
        });
        let received = stream::unfold(receiver, |mut r| async move { r.recv().await.map(|event| (event, r)) });
        Running { events: received.boxed(), cancel }
    }
}

async fn next(following: &mut Following, cancel: &CancellationToken) -> Option<Result<Envelope, Problem>> {
    let mut job = match std::mem::replace(following, Following::Ended) {
        Following::Ended => return None,
        Following::Under(job) => job,
        Following::Asked(job, place) => match runner::spawn(&job, &place).await {
            Ok(job) => job,
            Err(error) => return Some(Err(lost(&error))),
        },
    };
    let event = tokio::select! {
        event = job.next_event() => event,
        () = cancel.cancelled(), if !job.is_cancelled() => {
            job.cancel().await;
            job.next_event().await
        }
    };
    let event = event.transpose()?;
    *following = Following::Under(job);
    Some(event.map_err(|error| lost(&error)))
}

/// The process that makes a change cannot be followed any more.
pub(crate) fn lost(error: &RunnerError) -> Problem {
    let outcome = match error {
        RunnerError::Start(_) => Outcome::Environment,
        _ => Outcome::Internal,
    };
    Problem::new(outcome, "runner", "the process that makes the change was lost")
        .because(error)
        .hint("`once status` says what serves; the next command puts in order what was left")
}
