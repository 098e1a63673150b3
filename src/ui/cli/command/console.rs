//! No command: on a terminal the console, elsewhere a sentence about what can be given.

use std::io::IsTerminal as _;
use std::time::Duration;

use once_app::{Caller, HTTP_PORT, Problem};
use once_job::runner::Place;

use super::Answer;
use crate::args::{ConsoleArgs, Global};
use crate::session::{Session, Wiring, http_port};

/// What was asked for of the console.
pub struct ConsoleStart {
    /// The flags of every command.
    pub global: Global,
    /// What it runs on.
    pub wiring: &'static dyn Wiring,
    /// Where changes are made.
    pub place: Place,
    /// The port apps are reached on until the server tells another.
    pub http_port: u16,
    /// 16 random hex digits.
    pub seed: String,
    /// Who asks.
    pub by: Caller,
    /// Nothing can be changed.
    pub read_only: bool,
    /// ASCII glyphs only.
    pub ascii: bool,
    /// How long it waits after Esc for the rest of a key.
    pub escape_wait: Duration,
}

pub(crate) async fn console(session: &mut Session<'_>, args: &ConsoleArgs) -> Answer {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Problem::rejected("no-command", "no command was given, and the console needs a terminal")
            .hint("`once --help` shows all commands")
            .hint("`once list` shows the apps"));
    }
    let start = ConsoleStart {
        global: session.global.clone(),
        wiring: session.wiring,
        place: session.place(),
        http_port: http_port()?.unwrap_or(HTTP_PORT),
        seed: session.new_op().0,
        by: session.caller(),
        read_only: args.read_only,
        ascii: args.ascii,
        escape_wait: Duration::from_millis(args.escape_wait.into()),
    };
    session.wiring.console(start).await?;
    Ok(0)
}
