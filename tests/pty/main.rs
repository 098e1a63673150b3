//! The console in a real pseudo-terminal: what it writes, what it leaves behind, how it ends. The real binary, most
//! with an engine that is not there: a state like others. Waits for words, never for time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod forms;
#[allow(dead_code, reason = "shared with the journeys of the command, which need all of it")]
#[path = "../journeys/host.rs"]
mod host;
mod journey;
mod keys;
mod leaving;
mod life;
mod mending;
mod names_and_locks;
#[allow(dead_code, reason = "shared with other test binaries")]
#[path = "../support/newer.rs"]
mod newer;
#[path = "../support/ports.rs"]
mod ports;
mod quiet;
mod releases_and_activity;
mod shell;
mod term;
mod upgrade;
