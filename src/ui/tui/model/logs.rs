//! The log of the selected app: a ring of lines, a marked line, a search.

use std::collections::VecDeque;

use once_app::AppName;
use once_app::engine::LogLine;
use once_text::sanitize;

/// Lines kept; older ones are dropped. Some 2 MB at 200 bytes a line.
const LINES: usize = 10_000;

/// Columns of a line that are kept: a line of megabytes is nobody's friend.
const COLUMNS: usize = 4_000;

/// One line, made safe for the terminal when it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// The line.
    pub line: LogLine,
    /// Its level, as far as its words tell.
    pub level: Level,
}

/// How bad a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Errors.
    Error,
    /// Warnings.
    Warn,
    /// Debugging.
    Debug,
    /// Anything else.
    Plain,
}

/// Which of an app's logs is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LogSource {
    /// What the app writes, over all of its containers.
    #[default]
    App,
    /// What was written before the run that serves: it is read to its end.
    Before,
    /// The app's lines of the proxy's access log.
    Access,
}

/// The view of a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogView {
    /// Whose.
    pub app: Option<AppName>,
    /// Which of its logs.
    pub source: LogSource,
    /// Tells its lines from those of the log read before.
    pub generation: u64,
    lines: VecDeque<LogEntry>,
    /// How many lines were dropped at the front: makes positions stable.
    dropped: usize,
    /// The marked line, counted from the log's first line.
    cursor: usize,
    /// New lines are followed.
    pub follow: bool,
    /// Long lines are wrapped.
    pub wrap: bool,
    /// Time stamps are shown.
    pub times: bool,
    /// What is searched for; empty: nothing.
    pub search: String,
    /// Why there are no more lines.
    pub ended: Option<String>,
}

impl LogView {
    /// Starts over on another log.
    pub(crate) fn open(&mut self, app: &AppName, source: LogSource) -> u64 {
        self.app = Some(app.clone());
        self.source = source;
        self.generation += 1;
        self.lines.clear();
        self.dropped = 0;
        self.cursor = 0;
        self.follow = true;
        self.ended = None;
        self.generation
    }

    /// Whether this app's log is being read.
    pub(crate) fn is_on(&self, app: &AppName) -> bool {
        self.app.as_ref() == Some(app)
    }

    /// To this log, or from it back to the app's own: it is read anew.
    pub(crate) fn change_source(&mut self, to: LogSource) {
        self.source = if self.source == to { LogSource::App } else { to };
        self.app = None;
    }

    /// Takes lines in.
    pub(crate) fn push(&mut self, lines: Vec<LogLine>) {
        for mut line in lines {
            let text: String = sanitize::line(&line.text).chars().take(COLUMNS).collect();
            line.text = text;
            let level = Level::of(&line.text);
            self.lines.push_back(LogEntry { line, level });
        }
        let surplus = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..surplus);
        self.dropped += surplus;
        self.cursor = if self.follow { self.last() } else { self.cursor.max(self.dropped) };
    }

    /// The lines there are, with the index of the marked one.
    pub(crate) fn lines(&self) -> (&VecDeque<LogEntry>, usize) {
        (&self.lines, self.cursor.saturating_sub(self.dropped))
    }

    /// The marked line.
    pub(crate) fn marked(&self) -> Option<&LogEntry> {
        self.lines.get(self.cursor.saturating_sub(self.dropped))
    }

    /// Moves the mark; arriving at the end follows again.
    pub(crate) fn go(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).clamp(self.dropped, self.last());
        self.follow = self.cursor == self.last() && by > 0;
    }

    /// To the next line that matches, up or down, around the end.
    pub(crate) fn find(&mut self, forward: bool) -> bool {
        if self.search.is_empty() || self.lines.is_empty() {
            return false;
        }
        let (n, here) = (self.lines.len(), self.cursor - self.dropped);
        let matcher = Matcher::new(&self.search);
        let step = |i: usize| if forward { (here + i) % n } else { (here + n - i % n) % n };
        let Some(at) = (1..=n).map(step).find(|i| matcher.matches(&self.lines[*i].line.text)) else { return false };
        self.cursor = self.dropped + at;
        self.follow = false;
        true
    }

    fn last(&self) -> usize {
        (self.dropped + self.lines.len()).saturating_sub(1)
    }
}

/// Finds what is searched for: upper and lower case count only where the search has an upper-case letter.
#[derive(Debug)]
pub(crate) struct Matcher {
    needle: String,
    exact: bool,
}

impl Matcher {
    /// Of a search.
    pub(crate) fn new(search: &str) -> Self {
        let exact = search.chars().any(char::is_uppercase);
        Self { needle: if exact { search.into() } else { search.to_lowercase() }, exact }
    }

    fn matches(&self, text: &str) -> bool {
        if self.exact { text.contains(&self.needle) } else { text.to_lowercase().contains(&self.needle) }
    }

    /// Byte ranges of the matches in a line.
    pub(crate) fn ranges(&self, text: &str) -> Vec<(usize, usize)> {
        if self.needle.is_empty() {
            return Vec::new();
        }
        let folded;
        let hay = if self.exact {
            text
        } else {
            folded = text.to_ascii_lowercase();
            &folded
        };
        hay.match_indices(&self.needle).map(|(at, m)| (at, at + m.len())).collect()
    }
}

impl Level {
    /// From the words apps use.
    fn of(text: &str) -> Self {
        let head: String = text.chars().take(120).collect::<String>().to_ascii_uppercase();
        let has = |words: &[&str]| head.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| words.contains(&word));
        if has(&["ERROR", "ERR", "FATAL", "CRITICAL", "PANIC", "EXCEPTION"]) {
            Self::Error
        } else if has(&["WARN", "WARNING"]) {
            Self::Warn
        } else if has(&["DEBUG", "TRACE"]) {
            Self::Debug
        } else {
            Self::Plain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<LogLine> {
        texts.iter().map(|t| LogLine { at: None, stderr: false, text: (*t).into() }).collect()
    }

    fn view() -> LogView {
        let mut view = LogView::default();
        view.open(&"shop".parse().unwrap(), LogSource::App);
        view
    }

    #[test]
    fn follows_until_the_mark_moves_up_and_again_from_the_end() {
        let mut view = view();
        view.push(lines(&["a", "b", "c"]));
        assert_eq!(view.marked().unwrap().line.text, "c");
        view.go(-1);
        view.push(lines(&["d"]));
        assert_eq!((view.marked().unwrap().line.text.as_str(), view.follow), ("b", false));
        view.go(10);
        view.push(lines(&["e"]));
        assert_eq!((view.marked().unwrap().line.text.as_str(), view.follow), ("e", true));
    }

    #[test]
    fn keeps_a_bounded_number_of_lines_and_the_mark_on_its_line() {
        let mut view = view();
        view.push((0..LINES).map(|i| LogLine { at: None, stderr: false, text: i.to_string() }).collect());
        view.go(-10);
        view.push(lines(&["x", "y"]));
        assert_eq!(view.lines().0.len(), LINES);
        assert_eq!(view.marked().unwrap().line.text, (LINES - 11).to_string());
    }

    #[test]
    fn searches_around_the_end_and_minds_case_only_when_asked() {
        let mut view = view();
        view.push(lines(&["Error one", "fine", "error two"]));
        view.search = "error".into();
        assert!(view.find(true));
        assert_eq!(view.marked().unwrap().line.text, "Error one");
        assert!(view.find(false));
        assert_eq!(view.marked().unwrap().line.text, "error two");
        view.search = "Error".into();
        assert!(view.find(true));
        assert_eq!(view.marked().unwrap().line.text, "Error one");
        assert_eq!(Matcher::new("o").ranges("foo"), [(1, 2), (2, 3)]);
    }

    #[test]
    fn tells_levels_by_whole_words() {
        assert_eq!(Level::of("[error] x"), Level::Error);
        assert_eq!(Level::of("level=warn x"), Level::Warn);
        assert_eq!(Level::of("no terrors here"), Level::Plain);
    }
}
