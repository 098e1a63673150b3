//! What can be asked for, and which app is meant.

pub(crate) mod change;
pub(crate) mod target;
