//! Which release a request goes to.

pub(crate) mod app;
pub(crate) mod canary;
pub(crate) mod claim;
pub(crate) mod hold_limit;
pub(crate) mod table;
