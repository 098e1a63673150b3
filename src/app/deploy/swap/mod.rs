//! From one release to the next.

pub(crate) mod candidate;
pub(crate) mod data;
pub(crate) mod handover;
pub(crate) mod healthy;
pub(crate) mod log_hints;
pub(crate) mod overlap;
pub(crate) mod release_command;
pub(crate) mod retire;
pub(crate) mod served;
pub(crate) mod traffic;
pub(crate) mod volume_owner;
pub(crate) mod watch;
