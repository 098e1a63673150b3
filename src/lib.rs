//! `once` runs all your web apps on your own machines.
//!
//! The rooms, and the arrows between them (held by `tests/layers.rs`):
//!
//! - [`app`]: what an app is and how it changes; knows none of the others.
//! - [`docker`]: the engine port on bollard → `app`.
//! - [`proxy`]: the proxy and the host's memory → `app`.
//! - [`ui`]: command and console → `app`.
//! - [`demo`]: the demo app and a load generator, for trying and testing → nothing.
//!
//! Only this file, `wire.rs` and `main.rs` know all of them; `entropy.rs` is the time and randomness of this machine.

pub mod app;
pub mod demo;
pub mod docker;
mod entropy;
pub mod proxy;
pub mod ui;
mod wire;

use ui::cli::{Cli, Output, Part};

/// Runs what was asked for: a part of the machinery, else the command. The exit code.
pub async fn run(cli: &Cli, out: &mut Output) -> u8 {
    match cli.part() {
        Some(part) => run_part(part).await,
        None => ui::cli::run(cli, &wire::Parts, out).await,
    }
}

async fn run_part(part: Part) -> u8 {
    tracing::error!("{part:?} is not wired");
    1
}
