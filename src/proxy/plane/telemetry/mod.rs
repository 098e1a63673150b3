//! What is counted and written down.

pub(crate) mod access_log;
pub(crate) mod answers;
pub(crate) mod cause;
pub(crate) mod histogram;
pub(crate) mod metrics;
pub(crate) mod minutes;
pub(crate) mod per_thread;
pub(crate) mod prometheus;
pub(crate) mod record;
pub(crate) mod top_paths;
pub(crate) mod visitors;
