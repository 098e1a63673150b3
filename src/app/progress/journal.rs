//! Writes the events of one change: numbers and stamps them, hands them to the caller at once, and queues them for the
//! ledger, where others follow them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::event::{Envelope, Event, Step};
use crate::model::name::{AppName, OpId};
use crate::ports::clock::Clock;

/// Where events go as they happen.
pub type EventSink = Arc<dyn Fn(&Envelope) + Send + Sync>;

/// The journal of one change. Cheap to share: it is only ever borrowed.
pub(crate) struct Journal {
    op: OpId,
    clock: Arc<dyn Clock>,
    sink: EventSink,
    queue: mpsc::UnboundedSender<Envelope>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seq: u64,
    app: Option<AppName>,
    warnings: Vec<String>,
}

impl Journal {
    /// A journal, and the queue that is to be published.
    pub(crate) fn new(op: OpId, clock: Arc<dyn Clock>, sink: EventSink) -> (Self, mpsc::UnboundedReceiver<Envelope>) {
        let (queue, events) = mpsc::unbounded_channel();
        (Self { op, clock, sink, queue, state: Mutex::default() }, events)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on events name this app.
    pub(crate) fn about(&self, app: &AppName) {
        self.state().app = Some(app.clone());
    }

    /// Writes one event.
    pub(crate) fn write(&self, event: Event) {
        let envelope = {
            let mut state = self.state();
            if let Event::Warning { text, .. } = &event {
                state.warnings.push(text.clone());
            }
            let seq = state.seq;
            state.seq += 1;
            Envelope { event, op: self.op.clone(), app: state.app.clone(), seq, at: self.clock.now() }
        };
        (self.sink)(&envelope);
        // The receiver is gone only when publishing has given up; the caller still gets every event.
        self.queue.send(envelope).ok();
    }

    /// Something that stops nothing but should be known.
    pub(crate) fn warn(&self, code: &str, text: impl Into<String>) {
        self.write(Event::Warning { code: code.to_owned(), text: text.into() });
    }

    /// All warnings so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    /// The app the change is about, once known.
    pub(crate) fn app(&self) -> Option<AppName> {
        self.state().app.clone()
    }

    /// How a step goes on.
    pub(crate) fn progress(&self, step: Step, text: impl Into<String>, amount: Option<(u64, u64)>) {
        let (done, total) = amount.unzip();
        self.write(Event::Progress { step, text: text.into(), done, total });
    }

    /// Runs one step between its two events. The work says what came of it.
    pub(crate) async fn step<T, E: std::fmt::Display>(
        &self,
        step: Step,
        work: impl Future<Output = Result<(T, String), E>>,
    ) -> Result<T, E> {
        self.write(Event::StepStarted { step });
        let start = tokio::time::Instant::now();
        let result = work.await;
        let took_ms = start.elapsed().as_millis() as u64;
        match result {
            Ok((value, detail)) => {
                self.write(Event::StepFinished { step, detail, took_ms });
                Ok(value)
            }
            Err(error) => {
                self.write(Event::StepFailed { step, detail: error.to_string(), took_ms });
                Err(error)
            }
        }
    }
}
