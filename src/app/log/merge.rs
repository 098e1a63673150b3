//! Several logs as one, in the order of time. Of each log one line is held at a time, however long they are.

use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use jiff::Timestamp;

use super::cursor::Cursor;
use crate::ports::engine::{EngineError, LogLine};

type Lines = BoxStream<'static, Result<LogLine, EngineError>>;

/// One log that is read to its end.
pub(super) struct Past {
    lines: Lines,
    head: Option<LogLine>,
    /// The time of the last line, for lines that have none.
    at: Option<Timestamp>,
    until: Option<Timestamp>,
    ended: bool,
    /// How far it has been read.
    pub cursor: Cursor,
}

impl Past {
    /// Lines before `until`, with a cursor that takes note of them.
    pub(super) fn new(lines: Lines, until: Option<Timestamp>, cursor: Cursor) -> Self {
        Self { lines, head: None, at: None, until, ended: false, cursor }
    }

    /// Whether there is a line to come.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) async fn has_lines(&mut self) -> Result<bool, EngineError> {
        self.fill().await?;
        Ok(self.head.is_some())
    }

    async fn fill(&mut self) -> Result<(), EngineError> {
        while self.head.is_none() && !self.ended {
            match self.lines.next().await {
                None => self.ended = true,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                Some(Ok(line)) => {
                    self.cursor.take(&line);
                    self.at = line.at.or(self.at);
                    if self.until.is_none_or(|until| self.at.is_none_or(|at| at < until)) {
                        self.head = Some(line);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The next line of all logs, and which log it is of. Of lines with the same time that of the earlier log comes first.
///
/// # Errors
/// The first log that cannot be read further, which has ended with that: the next call goes on with the others.
pub(super) async fn next(logs: &mut [Past]) -> Option<Result<(usize, LogLine), EngineError>> {
    for log in logs.iter_mut() {
        if let Err(error) = log.fill().await {
            return Some(Err(error));
        }
    }
    let heads = logs.iter().enumerate().filter(|(_, log)| log.head.is_some());
    let (first, _) = heads.min_by_key(|(_, log)| log.at)?;
    logs[first].head.take().map(|line| Ok((first, line)))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn log(lines: &[(i64, &str)], until: Option<i64>) -> Past {
        let lines: Vec<_> = lines
            .iter()
            .map(|(ms, text)| {
                let at = (*ms >= 0).then(|| Timestamp::from_millisecond(*ms).unwrap());
                Ok(LogLine { at, stderr: false, text: (*text).to_owned() })
            })
            .collect();
        let until = until.map(|ms| Timestamp::from_millisecond(ms).unwrap());
        Past::new(stream::iter(lines).boxed(), until, Cursor::default())
    }

    async fn all(mut logs: Vec<Past>) -> Vec<(usize, String)> {
        let mut texts = Vec::new();
        while let Some(line) = next(&mut logs).await {
            let (from, line) = line.unwrap();
            texts.push((from, line.text));
        }
        texts
    }

    fn texts(of: &[(usize, &str)]) -> Vec<(usize, String)> {
        of.iter().map(|(from, text)| (*from, (*text).to_owned())).collect()
    }

    #[tokio::test]
    async fn lines_come_in_the_order_of_time() {
        let one = log(&[(1, "a"), (4, "d"), (6, "f")], None);
        let other = log(&[(2, "b"), (3, "c"), (5, "e")], None);
        let expected = texts(&[(0, "a"), (1, "b"), (1, "c"), (0, "d"), (1, "e"), (0, "f")]);
        assert_eq!(all(vec![one, other, log(&[], None)]).await, expected);
    }

    #[tokio::test]
    async fn ties_keep_each_logs_own_order() {
        let one = log(&[(1, "a"), (1, "b"), (0, "late stamp"), (2, "c")], None);
        let other = log(&[(1, "x"), (1, "y")], None);
        let expected = texts(&[(0, "a"), (0, "b"), (0, "late stamp"), (1, "x"), (1, "y"), (0, "c")]);
        assert_eq!(all(vec![one, other]).await, expected);
    }

    #[tokio::test]
    async fn lines_without_a_time_stay_behind_the_one_before() {
        let one = log(&[(1, "a"), (-1, "and more"), (9, "z")], None);
        assert_eq!(
            all(vec![one, log(&[(5, "m")], None)]).await,
            texts(&[(0, "a"), (0, "and more"), (1, "m"), (0, "z")])
        );
    }

    #[tokio::test]
    async fn until_leaves_out_what_came_later() {
        let one = log(&[(1, "a"), (5, "b"), (4, "c"), (6, "d")], Some(5));
        assert_eq!(all(vec![one]).await, texts(&[(0, "a"), (0, "c")]));
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_read_does_not_stop_the_others() {
        let broken = stream::iter([Err(EngineError::Absent { what: "container x".into() })]).boxed();
        let mut logs = vec![Past::new(broken, None, Cursor::default()), log(&[(1, "a")], None)];
        assert!(next(&mut logs).await.unwrap().is_err());
        assert_eq!(next(&mut logs).await.unwrap().unwrap().1.text, "a");
        assert!(next(&mut logs).await.is_none());
    }
}
