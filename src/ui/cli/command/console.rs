//! No command: on a terminal the console, elsewhere a sentence about what can be given.

use std::io::IsTerminal as _;
use std::time::Duration;

use once_app::{HTTP_PORT, Problem};

use super::Answer;
use crate::args::ConsoleArgs;
use crate::session::{ConsoleStart, Session, http_port};

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
