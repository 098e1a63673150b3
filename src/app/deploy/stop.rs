//! How a change is stopped from outside.

use tokio_util::sync::CancellationToken;

/// How a change is stopped from outside.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Undo all that was done; without effect past the switch.
    pub cancel: CancellationToken,
    /// Do not begin, for nobody is there any more who asked for it; without effect once the app's lock is held.
    pub withdraw: CancellationToken,
}

impl From<CancellationToken> for Stop {
    fn from(cancel: CancellationToken) -> Self {
        Self { cancel, ..Self::default() }
    }
}
