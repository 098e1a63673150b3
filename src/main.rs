//! The `once` binary: arguments, logging, runtime, exit code.

use std::process::ExitCode;

use once::ui::cli::{self, Cli, Output};

fn main() -> ExitCode {
    if let Err(error) = color_eyre::install() {
        tracing::debug!("no pretty bug reports: {error}");
    }
    let args: Vec<_> = std::env::args_os().collect();
    let cli = match cli::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    start_logging(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut out = Output::process(&cli.global);
    let code = runtime.block_on(once::run(&cli, &mut out));
    // A thread may still wait for standard input, for ever.
    runtime.shutdown_background();
    code
}

/// Our own doings, on standard error: warnings, with `-v` more, with `-vv` everything. `ONCE_LOG` is finer.
fn start_logging(cli: &Cli) {
    use tracing_subscriber::EnvFilter;
    let level = match cli.global.verbose {
        0 => "error",
        1 => "warn,once=info",
        2 => "info,once=debug",
        _ => "debug,once=trace",
    };
    let filter = EnvFilter::try_from_env("ONCE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Logging must never end a change: a closed standard error is passed over.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).init();
}
