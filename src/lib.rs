//! `once` runs all your web apps on your own machines.
//!
//! The rooms, and the arrows between them (held by `tests/layers.rs`):
//!
//! - [`app`]: what an app is and how it changes; knows none of the others.
//! - [`docker`]: the engine port on bollard → `app`.
//! - [`proxy`]: the proxy and the host's memory → `app`.
//! - [`ui`]: command and console → `app`.
//! - [`demo`]: the demo app and a load generator, for trying and testing → nothing.
//!
//! Only this file and `main.rs` know all of them.

pub mod app;
pub mod demo;
pub mod docker;
pub mod proxy;
pub mod ui;
