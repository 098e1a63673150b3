//! The one honest answer, for people and for scripts.

use clap::builder::styling::Style;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use once_app::event::{Envelope, Event, Outcome};
use once_app::{AppName, Problem};

use super::output::{BAD, FAINT, Mode, Output, STRONG, styled};
use once_text::sanitize;

/// Lines of a failed container's log that are shown.
const LOG_LINES: usize = 20;

/// Says what went wrong: in words on standard error, and with `--json` as the last line of standard output too.
pub(crate) fn problem(out: &mut Output, problem: &Problem) {
    if out.is_json() {
        out.object(&finished_without_job(problem));
        return;
    }
    explain(out, problem);
}

/// The three things, and the log of what failed.
pub(crate) fn explain(out: &mut Output, problem: &Problem) {
    say(out, BAD, "error:", &problem.message);
    for cause in problem.causes.iter().filter(|c| **c != problem.message) {
        say(out, STRONG, "cause:", cause);
    }
    if !problem.log.is_empty() {
        out.tell(&styled(FAINT, "the last lines it wrote:"));
        let skip = problem.log.len().saturating_sub(LOG_LINES);
        for line in &problem.log[skip..] {
            out.tell(&format!("  {} {}", styled(FAINT, "|"), sanitize::line(line)));
        }
    }
    for hint in &problem.hints {
        say(out, STRONG, "hint:", hint);
    }
}

/// A text of one line or several, as engines and ssh write them; those behind the first are indented.
fn say(out: &mut Output, style: Style, label: &str, text: &str) {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty());
    out.tell(&format!("{} {}", styled(style, label), sanitize::line(lines.next().unwrap_or_default())));
    for line in lines {
        out.tell(&format!("{:width$} {}", "", sanitize::line(line), width = label.len()));
    }
}

/// A line for scripts. What says what it is about comes first, for people who read it after all.
#[derive(Debug, Clone)]
pub(crate) struct Line(Map<String, Value>);

const FIRST: [&str; 7] = ["event", "outcome", "op", "app", "seq", "release", "serving"];

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let first = FIRST.iter().filter_map(|key| self.0.get_key_value(*key));
        let rest = self.0.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
        serializer.collect_map(first.chain(rest))
    }
}

impl Line {
    fn new(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self(fields),
            other => Self(Map::from_iter([("value".to_owned(), other)])),
        }
    }
}

/// The `finished` line of a command that never got as far as a change.
pub(crate) fn finished_without_job(problem: &Problem) -> Line {
    let mut line = done(problem.outcome, None);
    line.0.insert("retryable".into(), json!(problem.retryable));
    lay_open(&mut line.0, problem);
    line
}

/// An event as scripts get it: of `finished`, the problem's fields stand beside the others.
pub(crate) fn event(envelope: &Envelope) -> Result<Line, serde_json::Error> {
    let mut line = Line::new(serde_json::to_value(envelope)?);
    if let Event::Finished(finished) = &envelope.event {
        line.0.remove("problem");
        if let Some(problem) = &finished.problem {
            lay_open(&mut line.0, problem);
        }
    }
    Ok(line)
}

fn lay_open(fields: &mut Map<String, Value>, problem: &Problem) {
    fields.insert("code".into(), json!(problem.code));
    fields.insert("message".into(), json!(problem.message));
    fields.insert("causes".into(), json!(problem.causes));
    fields.insert("hints".into(), json!(problem.hints));
    if !problem.log.is_empty() {
        fields.insert("log".into(), json!(problem.log));
    }
}

/// What clap has to say about bad arguments: its own drawing for people, the same `finished` line for scripts.
pub(crate) fn bad_arguments(out: &mut Output, error: &clap::Error, repeats_secret: bool) {
    if out.mode() != Mode::Json && !repeats_secret {
        out.tell(error.render().ansi().to_string().trim_end());
        return;
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n");
    let first = parts.next().unwrap_or_default().trim_start_matches("error: ");
    let message = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let message =
        if repeats_secret { "an unexpected argument (not repeated: it may be a secret)".to_owned() } else { message };
    let mut told = Problem::rejected("bad-arguments", message);
    let tips = text.lines().filter_map(|l| l.trim().strip_prefix("tip: "));
    for tip in tips.filter(|_| !repeats_secret) {
        told = told.hint(tip);
    }
    if repeats_secret {
        told =
            told.hint("secrets are never given as arguments: `--secret KEY`, `--secret KEY=@FILE`, `--secret KEY=-`");
    }
    problem(out, &told.hint("`once --help` shows what can be given"));
}

/// The `finished` line of a change that was made without a job: `lock`, `setup`, `teardown`.
pub(crate) fn done(outcome: Outcome, app: Option<&AppName>) -> Line {
    Line::new(json!({
        "event": "finished", "outcome": outcome, "op": null, "app": app, "release": null, "serving": null,
        "warnings": [], "retryable": false,
    }))
}
