//! No command: on a terminal the console, elsewhere a sentence about what can be given.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::app::{HTTP_PORT, Installation, Problem, ProxyPorts};
use crate::ui::cli::args::{ColorWhen, ConsoleArgs, Global};
use crate::ui::cli::session::{Session, Wiring, http_port, installation};
use crate::ui::detached::Detached;
use crate::ui::runner::Place;
use crate::ui::tui::{self, Console, ConsoleOptions, Depth, Door};

use super::Answer;

pub(crate) async fn console(session: &mut Session<'_>, args: &ConsoleArgs) -> Answer {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Problem::rejected("no-command", "no command was given, and the console needs a terminal")
            .hint("`once --help` shows all commands")
            .hint("`once list` shows the apps"));
    }
    let global = session.global.clone();
    let place = session.place();
    let console = Console {
        namespace: global.namespace.clone(),
        ports: ProxyPorts { http: http_port()?.unwrap_or(HTTP_PORT), https: None, metrics: None },
        clock: session.wiring.clock(),
        seed: session.new_op().0,
        options: options(session, args),
        // The console has the terminal: the log of the process that makes a change would be written over it.
        runner: Arc::new(Detached::new(Place { verbose: 0, ..place })),
        door: Arc::new(Flags { global, wiring: session.wiring }),
    };
    tui::run(console).await?;
    Ok(0)
}

fn options(session: &Session<'_>, args: &ConsoleArgs) -> ConsoleOptions {
    let global = session.global;
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
        read_only: args.read_only,
        ascii: args.ascii || found.ascii,
        color,
        escape_wait: Duration::from_millis(args.escape_wait.into()),
        engine_label: global.on.clone().or_else(|| std::env::var("DOCKER_HOST").ok()).unwrap_or_else(|| "local".into()),
        by: session.caller(),
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
        installation(&self.global, self.wiring).await
    }
}
