//! `completions`: for the shell's own start-up files.

use clap::CommandFactory as _;

use crate::ui::cli::args::Cli;
use crate::ui::cli::session::Session;

use super::Answer;

pub(crate) fn completions(session: &mut Session<'_>, shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "once", &mut script);
    session.out.data(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}
