//! Completion while it is typed: the shell asks this binary, which knows its own arguments, and asks the engine for the
//! names of apps. Quick and silent: without an engine, or with a slow one, there are no names.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use super::args::{ASKED_BY, Cli};

/// Answers a shell that asks what could be typed: the exit code to end with; `None`: that was not the question.
#[must_use]
pub fn complete(args: &[OsString]) -> Option<u8> {
    std::env::var_os(ASKED_BY)?;
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Cli::command).bin("once").try_complete(args.iter().cloned(), here.as_deref());
    match asked {
        Ok(answered) => answered.then_some(0),
        Err(_) => Some(once_app::event::Outcome::Rejected.exit_code()),
    }
}

/// What a shell has to read once, so that it asks.
pub(crate) fn script(shell: Shell) -> Option<String> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    shells.completer(&shell.to_string())?.write_registration(ASKED_BY, "once", "once", "once", &mut script).ok()?;
    String::from_utf8(script).ok()
}
