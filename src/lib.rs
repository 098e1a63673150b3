//! `once` runs all your web apps on your own machines.
//!
//! The rooms, and the arrows between them (held by `tests/layers.rs`):
//!
//! - [`app`]: what an app is and how it changes; knows none of the others.
//! - [`docker`]: the engine port on bollard → `app`.
//! - [`proxy`]: the proxy and the host's memory → `app`.
//! - [`ui`]: command and console → `app`.
//! - [`demo`]: the demo app and a load generator, for trying and testing → nothing.
//! - [`entropy`]: time and randomness of this machine → `app`.
//!
//! Only this file and `main.rs` know all of them.

pub mod app;
pub mod demo;
pub mod docker;
pub mod entropy;
pub mod proxy;
pub mod ui;

use std::sync::Arc;

use async_trait::async_trait;

use app::ProxyLink;
use app::engine::{Engine, EngineError};
use ui::cli::{Cli, Output, Part, Wiring};

/// Runs what was asked for: a part of the machinery, else the command. The exit code.
pub async fn run(cli: &Cli, out: &mut Output) -> u8 {
    match cli.part() {
        Some(part) => run_part(part).await,
        None => ui::cli::run(cli, &Parts, out).await,
    }
}

async fn run_part(part: Part) -> u8 {
    tracing::error!("{part:?} is not wired");
    1
}

/// The concrete parts: Docker as the engine, the control channel as the way to the proxy.
struct Parts;

#[async_trait]
impl Wiring for Parts {
    async fn engine(&self, address: Option<&str>) -> Result<(Arc<dyn Engine>, Arc<dyn ProxyLink>), EngineError> {
        let host = address.map(str::to_owned).or_else(|| std::env::var("DOCKER_HOST").ok());
        let address = host.unwrap_or_else(|| "unix:///var/run/docker.sock".into());
        Err(EngineError::NoSocket { address, source: std::io::Error::from(std::io::ErrorKind::NotFound).into() })
    }
}
