//! The real engine, beyond what a fake could stand in for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by unwrapping it"
)]

#[path = "../support/mod.rs"]
mod support;

mod connecting;
mod container_spec;
mod exec_stdio;
mod own_image;
mod registry;
mod registry_server;
