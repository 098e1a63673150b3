//! A lock held in this process.

use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::locks::{Grip, Locks};
use once_app::proxy::{Lease, LeaseEnd, ProxyError};
use once_app::{AppName, Secret};

/// A lock held in this process; dropping it gives it back. The control server holds one for each client's.
pub struct LocalLease {
    locks: Arc<Locks>,
    app: AppName,
    grip: Grip,
    lost: CancellationToken,
    cancel: CancellationToken,
    shared: bool,
}

impl LocalLease {
    pub(super) fn new(
        locks: Arc<Locks>,
        app: AppName,
        grip: Grip,
        lost: CancellationToken,
        cancel: CancellationToken,
    ) -> Self {
        Self { locks, app, grip, lost, cancel, shared: false }
    }

    /// Of a change that is a part of the holder's: giving it back gives nothing back.
    pub(super) fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Whether the lock is another change's.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// The app it is of.
    pub(crate) fn app(&self) -> &AppName {
        &self.app
    }

    pub(super) fn fence_number(&self) -> u64 {
        self.grip.fence
    }

    /// Resolves when the lock is lost; a change that was asked to end may still have to finish.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

#[async_trait]
impl Lease for LocalLease {
    fn fence(&self) -> u64 {
        self.grip.fence
    }

    fn token(&self) -> Option<Secret> {
        self.locks.token(&self.app, self.grip.fence)
    }

    async fn ended(&self) -> LeaseEnd {
        tokio::select! {
            biased;
            () = self.lost.cancelled() => LeaseEnd::Lost,
            () = self.cancel.cancelled() => LeaseEnd::CancelRequested,
        }
    }

    async fn release(self: Box<Self>) -> Result<(), ProxyError> {
        if self.lost.is_cancelled() { Err(ProxyError::LockLost) } else { Ok(()) }
    }
}

impl Drop for LocalLease {
    fn drop(&mut self) {
        if !self.shared {
            self.locks.let_go(&self.app, self.grip);
        }
    }
}
