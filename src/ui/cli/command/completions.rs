//! `completions`: for the shell's own start-up files.

use serde_json::json;

use crate::app::Problem;
use crate::app::event::Outcome;
use crate::ui::cli::completion;
use crate::ui::cli::session::Session;

use super::Answer;

pub(crate) fn completions(session: &mut Session<'_>, shell: clap_complete::Shell) -> Answer {
    let script = completion::script(shell)
        .ok_or_else(|| Problem::new(Outcome::Internal, "no-script", format!("there are no completions for {shell}")))?;
    if session.out.is_json() {
        session.out.object(&json!({ "shell": shell.to_string(), "text": script }));
    } else {
        session.out.data(script.trim_end());
    }
    Ok(0)
}
