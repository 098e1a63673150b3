//! How much time what is under way gets at the end: little when the process is stopped, much when another one has taken
//! over the sockets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::plane::options::Timeouts;

#[derive(Default)]
pub(in crate::plane) struct Departure {
    leaving: AtomicBool,
    hurry: CancellationToken,
}

impl Departure {
    pub(in crate::plane) fn leave(&self) {
        self.leaving.store(true, Ordering::SeqCst);
    }

    pub(in crate::plane) fn hurry(&self) {
        self.hurry.cancel();
    }

    fn has_time(&self) -> bool {
        self.leaving.load(Ordering::SeqCst) && !self.hurry.is_cancelled()
    }

    /// For requests, counted from the end of the lame-duck phase.
    pub(in crate::plane) fn rest(&self, timeouts: &Timeouts) -> Duration {
        let whole = if self.has_time() { timeouts.leave } else { timeouts.stop };
        whole.saturating_sub(timeouts.lame_duck)
    }

    /// For upgraded connections, counted from the stop.
    pub(in crate::plane) async fn upgraded_end(&self, timeouts: &Timeouts) {
        if self.has_time() {
            tokio::select! {
                () = tokio::time::sleep(timeouts.leave_upgraded) => return,
                () = self.hurry.cancelled() => {}
            }
        }
        tokio::time::sleep(timeouts.lame_duck).await;
    }
}
