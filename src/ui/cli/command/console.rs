//! No command: on a terminal the console, elsewhere a sentence about what can be given.

use std::io::IsTerminal as _;

use crate::app::Problem;
use crate::ui::cli::args::ConsoleArgs;
use crate::ui::cli::session::Session;

use super::Answer;

pub(crate) async fn console(session: &mut Session<'_>, _args: &ConsoleArgs) -> Answer {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Problem::rejected("no-command", "no command was given, and the console needs a terminal")
            .hint("`once --help` shows all commands")
            .hint("`once list` shows the apps"));
    }
    let at = session.installation().await?;
    drop(at);
    Err(Problem::rejected("no-console", "this build has no console"))
}
