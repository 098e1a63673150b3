//! Time and randomness come in through these ports, so that tests own them.

use jiff::Timestamp;

use crate::ledger::Generated;

/// The time of day. Waiting goes through tokio's timers, which tests can pause.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Things that must not be guessable or repeat.
pub trait Entropy: Send + Sync {
    /// 16 hex digits, for [`AppId`](crate::AppId) and [`OpId`](crate::OpId).
    fn id(&self) -> String;
    /// A new app's own secrets.
    fn secrets(&self) -> Generated;
}
