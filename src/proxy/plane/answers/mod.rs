//! What the proxy says itself.

pub(crate) mod pages;
pub(crate) mod unavailable;
