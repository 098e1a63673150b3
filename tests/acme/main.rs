//! Certificates from a real authority, `pebble`, which asks a name server of the tests' own where names lead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod accounts;
mod demand;
mod deploys;
mod front;
mod gate;
mod house;
mod issue;
#[path = "../support/mod.rs"]
mod support;
mod troubles;
