//! How far the log of one container has been read, so that reading can begin again there: no line is lost, none comes
//! twice. The engine gives each line a time with nanoseconds, but no number, and two lines may have the same time; nor
//! do times always grow, since standard output and standard error are stamped apart. What is certain is the order of
//! the lines. So a place in a log is a time and how many lines from that time on have been read.

use jiff::{SignedDuration, Timestamp};

use crate::ports::engine::LogLine;

/// Lines may be stamped later than ones that come behind them, by less than this.
const DISORDER: SignedDuration = SignedDuration::from_secs(2);

/// Lines at the beginning of a log's tail that no place is taken from: lines before the tail may be stamped later.
pub(super) const UNSURE: u64 = 32;

/// How far a log has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The place that reading begins from again, and a newer one to take its place when that is old enough.
    older: Option<Mark>,
    newer: Option<Mark>,
    /// The latest time of a line that was read.
    newest: Option<Timestamp>,
    /// Lines that were read.
    total: u64,
    /// What was read began in the middle of the log.
    partial: bool,
    /// Lines to come that were read already.
    again: u64,
    /// Lines to come that no place is taken from.
    unsure: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    from: Timestamp,
    /// Lines read that are stamped `from` or later.
    seen: u64,
}

impl Cursor {
    /// Of the last lines of a log.
    pub(super) fn of_tail() -> Self {
        Self { partial: true, unsure: UNSURE, ..Self::default() }
    }

    /// The tail was the whole log, for it had less than the lines asked for.
    pub(super) fn is_whole(&mut self) {
        self.partial = false;
    }

    /// Lines that were read.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Takes a line note of; whether it is new.
    pub(super) fn take(&mut self, line: &LogLine) -> bool {
        let Some(at) = line.at.or(self.newest) else {
            self.total += 1;
            return true;
        };
        if self.again > 0 {
            // A later line was never read: those before it are gone, as when the engine dropped an old file.
            if self.newest.is_some_and(|newest| at <= newest) {
                self.again -= 1;
                return false;
            }
            self.again = 0;
        }
        self.total += 1;
        let latest = self.newest.is_none_or(|newest| at > newest);
        for mark in [&mut self.older, &mut self.newer].into_iter().flatten() {
            mark.seen += u64::from(at >= mark.from);
        }
        if self.unsure > 0 {
            self.unsure -= 1;
        } else if latest && self.newer.is_none_or(|mark| at.duration_since(mark.from) >= DISORDER) {
            self.older = self.newer.take();
            self.newer = Some(Mark { from: at, seen: 1 });
        }
        if latest {
            self.newest = Some(at);
        }
        true
    }

    /// From when on the log has to be read again; `None`: from its beginning. What was read already is left out.
    pub(super) fn resume(&mut self) -> Option<Timestamp> {
        match (self.older.or(self.newer), self.partial) {
            (Some(mark), _) => {
                self.again = mark.seen;
                Some(mark.from)
            }
            (None, false) => {
                self.again = self.total;
                None
            }
            // A short tail in the middle of a log: only a later line is certain to be new.
            (None, true) => {
                self.again = 0;
                self.newest.and_then(|newest| newest.checked_add(SignedDuration::from_nanos(1)).ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of a log, by milliseconds.
    fn line(ms: i64, text: &str) -> LogLine {
        LogLine { at: Some(Timestamp::from_millisecond(ms).unwrap()), stderr: false, text: text.to_owned() }
    }

    /// What the engine gives of a log from a time on.
    fn from(log: &[LogLine], since: Option<Timestamp>) -> Vec<LogLine> {
        log.iter().filter(|line| since.is_none_or(|since| line.at >= Some(since))).cloned().collect()
    }

    /// Reads a log in pieces, beginning again after each of these numbers of lines.
    fn read(log: &[LogLine], pieces: &[usize]) -> Vec<String> {
        let mut cursor = Cursor::default();
        let mut texts = Vec::new();
        for most in pieces.iter().copied().chain([usize::MAX]) {
            let since = cursor.resume();
            let mut new = 0;
            for line in from(log, since) {
                if new == most {
                    break;
                }
                if cursor.take(&line) {
                    texts.push(line.text);
                    new += 1;
                }
            }
        }
        texts
    }

    #[test]
    fn beginning_again_anywhere_neither_loses_nor_doubles_a_line() {
        // Ties, equal texts, and times that go back.
        let times = [0, 0, 0, 1, 5, 4, 5, 5, 900, 899, 2_500, 2_499, 2_500, 5_000, 5_000, 4_001, 9_000, 9_000];
        let log: Vec<LogLine> = times.iter().enumerate().map(|(n, ms)| line(*ms, &(n / 2).to_string())).collect();
        let all: Vec<String> = log.iter().map(|line| line.text.clone()).collect();
        for first in 0..=log.len() {
            for second in 0..=log.len() {
                assert_eq!(read(&log, &[first, second]), all, "{first} then {second}");
            }
        }
        assert_eq!(read(&log, &[1; 18]), all);
    }

    #[test]
    fn a_tail_is_gone_on_with_behind_its_last_line() {
        let log: Vec<LogLine> = (0..200).map(|n| line(n / 3, &n.to_string())).collect();
        for begin in [0, 1, 50, 100, 190] {
            let mut cursor = Cursor::of_tail();
            let tail = &log[begin..150.max(begin)];
            for line in tail {
                assert!(cursor.take(line));
            }
            if begin == 0 {
                cursor.is_whole();
            }
            let rest: Vec<LogLine> = from(&log, cursor.resume()).into_iter().filter(|line| cursor.take(line)).collect();
            if begin < 150 - UNSURE as usize {
                assert_eq!(rest, &log[150..], "{begin}");
            }
        }
    }

    #[test]
    fn lines_that_are_gone_do_not_take_new_ones_along() {
        let mut cursor = Cursor::default();
        let old: Vec<LogLine> = (0..10).map(|n| line(n, "old")).collect();
        assert!(old.iter().all(|line| cursor.take(line)));
        cursor.resume();
        // The file with them was dropped meanwhile.
        let new: Vec<LogLine> = (20..25).map(|n| line(n, "new")).collect();
        assert!(new.iter().all(|line| cursor.take(line)));
    }

    #[test]
    fn a_line_without_a_time_is_new() {
        let mut cursor = Cursor::default();
        let bare = LogLine { at: None, stderr: false, text: "x".into() };
        assert!(cursor.take(&bare) && cursor.take(&line(1, "y")) && cursor.take(&bare));
        assert_eq!(cursor.resume(), Some(Timestamp::from_millisecond(1).unwrap()));
    }
}
