//! Whole journeys: the real command, a real engine, a real load.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod adopt;
mod authority;
mod bytes;
mod canaries;
mod certificates;
mod closed;
mod concurrency;
mod deploys;
mod doctor;
mod exports;
mod failures;
mod guards;
mod h2c;
mod hardening;
mod hooks;
mod host;
mod labels;
mod locks;
mod logs;
mod namespace;
mod rebuild;
mod refusals;
mod registry;
mod relay;
mod release_command;
mod releases;
mod remote;
mod renames;
mod scale;
mod secrets;
mod site;
mod splits;
mod state;
#[path = "../support/mod.rs"]
mod support;
mod traps;
mod volumes;
mod watches;
mod webhooks;

use support::ports;
