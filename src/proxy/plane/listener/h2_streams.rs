//! The requests of an HTTP/2 connection: a task each, which ends when the client leaves its answer lying.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::plane::clock;

tokio::task_local! {
    static FLOW: Arc<Flow>;
}

/// Whether an answer's pieces go on to the client.
#[derive(Default)]
pub(in crate::plane) struct Flow {
    /// When the last piece was handed out; 0: more has been asked for since.
    offered: AtomicU64,
}

impl Flow {
    /// Of the task that runs now, if it is a stream's.
    pub(in crate::plane) fn here() -> Option<Arc<Self>> {
        FLOW.try_with(Arc::clone).ok()
    }

    /// A piece was handed out.
    pub(in crate::plane) fn offer(&self) {
        self.offered.store(clock::millis(Instant::now()).max(1), Ordering::Relaxed);
    }

    /// It has gone, and it is the app that is waited for.
    pub(in crate::plane) fn taken(&self) {
        self.offered.store(0, Ordering::Relaxed);
    }

    async fn stalled(&self, limit: Duration) {
        let mut look = Instant::now() + limit;
        loop {
            tokio::time::sleep_until(look.into()).await;
            let now = Instant::now();
            look = match self.offered.load(Ordering::Relaxed) {
                0 => now + limit,
                offered => clock::at_millis(offered) + limit,
            };
            if look <= now {
                return;
            }
        }
    }
}

/// Runs an HTTP/2 connection's tasks on this thread.
#[derive(Clone)]
pub(in crate::plane) struct Streams {
    /// How long a client may leave a piece of an answer lying.
    pub(in crate::plane) stall: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, task: F) {
        let (flow, stall) = (Arc::<Flow>::default(), self.stall);
        let watched = Arc::clone(&flow);
        tokio::spawn(FLOW.scope(flow, async move {
            tokio::select! {
                biased;
                () = task => {}
                // Dropping the task resets its stream; the others go on.
                () = watched.stalled(stall) => {}
            }
        }));
    }
}
