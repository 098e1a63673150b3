//! Standard output is for data, standard error for people's words. Both are injected, so tests can read them.

use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use once_app::Problem;
use once_app::event::Outcome;

use super::args::{ColorWhen, Global};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CAREFUL: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const STRONG: Style = Style::new().bold();

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Tables, sentences, progress.
    Human,
    /// One JSON object a line.
    Json,
    /// Data and errors only.
    Quiet,
}

/// Where answers go.
pub struct Output {
    mode: Mode,
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Standard error is a terminal that can be drawn on.
    draws: bool,
    coloured: bool,
    broken: Option<io::Error>,
}

impl Output {
    /// The process's own streams, coloured as asked.
    #[must_use]
    pub fn process(global: &Global) -> Self {
        Self::standard(global.json, global.quiet, global.color)
    }

    /// For errors about the arguments themselves: the flags are looked for in the raw text.
    #[must_use]
    pub fn guess(args: &[std::ffi::OsString]) -> Self {
        let flags = args.iter().take_while(|a| *a != "--");
        let has = |flag: &str| flags.clone().any(|a| a == flag);
        let never = has("--color=never") || args.windows(2).any(|w| w[0] == "--color" && w[1] == "never");
        Self::standard(has("--json"), false, if never { ColorWhen::Never } else { ColorWhen::Auto })
    }

    fn standard(json: bool, quiet: bool, color: ColorWhen) -> Self {
        let choice = match color {
            ColorWhen::Auto => ColorChoice::Auto,
            ColorWhen::Always => ColorChoice::Always,
            ColorWhen::Never => ColorChoice::Never,
        };
        let terminal = io::IsTerminal::is_terminal(&io::stderr());
        let dumb = std::env::var_os("TERM").is_none_or(|t| t == "dumb");
        let mode = match (json, quiet) {
            (true, _) => Mode::Json,
            (false, true) => Mode::Quiet,
            (false, false) => Mode::Human,
        };
        Self {
            mode,
            out: Box::new(AutoStream::new(io::stdout(), choice)),
            err: Box::new(AutoStream::new(io::stderr(), choice)),
            coloured: AutoStream::choice(&io::stderr()) != ColorChoice::Never && choice != ColorChoice::Never
                || choice == ColorChoice::Always,
            draws: terminal && !dumb && mode == Mode::Human,
            broken: None,
        }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn is_json(&self) -> bool {
        self.mode == Mode::Json
    }

    /// Whether moving lines may be drawn on standard error.
    pub(crate) fn draws(&self) -> bool {
        self.draws
    }

    /// Whether lines drawn on standard error past [`Output::say`] may have colours.
    pub(crate) fn is_coloured(&self) -> bool {
        self.coloured
    }

    /// Nobody reads standard output any more: whatever runs on and on should end.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// A line of data.
    pub(crate) fn data(&mut self, line: &str) {
        let written = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
        self.remember(written);
    }

    /// One object of data.
    pub(crate) fn object(&mut self, object: &impl Serialize) {
        match serde_json::to_string(object) {
            Ok(line) => self.data(&line),
            Err(error) => self.remember(Err(error.into())),
        }
    }

    /// A sentence for people; nobody sees it with `--quiet` or `--json`.
    pub(crate) fn say(&mut self, line: &str) {
        if self.mode == Mode::Human {
            let _ = writeln!(self.err, "{line}");
        }
    }

    /// A sentence for people that `--json` does not silence either: questions, warnings, errors.
    pub(crate) fn tell(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// A question; the answer is typed behind it.
    pub(crate) fn ask(&mut self, question: &str) {
        let _ = write!(self.err, "{question} ").and_then(|()| self.err.flush());
    }

    /// What could not be written, unless the reader merely left.
    pub(crate) fn failure(&mut self) -> Option<Problem> {
        let error = self.broken.take().filter(|e| e.kind() != io::ErrorKind::BrokenPipe)?;
        Some(Problem::new(Outcome::Environment, "output-failed", "standard output cannot be written").because(&error))
    }

    fn remember(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

/// Text in a style; the streams take it out again where colours are not wanted.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
