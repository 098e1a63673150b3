//! What containers write. Untrusted bytes: the engine cuts long lines into pieces of 16 KiB, each with a time of its own
//! in front; here they become lines again.

use std::collections::VecDeque;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::call::{Call, Client};
use once_app::engine::{EngineError, LogLine, LogQuery};

/// A container that never ends its line must not fill our memory.
const LONGEST_LINE: usize = 1024 * 1024;

pub(super) fn lines(
    client: Client,
    container: &str,
    query: &LogQuery,
) -> BoxStream<'static, Result<LogLine, EngineError>> {
    let call = Call::new("read", format!("the log of container {container}"));
    let since = query.since;
    let mut options = LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).follow(query.follow);
    if let Some(tail) = query.tail {
        options = options.tail(&tail.to_string());
    }
    if let Some(since) = since {
        // Whole seconds are all bollard sends; the rest is left out below.
        options = options.since(i32::try_from(since.as_second()).unwrap_or(i32::MAX));
    }
    let frames = client.api.logs(container, Some(options.build())).boxed();
    let container = container.to_owned();
    let reading =
        Reading { client, call, container, frames, joiner: Joiner::default(), ready: VecDeque::new(), ended: false };
    stream::unfold(reading, |mut reading| async move { Some((reading.next().await?, reading)) })
        .filter(move |line| {
            let early = matches!((line, since), (Ok(LogLine { at: Some(at), .. }), Some(since)) if *at < since);
            std::future::ready(!early)
        })
        .boxed()
}

struct Reading {
    client: Client,
    call: Call,
    container: String,
    frames: BoxStream<'static, Result<LogOutput, bollard::errors::Error>>,
    joiner: Joiner,
    ready: VecDeque<LogLine>,
    ended: bool,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<LogLine, EngineError>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            match self.frames.next().await {
                Some(Ok(LogOutput::StdErr { message })) => self.joiner.add(true, &message, &mut self.ready),
                Some(Ok(other)) => self.joiner.add(false, &other.into_bytes(), &mut self.ready),
                Some(Err(cause)) => {
                    self.ended = true;
                    return Some(Err(match self.client.explain(&self.call, cause) {
                        // A log is missing only with its container.
                        EngineError::Absent { .. } => {
                            EngineError::Absent { what: format!("container {}", self.container) }
                        }
                        other => other,
                    }));
                }
                None => {
                    self.ended = true;
                    self.joiner.finish(&mut self.ready);
                }
            }
        }
    }
}

/// Makes lines of frames, for each of the two streams by itself.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    stdout: Begun,
    stderr: Begun,
}

#[derive(Debug, Default)]
struct Begun {
    at: Option<Timestamp>,
    bytes: Vec<u8>,
    open: bool,
}

impl Joiner {
    pub(super) fn add(&mut self, stderr: bool, frame: &[u8], ready: &mut VecDeque<LogLine>) {
        let begun = if stderr { &mut self.stderr } else { &mut self.stdout };
        let (at, text) = split_time(frame);
        if !begun.open {
            begun.at = at;
        }
        for piece in text.split_inclusive(|byte| *byte == b'\n') {
            begun.open = true;
            begun.bytes.extend_from_slice(piece);
            if piece.ends_with(b"\n") || begun.bytes.len() >= LONGEST_LINE {
                ready.push_back(begun.take(stderr));
                begun.at = at;
            }
        }
    }

    pub(super) fn finish(&mut self, ready: &mut VecDeque<LogLine>) {
        for (stderr, begun) in [(false, &mut self.stdout), (true, &mut self.stderr)] {
            if begun.open {
                ready.push_back(begun.take(stderr));
            }
        }
    }
}

impl Begun {
    fn take(&mut self, stderr: bool) -> LogLine {
        let bytes = std::mem::take(&mut self.bytes);
        self.open = false;
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        LogLine { at: self.at.take(), stderr, text: String::from_utf8_lossy(line).into_owned() }
    }
}

fn split_time(frame: &[u8]) -> (Option<Timestamp>, &[u8]) {
    // As long as RFC 3339 with nanoseconds and an offset can be.
    const LONGEST_TIME: usize = 36;
    let Some(space) = frame.iter().take(LONGEST_TIME).position(|byte| *byte == b' ') else { return (None, frame) };
    match std::str::from_utf8(&frame[..space]).ok().and_then(|text| text.parse().ok()) {
        Some(at) => (Some(at), &frame[space + 1..]),
        None => (None, frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "2026-08-01T10:00:00.000000001Z";
    const TWO: &str = "2026-08-01T10:00:01.5Z";

    fn join(frames: &[(bool, String)]) -> Vec<(Option<String>, bool, String)> {
        let (mut joiner, mut ready) = (Joiner::default(), VecDeque::new());
        for (stderr, frame) in frames {
            joiner.add(*stderr, frame.as_bytes(), &mut ready);
        }
        joiner.finish(&mut ready);
        ready.into_iter().map(|line| (line.at.map(|at| at.to_string()), line.stderr, line.text)).collect()
    }

    fn line(at: &str, stderr: bool, text: &str) -> (Option<String>, bool, String) {
        (Some(at.to_owned()), stderr, text.to_owned())
    }

    #[test]
    fn a_frame_is_a_line() {
        let frames = [(false, format!("{ONE} hello\n")), (true, format!("{TWO} oh\r\n")), (false, format!("{TWO} \n"))];
        assert_eq!(join(&frames), [line(ONE, false, "hello"), line(TWO, true, "oh"), line(TWO, false, "")]);
    }

    #[test]
    fn pieces_of_a_long_line_become_one_again() {
        let frames = [
            (false, format!("{ONE} {}", "a".repeat(16_384))),
            (true, format!("{ONE} between\n")),
            (false, format!("{TWO} {}", "b".repeat(16_384))),
            (false, format!("{TWO} c\n")),
        ];
        let long = format!("{}{}c", "a".repeat(16_384), "b".repeat(16_384));
        assert_eq!(join(&frames), [line(ONE, true, "between"), line(ONE, false, &long)]);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        assert_eq!(join(&[(false, format!("{ONE} bye"))]), [line(ONE, false, "bye")]);
    }

    #[test]
    fn a_line_that_never_ends_is_cut() {
        let piece = "x".repeat(16_384);
        let frames: Vec<_> = (0..65).map(|_| (false, format!("{ONE} {piece}"))).collect();
        let lines = join(&frames);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines.iter().map(|(_, _, text)| text.len()).sum::<usize>(), 65 * 16_384);
    }

    #[test]
    fn text_that_looks_like_nothing_is_kept() {
        assert_eq!(join(&[(false, "no time here\n".into())]), [(None, false, "no time here".into())]);
        assert_eq!(split_time(b"\xff\xfe \n"), (None, &b"\xff\xfe \n"[..]));
    }
}
