//! Subcommands for once itself, its tests and its demo: hidden from help, no promise.

use clap::{Args, Subcommand};

/// Subcommands that people do not type.
#[derive(Debug, Clone, Subcommand)]
pub enum Machinery {
    /// Make a change read from standard input, detached from the terminal
    #[command(hide = true)]
    RunJob,
    /// Serve the demo app
    #[command(hide = true)]
    DemoApp {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Put load on an address and count failures
    #[command(hide = true)]
    DemoLoad {
        /// Passed on.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
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
