//! The `once` binary: arguments, logging, runtime, exit code.

use std::process::ExitCode;

mod compose;
mod console;
mod entropy;
mod logging;
mod parts;

use once_cli::{Output, Part};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(part) = once_cli::proxy_process(&args) {
        return serve(part);
    }
    if let Some(code) = once_cli::complete(&args) {
        return ExitCode::from(code);
    }
    if let Err(error) = color_eyre::install() {
        tracing::debug!("no pretty bug reports: {error}");
    }
    let cli = match once_cli::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    logging::start(&cli);
    let mut out = Output::process(&cli.global);
    drive(Builder::new_multi_thread(), compose::run(&cli, &mut out))
}

/// Is the proxy's supervisor or worker: these run for months, so they take along only what they need.
fn serve(part: Part) -> ExitCode {
    logging::start_quiet();
    let runtime = match part {
        // It waits for children and signals, that is all.
        Part::Supervisor(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    drive(runtime, compose::run_part(part))
}

fn drive(mut runtime: Builder, all: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime.enable_all().build() {
        Ok(runtime) => {
            let code = runtime.block_on(all);
            // A thread may still wait for standard input, for ever.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            tracing::error!("no runtime: {error}");
            ExitCode::FAILURE
        }
    }
}
