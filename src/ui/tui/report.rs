//! A failure as text, for the clipboard: what a colleague or an issue needs.

use std::fmt::Write as _;

use once_app::{Problem, StepState};
use once_text::sanitize;

use super::model::Watched;
use super::update::command_of;

/// A change with its steps and what went wrong.
pub(crate) fn text(watched: &Watched) -> String {
    let view = &watched.view;
    let mut text = format!("{}\n", command_of(watched));
    let _ = writeln!(text, "app      {}", view.host.as_deref().unwrap_or(&watched.title));
    let _ = writeln!(text, "started  {}", view.started_at);
    for step in view.steps.iter().filter(|s| s.state != StepState::Pending) {
        let state = match step.state {
            StepState::Done => "ok",
            StepState::Failed => "FAILED",
            StepState::Skipped => "skipped",
            _ => "running",
        };
        let _ = writeln!(text, "{state:<8} {:<16} {}", step.step.to_string(), sanitize::line(&step.detail));
    }
    if let Some(finished) = &view.finished {
        let serving = finished.serving.map_or_else(|| "nothing".into(), |n| format!("release {n}"));
        let _ = writeln!(text, "outcome  {}; serving: {serving}", finished.outcome);
        if let Some(found) = &finished.problem {
            text.push_str(&problem(found));
        }
    }
    text
}

/// A problem with causes, hints and the last lines of the failed container.
pub(crate) fn problem(problem: &Problem) -> String {
    let mut text = format!("error: {}\n", sanitize::line(&problem.message));
    for cause in &problem.causes {
        let _ = writeln!(text, "cause: {}", sanitize::line(cause));
    }
    for hint in &problem.hints {
        let _ = writeln!(text, "hint: {}", sanitize::line(hint));
    }
    for line in &problem.log {
        let _ = writeln!(text, "log: {}", sanitize::line(line));
    }
    text
}
