//! Whether this process is the one that remembers. While another takes over, what would change something waits; when the
//! other one is in charge, it is told to ask there.

use std::sync::Arc;

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio_util::sync::CancellationToken;

use once_app::proxy::ProxyError;

#[derive(Default)]
pub(super) struct Gate {
    /// Read by whoever changes something, for as long as that takes.
    open: Arc<RwLock<()>>,
    moved: CancellationToken,
}

/// Nothing changes while this is held.
pub(super) type Frozen = OwnedRwLockWriteGuard<()>;

impl Gate {
    /// Lets a change through, or tells that it belongs elsewhere.
    pub(super) async fn enter(&self) -> Result<OwnedRwLockReadGuard<()>, ProxyError> {
        let entered = Arc::clone(&self.open).read_owned().await;
        self.check()?;
        Ok(entered)
    }

    /// Whether what is known here is still the truth.
    pub(super) fn check(&self) -> Result<(), ProxyError> {
        if self.moved.is_cancelled() { Err(ProxyError::Moved) } else { Ok(()) }
    }

    /// Waits for the changes under way, and holds up those to come.
    pub(super) async fn freeze(&self) -> Frozen {
        Arc::clone(&self.open).write_owned().await
    }

    /// Another process is in charge, for ever.
    pub(super) fn leave(&self, frozen: Option<Frozen>) {
        self.moved.cancel();
        drop(frozen);
    }

    /// Resolves when another process is in charge.
    pub(super) async fn moved(&self) {
        self.moved.cancelled().await;
    }
}
