//! What holds when something dies: commands, the proxy, connections, the engine itself. Real ones where they can be had;
//! `steps` puts a fault at every single call of a change on an engine in memory.

// This whole binary is tests; a failed expectation ends one of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../journeys/host.rs"]
#[allow(dead_code, reason = "no test binary uses all of it")]
mod host;
#[path = "../support/mod.rs"]
mod support;

mod alone;
mod doomed;
mod engine_restart;
mod frozen;
mod kills;
mod proxies;
mod steps;
