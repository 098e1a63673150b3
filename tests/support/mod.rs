//! Shared by the test binaries: `#[path = "../support/mod.rs"] mod support;`.
//!
//! - [`bed`]: a namespace of one's own on the real engine, cleaned up whatever happens.
//! - [`fake_engine`]: the engine in memory, with faults on demand.
//! - [`installation`]: changes on that engine, with a real ledger.
//! - [`newer`]: this program as if it were another version.
//! - [`ports`]: those that tests listen on.
//! - [`pebble`], [`dns`]: a certificate authority, and the name server it asks.
//! - [`probe`]: the program that test containers run, built once with the compiler that builds the tests.

#![allow(dead_code, reason = "no test binary uses all of it")]

pub mod bed;
pub mod dns;
pub mod fake_engine;
pub mod installation;
pub mod newer;
pub mod pebble;
pub mod ports;
pub mod probe;

use std::future::Future;
use std::time::Duration;

/// No single test takes longer, or it panics and so cleans up.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Bounds a test in time.
pub async fn bounded<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, test).await.expect("the test ended in time")
}

/// Looks again and again until it sees something, for at most 20 s.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    for _ in 0..400 {
        if let Some(seen) = look().await {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen in 20 s");
}

/// A port on which nobody listens, this process's own until it ends.
pub fn free_port() -> u16 {
    ports::free().unwrap()
}
