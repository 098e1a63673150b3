//! A moving line that says what is being looked at, while findings appear above it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use once_text::sanitize;

use super::output::Output;

/// How often the spinner moves. Slow enough for a bad link.
const TICK: Duration = Duration::from_millis(120);

/// The looks under way; nothing is drawn where standard error is no terminal.
pub(crate) struct Looking {
    line: Option<ProgressBar>,
    under_way: Vec<String>,
}

impl Looking {
    pub(crate) fn new(out: &Output) -> Self {
        let line = out.draws().then(|| {
            let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(12));
            let style = ProgressStyle::with_template("{spinner} {wide_msg}");
            line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.enable_steady_tick(TICK);
            line
        });
        Self { line, under_way: Vec::new() }
    }

    pub(crate) fn begun(&mut self, what: String) {
        self.under_way.push(what);
        self.draw();
    }

    pub(crate) fn ended(&mut self, what: &str) {
        if let Some(at) = self.under_way.iter().position(|known| known == what) {
            self.under_way.remove(at);
        }
        self.draw();
    }

    /// Writes something while the line is out of the way.
    pub(crate) fn above(&self, write: impl FnOnce()) {
        match &self.line {
            Some(line) => line.suspend(write),
            None => write(),
        }
    }

    fn draw(&self) {
        let (Some(line), Some(oldest)) = (&self.line, self.under_way.first()) else { return };
        let more = match self.under_way.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        line.set_message(format!("looking at {}{more}", sanitize::line(oldest)));
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
