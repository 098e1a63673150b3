//! The host's memory and its control channel: one contract for the service in process and for a client on a socket,
//! and what happens when files, connections and processes break.

// This whole binary is tests; a failed expectation ends one of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod broken_files;
mod certificates;
mod contract;
mod history;
mod kill;
#[path = "../support/ports.rs"]
mod ports;
mod support;
mod webhook;
mod wire;
mod worker;
