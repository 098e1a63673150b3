//! What holds when something dies: commands, the proxy, connections, the engine itself. Real ones where they can be had;
//! `steps` puts a fault at every single call of a change on an engine in memory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

#[path = "../journeys/host.rs"]
#[allow(dead_code, reason = "no test binary uses all of it")]
mod host;
#[path = "../journeys/site.rs"]
#[allow(dead_code, reason = "no test binary uses all of it")]
mod site;
#[path = "../support/mod.rs"]
mod support;

use support::ports;

mod alone;
mod attempts;
mod beside_once;
mod doomed;
mod engine_restart;
mod examination;
mod frozen;
mod kills;
mod loss;
mod own_engine;
mod parity;
mod proxies;
mod retention;
mod schedule;
mod sequences;
mod steps;
mod trials;
mod upgrades;
mod volumes;
mod withdrawn;
