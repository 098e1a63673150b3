//! A change as it goes on, drawn from the fold over its events: moving lines on a terminal, plain ones on a pipe.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use once_app::event::{Envelope, Event, Step, TrafficView};
use once_app::{DeployView, OpId, StepState, StepView};
use once_text::{sanitize, words};

use super::output::{BAD, CAREFUL, FAINT, GOOD, Mode, Output, STRONG, styled};
use super::plan_text;
use super::report;

/// How often the spinner moves. Slow enough for a bad link.
const TICK: Duration = Duration::from_millis(120);

/// A drawing of one change.
pub(crate) struct Progress {
    /// What is drawn.
    pub(crate) view: DeployView,
    /// Put before every plain line: several changes at once.
    prefix: String,
    lines: Option<Lines>,
}

impl Progress {
    pub(crate) fn new(op: &OpId, at: Timestamp, out: &Output) -> Self {
        let lines = out.draws().then(|| Lines::new(out.is_coloured()));
        Self { view: DeployView::new(op.clone(), at), prefix: String::new(), lines }
    }

    /// One of several that are shown together: plain lines with the app's name in front.
    pub(crate) fn prefixed(op: &OpId, at: Timestamp, app: &str) -> Self {
        Self { view: DeployView::new(op.clone(), at), prefix: format!("{app}: "), lines: None }
    }

    /// Takes an event in and shows it.
    pub(crate) fn event(&mut self, out: &mut Output, envelope: &Envelope) {
        self.view.fold(envelope);
        match out.mode() {
            Mode::Json => match report::event(envelope) {
                Ok(object) => out.object(&object),
                Err(error) => out.tell(&format!("an event cannot be written: {error}")),
            },
            Mode::Human => self.show(out, &envelope.event),
            Mode::Quiet => {}
        }
    }

    /// A sentence between the lines.
    pub(crate) fn say(&mut self, out: &mut Output, text: &str) {
        let text = format!("{}{text}", self.prefix);
        match &self.lines {
            Some(lines) => lines.above(&text),
            None => out.say(&text),
        }
    }

    /// No more lines move.
    pub(crate) fn end(&mut self) {
        if let Some(lines) = self.lines.take() {
            lines.end();
        }
    }

    fn show(&mut self, out: &mut Output, event: &Event) {
        match event {
            Event::Started { .. } => {}
            Event::Waiting { holder } => {
                let since = words::ago(holder.since, self.view.last_at);
                let why = holder.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
                let text = format!(
                    "waiting: {} is being changed by {} on {} (`{}`, {since}){why}",
                    holder.app, holder.by.user, holder.by.host, holder.by.command
                );
                self.say(out, &sanitize::line(&text));
            }
            Event::Tidied { text } => self.say(out, &format!("put in order: {}", sanitize::line(text))),
            Event::Planned { plan, host, .. } => {
                for line in plan_text::lines(plan, host) {
                    self.say(out, &line);
                }
                self.draw();
            }
            Event::Warning { text, .. } => {
                self.say(out, &format!("{} {}", styled(CAREFUL, "warning:"), sanitize::line(text)));
            }
            Event::Log { line } => self.say(out, &format!("  {} {}", styled(FAINT, "|"), sanitize::line(line))),
            Event::StepFinished { step, .. } | Event::StepFailed { step, .. } if self.lines.is_none() => {
                if let Some(line) = self.view.steps.iter().find(|s| s.step == *step).map(ended) {
                    self.say(out, &line);
                }
            }
            Event::Finished(_) => self.draw(),
            _ => self.draw(),
        }
    }

    fn draw(&mut self) {
        if let Some(lines) = &mut self.lines {
            lines.draw(&self.view);
        }
    }
}

/// A step that ended, as a line: `✓ healthy  200 in 12 ms  1.9 s`.
fn ended(step: &StepView) -> String {
    let sign = match step.state {
        StepState::Failed => styled(BAD, "✕"),
        StepState::Skipped => styled(FAINT, "·"),
        _ => styled(GOOD, "✓"),
    };
    let took = step.took_ms.filter(|_| step.state != StepState::Skipped).map(words::took).unwrap_or_default();
    let line = format!("{sign} {:<15} {}  {}", step.step, sanitize::line(&step.detail), styled(FAINT, &took));
    line.trim_end().to_owned()
}

/// `1,204 requests · 0 failed · slowest 84 ms`.
pub(crate) fn traffic(traffic: &TrafficView) -> String {
    let requests = words::count((traffic.old + traffic.new) as usize, "request", "requests");
    let failed = format!("{} failed", words::thousands(traffic.failed));
    let failed = if traffic.failed > 0 { styled(BAD, &failed) } else { failed };
    format!("{requests} · {failed} · slowest {} ms", words::thousands(traffic.slowest_ms))
}

/// Moving lines, one a step, and one for the traffic.
struct Lines {
    all: MultiProgress,
    coloured: bool,
    steps: BTreeMap<Step, Bar>,
    traffic: Option<Bar>,
}

/// One moving line, and what it shows.
#[derive(Clone)]
struct Bar {
    line: ProgressBar,
    state: Option<StepState>,
}

impl Bar {
    fn new(all: &MultiProgress) -> Self {
        let line = all.add(ProgressBar::new_spinner());
        line.set_style(plain("{msg}"));
        Self { line, state: None }
    }
}

fn running(step: &StepView) -> String {
    format!("{:<15} {}", step.step.to_string(), sanitize::line(&step.detail))
}

impl Lines {
    fn new(coloured: bool) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12));
        Self { all, coloured, steps: BTreeMap::new(), traffic: None }
    }

    fn above(&self, text: &str) {
        // A terminal that cannot be written to will be noticed by whoever looks at it.
        let _ = self.all.println(self.painted(text));
    }

    /// These lines do not pass the streams that take colours out.
    fn painted(&self, text: &str) -> String {
        if self.coloured { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
    }

    fn draw(&mut self, view: &DeployView) {
        for step in &view.steps {
            let bar = self.steps.entry(step.step).or_insert_with(|| Bar::new(&self.all)).clone();
            if bar.state == Some(StepState::Running) && step.state == StepState::Running {
                bar.line.set_message(running(step));
                continue;
            }
            if bar.state == Some(step.state) {
                continue;
            }
            match step.state {
                StepState::Pending => {
                    bar.line.set_message(self.painted(&styled(FAINT, &format!("· {}", step.step))));
                }
                StepState::Running => {
                    bar.line.set_style(plain("{spinner} {msg}  {elapsed}"));
                    bar.line.reset_elapsed();
                    bar.line.set_message(running(step));
                    bar.line.enable_steady_tick(TICK);
                }
                StepState::Skipped | StepState::Done | StepState::Failed => {
                    bar.line.set_style(plain("{msg}"));
                    bar.line.finish_with_message(self.painted(&ended(step)));
                }
            }
            self.steps.insert(step.step, Bar { state: Some(step.state), ..bar });
        }
        if view.traffic.old + view.traffic.new + view.traffic.failed > 0 {
            let text = self.painted(&format!("  {} {}", styled(STRONG, "traffic"), traffic(&view.traffic)));
            self.traffic.get_or_insert_with(|| Bar::new(&self.all)).line.set_message(text);
        }
    }

    fn end(self) {
        for bar in self.steps.into_values().chain(self.traffic) {
            if !bar.line.is_finished() {
                bar.line.abandon();
            }
        }
    }
}

fn plain(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
