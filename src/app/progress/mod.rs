//! What a change tells while it runs, and what everybody makes of it.

pub mod event;
pub(crate) mod journal;
pub(crate) mod reducer;
