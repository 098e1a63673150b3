//! The console as the command opens it.

use std::sync::Arc;

use async_trait::async_trait;
use once_app::{Installation, Problem, ProxyPorts};
use once_cli::{ColorWhen, ConsoleStart, Global, Wiring};
use once_job::detached::Detached;
use once_job::runner::Place;
use once_tui::{Console, ConsoleOptions, Depth, Door};

/// Shows the console until it is left.
///
/// # Errors
/// As [`once_tui::run`].
pub(crate) async fn show(start: ConsoleStart) -> Result<(), Problem> {
    let console = Console {
        namespace: start.global.namespace.clone(),
        ports: ProxyPorts { http: start.http_port, https: None, metrics: None },
        clock: start.wiring.clock(),
        seed: start.seed.clone(),
        options: options(&start),
        // The console has the terminal: the log of the process that makes a change would be written over it.
        runner: Arc::new(Detached::new(Place { verbose: 0, ..start.place })),
        door: Arc::new(Flags { global: start.global, wiring: start.wiring }),
    };
    once_tui::run(console).await
}

fn options(start: &ConsoleStart) -> ConsoleOptions {
    let global = &start.global;
    let found = ConsoleOptions::detect(|name| std::env::var(name).ok());
    let mut command = found.command.clone();
    command.1.extend(["--namespace".to_owned(), global.namespace.to_string()]);
    if let Some(on) = &global.on {
        command.1.extend(["--on".to_owned(), on.clone()]);
    }
    let color = match global.color {
        ColorWhen::Auto => found.color,
        ColorWhen::Never => Depth::None,
        ColorWhen::Always => found.color.max(Depth::Ansi),
    };
    ConsoleOptions {
        read_only: start.read_only,
        ascii: start.ascii || found.ascii,
        color,
        escape_wait: start.escape_wait,
        engine_label: global.on.clone().or_else(|| std::env::var("DOCKER_HOST").ok()).unwrap_or_else(|| "local".into()),
        by: start.by.clone(),
        command,
        ..found
    }
}

/// The installation that the flags name.
struct Flags {
    global: Global,
    wiring: &'static dyn Wiring,
}

#[async_trait]
impl Door for Flags {
    async fn open(&self) -> Result<Installation, Problem> {
        once_cli::installation(&self.global, self.wiring).await
    }
}
