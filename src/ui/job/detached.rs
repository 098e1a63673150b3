//! The console's changes, made in detached processes as the command's are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt as _};
use tokio_util::sync::CancellationToken;

use super::changes::{Runner, Running};
use super::runner::{self, Control, Place, RunnerError, RunningJob};
use once_app::event::{Envelope, Outcome};
use once_app::{Job, OpId, Problem};

/// Starts each change in a process of its own.
#[derive(Debug, Clone)]
pub struct Detached {
    /// Where changes are made.
    place: Place,
    controls: Controls,
}

impl Detached {
    /// Changes are made there.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, controls: Controls::default() }
    }
}

/// The lines to the processes of changes that have not ended.
#[derive(Debug, Clone, Default)]
struct Controls(Arc<Mutex<HashMap<OpId, Held>>>);

#[derive(Debug)]
enum Held {
    /// The process is not there yet, and is to be told as soon as it is.
    Detach,
    Line(Control),
}

impl Controls {
    fn add(&self, op: OpId, control: &Control) {
        let before = self.lock().insert(op, Held::Line(control.clone()));
        if matches!(before, Some(Held::Detach)) {
            control.detach();
        }
    }

    fn remove(&self, op: &OpId) {
        self.lock().remove(op);
    }

    fn detach(&self, op: &OpId) {
        match self.lock().entry(op.clone()).or_insert(Held::Detach) {
            Held::Line(control) => control.detach(),
            Held::Detach => {}
        }
    }

    fn detach_all(&self) {
        for held in self.lock().values() {
            if let Held::Line(control) = held {
                control.detach();
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<OpId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let (op, controls) = (job.op.clone(), self.controls.clone());
        let start = (Following::Asked(job, self.place.clone()), cancel.clone(), controls.clone());
        let events = stream::unfold(start, |(mut following, cancel, controls)| async move {
            let item = next(&mut following, &cancel, &controls).await?;
            if item.is_err() {
                following = Following::Ended;
            }
            Some((item, (following, cancel, controls)))
        });
        // A task of its own, so that a change begins at once and a cancel is heard while nobody asks for events.
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut events = events.boxed();
            while let Some(event) = events.next().await {
                // Whoever followed may have left; the change goes on, and a cancel is still passed on.
                sender.send(event).ok();
            }
            controls.remove(&op);
        });
        let received = stream::unfold(receiver, |mut r| async move { r.recv().await.map(|event| (event, r)) });
        Running { events: received.boxed(), cancel }
    }

    fn detach(&self, op: &OpId) {
        self.controls.detach(op);
    }

    fn detach_all(&self) {
        self.controls.detach_all();
    }
}

async fn next(
    following: &mut Following,
    cancel: &CancellationToken,
    controls: &Controls,
) -> Option<Result<Envelope, Problem>> {
    let mut job = match std::mem::replace(following, Following::Ended) {
        Following::Ended => return None,
        Following::Under(job) => job,
        Following::Asked(job, place) => match runner::spawn(&job, &place).await {
            Ok(running) => {
                controls.add(job.op, &running.control());
                running
            }
            Err(error) => return Some(Err(lost(&error))),
        },
    };
    let event = tokio::select! {
        event = job.next_event() => event,
        () = cancel.cancelled(), if !job.is_cancelled() => {
            job.cancel();
            job.next_event().await
        }
    };
    let event = event.transpose()?;
    *following = Following::Under(job);
    Some(event.map_err(|error| lost(&error)))
}

/// The process that makes a change cannot be followed any more.
pub fn lost(error: &RunnerError) -> Problem {
    let outcome = match error {
        RunnerError::Start(_) => Outcome::Environment,
        _ => Outcome::Internal,
    };
    Problem::new(outcome, "runner", "the process that makes the change was lost")
        .because(error)
        .hint("`once status` says what serves; the next command puts in order what was left")
}
