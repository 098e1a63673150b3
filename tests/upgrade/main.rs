//! What the version before has made, the present one goes on with: nothing is lost.
//!
//! `bin/before` builds the version before from the repository's history. It makes apps of every kind; then the program under
//! test lists, deploys, rolls back, restarts, renames and removes each, and brings it back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod adopted;
mod before;
mod database;
mod going_back;
#[allow(dead_code, reason = "shared with the journeys of the command, which need all of it")]
#[path = "../journeys/host.rs"]
mod host;
mod rebuild;
mod states;
#[path = "../support/mod.rs"]
mod support;
mod volumes;

use support::ports;
