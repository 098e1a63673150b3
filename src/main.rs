//! The `once` binary: arguments, logging, runtime, exit code.

use std::process::ExitCode;

use once::ui::cli::{self, Cli, Output, Part};
use tokio::runtime::Builder;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(part) = cli::proxy_process(&args) {
        return serve(part);
    }
    if let Some(code) = cli::complete(&args) {
        return ExitCode::from(code);
    }
    if let Err(error) = color_eyre::install() {
        tracing::debug!("no pretty bug reports: {error}");
    }
    let cli = match cli::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    start_logging(&cli);
    let mut out = Output::process(&cli.global);
    drive(Builder::new_multi_thread(), once::run(&cli, &mut out))
}

/// Is the proxy's supervisor or worker: these run for months, so they take along only what they need.
fn serve(part: Part) -> ExitCode {
    if std::env::var_os(LOG).is_some() {
        log_by("error");
    } else {
        // A filter of directives has a parser of its own.
        let log = tracing_subscriber::fmt().with_max_level(LevelFilter::ERROR).with_writer(std::io::stderr);
        log.log_internal_errors(false).init();
    }
    let runtime = match part {
        // It waits for children and signals, that is all.
        Part::Supervisor(_) => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    drive(runtime, once::run_part(part))
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

/// Says more finely than `-v` what is logged.
const LOG: &str = "ONCE_LOG";

/// Our own doings, on standard error: warnings, with `-v` more, with `-vv` everything. `ONCE_LOG` is finer.
fn start_logging(cli: &Cli) {
    let level = match cli.global.verbose {
        0 => "error",
        1 => "warn,once=info",
        2 => "info,once=debug",
        _ => "debug,once=trace",
    };
    log_by(level);
}

fn log_by(level: &str) {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new(level));
    // Logging must never end a change: a closed standard error is passed over.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).init();
}
