//! Values: what names, images, quantities, routes and certificates are. They are parsed once and cannot hold a bad value.

pub(crate) mod canary;
pub(crate) mod certificate;
pub(crate) mod hostname;
pub(crate) mod image;
pub(crate) mod issuing;
pub(crate) mod name;
pub(crate) mod outcome;
pub(crate) mod problem;
pub(crate) mod processes;
pub(crate) mod release;
pub(crate) mod route;
pub mod traffic;
pub(crate) mod undelivered;
pub(crate) mod units;
pub(crate) mod volumes;
pub(crate) mod watch_rule;
