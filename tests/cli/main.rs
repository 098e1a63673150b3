//! The command as a whole, without an engine: what can be typed, what is said about mistakes, and what scripts get.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod bad_input;
mod detached;
mod engine;
mod help;
mod support;
