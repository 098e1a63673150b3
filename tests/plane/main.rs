//! The data plane and the demo app, in one process, over loopback sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod canaries;
mod canonical;
mod causes;
mod closed;
mod crowds;
mod drains;
mod empty_frames;
mod giants;
mod go_ahead;
mod grpc;
mod guards;
mod heads;
mod holds;
mod http2;
mod limits;
mod lives;
mod logs;
mod matrix;
mod outages;
mod packs;
mod port_choice;
#[path = "../support/ports.rs"]
mod ports;
mod prefixes;
mod probes;
mod proxy_protocol;
mod raw;
mod routes;
mod seen;
mod streams;
mod supervisors;
mod support;
mod swaps;
mod threads;
mod tls;
mod trusted;
mod upgrades;
