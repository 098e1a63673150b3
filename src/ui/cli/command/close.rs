//! `maintenance` and `pause`: what visitors get while the app goes on running.

use std::io::Read as _;

use crate::args::{MaintenanceArgs, PauseArgs};
use crate::change;
use crate::session::{Session, selector};
use once_app::{Ask, Notice, Problem, Span};

use super::Answer;

/// The largest own page; it lies in the ledger and travels with every look at the app.
const MAX_PAGE: u64 = 64 << 10;

/// The longest message: a few sentences.
const MAX_MESSAGE: usize = 1000;

pub(crate) async fn maintenance(session: &mut Session<'_>, args: &MaintenanceArgs) -> Answer {
    let notice = match args.off {
        true => None,
        false => Some(Notice { message: message(args)?, page: args.page.as_deref().map(page).transpose()? }),
    };
    let ask = Ask::Maintenance { app: selector(&args.app), notice };
    let ended = change::run(session, ask, args.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}

pub(crate) async fn pause(session: &mut Session<'_>, args: &PauseArgs) -> Answer {
    let max_wait: Span = args.max_wait.parse().map_err(|reason| {
        Problem::rejected("bad-settings", format!("invalid max-wait `{}`: {reason}", args.max_wait.escape_debug()))
    })?;
    if max_wait.is_zero() {
        return Err(Problem::rejected("bad-settings", "invalid max-wait: it must be longer than 0")
            .hint("`once maintenance` turns requests away at once"));
    }
    super::lifecycle::each(session, &args.apps, |app| Ask::Pause { app, max_wait }).await
}

fn message(args: &MaintenanceArgs) -> Result<Option<String>, Problem> {
    let Some(text) = args.message.as_deref().map(str::trim) else { return Ok(None) };
    let why = match text.chars().count() {
        0 => "it is empty",
        _ if text.chars().any(char::is_control) => "it holds control characters",
        n if n > MAX_MESSAGE => "it is longer than 1000 characters",
        _ => return Ok(Some(text.to_owned())),
    };
    Err(Problem::rejected("bad-settings", format!("invalid message: {why}")))
}

fn page(path: &str) -> Result<String, Problem> {
    let unreadable = |error: &std::io::Error| {
        Problem::rejected("unreadable-file", format!("the page {path} cannot be read")).because(error)
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let mut text = String::new();
    file.take(MAX_PAGE + 1).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    let why = match text.len() as u64 {
        0 => "is empty",
        n if n > MAX_PAGE => "is larger than 64 KiB",
        _ => return Ok(text),
    };
    Err(Problem::rejected("bad-page", format!("the page {path} {why}")))
}
