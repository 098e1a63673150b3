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
//! Only this file, `wire.rs` and `main.rs` know all of them; `parts.rs` starts the proxy's processes and the demo; `entropy.rs` is the time and randomness of this machine.

pub mod app;
pub mod demo;
pub mod docker;
mod entropy;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod parts;
pub mod proxy;
pub mod ui;
mod wire;

use ui::cli::{Cli, Output, Part};

/// Runs what was asked for: a part of the machinery, else the command.
pub async fn run(cli: &Cli, out: &mut Output) -> std::process::ExitCode {
    match cli.part() {
        Some(part) => run_part(part).await,
        None => ui::cli::run(cli, &wire::Parts, out).await.into(),
    }
}

/// Runs a part of the machinery to its end.
pub async fn run_part(part: Part) -> std::process::ExitCode {
    parts::run(part, &mut std::io::stdout()).await
}
