//! Certificates that a change brings or orders.

pub(crate) mod acme;
pub(crate) mod custom;
