//! Our own log, on standard error.

use once_cli::Cli;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// Says more finely than `-v` what is logged.
const LOG: &str = "ONCE_LOG";

/// Our own doings, on standard error: warnings, with `-v` more, with `-vv` everything. `ONCE_LOG` is finer.
pub(crate) fn start(cli: &Cli) {
    let level = match cli.global.verbose {
        0 => "error",
        1 => "warn,once=info",
        2 => "info,once=debug",
        _ => "debug,once=trace",
    };
    log_by(level);
}

/// For the proxy's processes: errors only, unless the environment says more.
pub(crate) fn start_quiet() {
    if std::env::var_os(LOG).is_some() {
        log_by("error");
    } else {
        // A filter of directives has a parser of its own.
        let log = tracing_subscriber::fmt().with_max_level(LevelFilter::ERROR).with_writer(std::io::stderr);
        log.log_internal_errors(false).init();
    }
}

fn log_by(level: &str) {
    let filter = EnvFilter::try_from_env(LOG).unwrap_or_else(|_| EnvFilter::new(level));
    // Logging must never end a change: a closed standard error is passed over.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).init();
}
