//! The line between the supervisor and each of its workers: a socket in the place of the worker's standard input, a word
//! a line. It must be understood by any two versions, for a worker may be years newer than the supervisor.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// In a worker's environment: the version of this line that its supervisor speaks.
pub const SUPERVISOR: &str = "ONCE_SUPERVISOR";
/// In a worker's environment: another one serves, and is to be relieved.
pub const TAKE_OVER: &str = "ONCE_TAKE_OVER";
/// In a worker's environment: why it was started instead of the program that should run.
pub const NOTE: &str = "ONCE_SUPERVISOR_NOTE";

/// What the supervisor speaks. A worker that needs more says that the container has to be made anew.
pub const VERSION: u32 = 1;

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It could serve now, with all routes.
    Ready,
    /// It is to be relieved by the program of this hash.
    Upgrade(String),
}

/// What the supervisor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// To one that is ready to relieve: it is in charge.
    Serve,
    /// To the one before: it is relieved.
    Leave,
    /// To the one that asked to be relieved: it serves on, and why.
    Refused(String),
}

impl Report {
    /// `None`: it is a word of another version.
    pub(super) fn of(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None if line == "ready" => Some(Self::Ready),
            Some(("upgrade", hash)) => Some(Self::Upgrade(hash.to_owned())),
            _ => None,
        }
    }
}

/// The line, with its end.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready\n"),
            Self::Upgrade(hash) => writeln!(f, "upgrade {}", one_line(hash)),
        }
    }
}

impl Order {
    /// `None`: it is a word of another version.
    pub(super) fn of(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None if line == "serve" => Some(Self::Serve),
            None if line == "leave" => Some(Self::Leave),
            Some(("refused", why)) => Some(Self::Refused(why.to_owned())),
            _ => None,
        }
    }
}

/// The line, with its end.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serve => f.write_str("serve\n"),
            Self::Leave => f.write_str("leave\n"),
            Self::Refused(why) => writeln!(f, "refused {}", one_line(why)),
        }
    }
}

/// One end of the line.
#[derive(Debug)]
pub struct Line {
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
}

impl Line {
    /// Our end of a new line, and what is to be the other process's standard input.
    ///
    /// # Errors
    /// The system has no sockets left.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = StdUnixStream::pair()?;
        Ok((Self::new(ours)?, theirs.into()))
    }

    /// The worker's end; `None`: it was not started by a supervisor that speaks this.
    #[must_use]
    pub fn from_stdin() -> Option<Self> {
        std::env::var_os(SUPERVISOR)?;
        let stdin = StdUnixStream::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
        stdin.peer_addr().ok()?;
        Self::new(stdin).ok()
    }

    fn new(stream: StdUnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (read, out) = UnixStream::from_std(stream)?.into_split();
        Ok(Self { lines: BufReader::new(read).lines(), out })
    }

    /// The next line that is understood; never, once the other end is gone.
    async fn next<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> T {
        loop {
            match self.lines.next_line().await {
                Ok(Some(line)) => match parse(&line) {
                    Some(word) => return word,
                    None => tracing::debug!(line, "a word of another version"),
                },
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// What the worker says next.
    pub async fn report(&mut self) -> Report {
        self.next(Report::of).await
    }

    /// What the supervisor says next.
    pub async fn order(&mut self) -> Order {
        self.next(Order::of).await
    }

    /// Says something as the worker. An end that is gone hears nothing.
    pub async fn tell(&mut self, report: &Report) {
        self.say(report.to_string()).await;
    }

    /// Says something as the supervisor. An end that is gone hears nothing.
    pub async fn give(&mut self, order: &Order) {
        self.say(order.to_string()).await;
    }

    async fn say(&mut self, line: String) {
        if let Err(error) = self.out.write_all(line.as_bytes()).await {
            tracing::debug!(%error, "the other end of the line is gone");
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_of_another_version_are_passed_over() {
        let (mut ours, theirs) = Line::pair().unwrap();
        let mut theirs = Line::new(StdUnixStream::from(theirs)).unwrap();
        theirs.say("a word from the future\n".to_owned()).await;
        for report in [Report::Ready, Report::Upgrade("ab".to_owned())] {
            theirs.tell(&report).await;
            assert_eq!(ours.report().await, report);
        }
        ours.say("another 1 2 3\n".to_owned()).await;
        ours.give(&Order::Refused("two\nlines".to_owned())).await;
        assert_eq!(theirs.order().await, Order::Refused("two lines".to_owned()));
        for order in [Order::Serve, Order::Leave] {
            ours.give(&order).await;
            assert_eq!(theirs.order().await, order);
        }
    }
}
