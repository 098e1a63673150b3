//! What would change, and whether it may.

pub(crate) mod diff;
pub(crate) mod fingerprint;
pub(crate) mod guard;
pub(crate) mod naming;
pub(crate) mod resolve;
pub(crate) mod volumes;
