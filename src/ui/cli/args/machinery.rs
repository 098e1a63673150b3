//! Subcommands for once itself, its tests and its demo: hidden from help, no promise.

use clap::{Args, Subcommand};

/// Subcommands that people do not type.
#[derive(Debug, Clone, Subcommand)]
pub enum Machinery {
    /// Make a change read from standard input, detached from the terminal
    #[command(hide = true)]
    RunJob,
    /// Serve the demo app; its environment says how
    #[command(hide = true)]
    DemoApp,
    /// Put load on an address and count failures
    #[command(hide = true)]
    DemoLoad(DemoLoadArgs),
    /// Make an image of this binary that runs the demo app
    #[command(hide = true)]
    DemoImage(DemoImageArgs),
}

/// An image to make.
#[derive(Debug, Clone, Args)]
pub struct DemoImageArgs {
    /// Repository and tag.
    pub(crate) tag: String,
    /// Variables of the image.
    #[arg(short, long, value_name = "K=V")]
    pub(crate) env: Vec<String>,
    /// Ports the image exposes.
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<u16>,
    /// Labels of the image.
    #[arg(long, value_name = "K=V")]
    pub(crate) label: Vec<String>,
    /// Arguments of the binary; `demo-app` where none are given.
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

/// A load.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DemoLoadArgs {
    /// Whom to connect to.
    #[arg(long, value_name = "HOST:PORT")]
    pub address: String,
    /// Sent as `Host`.
    #[arg(long)]
    pub host: String,
    /// Clients that ask at the same time.
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// How long at most.
    #[arg(long, default_value_t = 300)]
    pub seconds: u64,
    /// Between two requests of a client, milliseconds.
    #[arg(long, default_value_t = 5)]
    pub pause_ms: u64,
    /// Stop when this file exists.
    #[arg(long, value_name = "FILE")]
    pub until_file: Option<std::path::PathBuf>,
    /// Also tell when each failed request began and ended, a line each.
    #[arg(long)]
    pub each_failure: bool,
    /// Of what.
    #[arg(long, default_value = "all", value_parser = ["all", "keep-alive", "close"])]
    pub mix: String,
}
