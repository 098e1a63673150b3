//! `completions`: for the shell's own start-up files.

use serde_json::json;

use crate::completion;
use crate::session::Session;
use once_app::Problem;
use once_app::event::Outcome;

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
