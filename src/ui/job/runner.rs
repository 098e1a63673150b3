//! Changes run in a detached process of this same binary (`once run-job`), so that a lost terminal loses no deploy.
//!
//! The job, which may hold secrets, goes in as the first line of standard input; a later line `cancel` asks for it to
//! be undone, and `detach` says that it goes on although nobody follows it any more. An input that ends without that
//! word means that this process was killed: a change that has not begun is withdrawn then. Events come out as one JSON
//! object a line; that nobody reads them means nothing.

use std::fs::File;
use std::io::Write as _;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use once_app::event::{Envelope, Event};
use once_app::{Job, Namespace};

/// The line that asks the detached process to undo.
pub const CANCEL: &str = "cancel";

/// The line that says that the change goes on without anybody who follows it.
pub const DETACH: &str = "detach";

/// Where a job runs and how loud: handed to the detached process as flags, for none of it is secret.
#[derive(Debug, Clone)]
pub struct Place {
    /// The namespace.
    pub namespace: Namespace,
    /// The engine's address as given; `None`: as the environment says.
    pub on: Option<String>,
    /// The engine's ID that is expected, where one is.
    pub expect_engine: Option<String>,
    /// How often `-v` was given; with any, the process's log goes to our standard error.
    pub verbose: u8,
}

/// Why the detached process could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// It could not be started.
    #[error("the detached process could not be started")]
    Start(#[source] std::io::Error),
    /// It did not take the job.
    #[error("the detached process did not take its job")]
    Hand(#[source] std::io::Error),
    /// What it says cannot be read.
    #[error("the detached process cannot be understood")]
    Read(#[source] std::io::Error),
    /// A line is no event.
    #[error("the detached process said something that is no event")]
    Garbled(#[source] serde_json::Error),
    /// It ended before it gave its answer.
    #[error("the detached process ended without an answer ({0})")]
    Died(ExitStatus),
}

/// The standard input of a detached process, for single words.
#[derive(Debug, Clone)]
pub struct Control(Arc<File>);

impl Control {
    /// Asks the change to undo itself; it does so only before its switch.
    pub fn cancel(&self) {
        self.say(CANCEL);
    }

    /// Says that the change goes on, also one that still waits, whatever becomes of this process.
    pub fn detach(&self) {
        self.say(DETACH);
    }

    /// Never waits: the other side reads at all times, and a few words fit into the pipe besides.
    fn say(&self, word: &str) {
        // A process that is gone has given its answer or will be missed by `next_event`.
        let _ = (&*self.0).write_all(format!("{word}\n").as_bytes());
    }
}

/// A change under way in a process of its own. When all of its [`Control`]s are dropped before [`Control::detach`], a
/// change that has not begun is withdrawn; one that has begun goes on.
#[derive(Debug)]
pub struct RunningJob {
    child: Child,
    control: Control,
    lines: Lines<BufReader<ChildStdout>>,
    finished: bool,
    cancelled: bool,
}

/// Starts the detached process and hands it the job.
///
/// # Errors
/// When it cannot be started or does not take the job.
pub async fn spawn(job: &Job, place: &Place) -> Result<RunningJob, RunnerError> {
    let mut command = Command::new("/proc/self/exe");
    command.arg("--namespace").arg(place.namespace.as_str());
    if let Some(on) = &place.on {
        command.arg("--on").arg(on);
    }
    if let Some(id) = &place.expect_engine {
        command.arg("--expect-engine").arg(id);
    }
    command.args(std::iter::repeat_n("-v", usize::from(place.verbose)));
    command.arg("run-job").stdin(Stdio::piped()).stdout(Stdio::piped());
    // Never the terminal itself: it may be gone before the job is, or show a console.
    command.stderr(if place.verbose > 0 { Stdio::piped() } else { Stdio::null() });
    let mut child = command.spawn().map_err(RunnerError::Start)?;

    if let Some(log) = child.stderr.take() {
        tokio::spawn(pass_on(log));
    }
    let no_pipe = || RunnerError::Start(std::io::ErrorKind::BrokenPipe.into());
    let mut stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let stdout = child.stdout.take().ok_or_else(no_pipe)?;
    let mut line = serde_json::to_vec(job).map_err(|e| RunnerError::Hand(e.into()))?;
    line.push(b'\n');
    stdin.write_all(&line).await.map_err(RunnerError::Hand)?;
    let control = Control(Arc::new(File::from(stdin.into_owned_fd().map_err(RunnerError::Hand)?)));
    Ok(RunningJob { child, control, lines: BufReader::new(stdout).lines(), finished: false, cancelled: false })
}

async fn pass_on(mut log: tokio::process::ChildStderr) {
    let _ = tokio::io::copy(&mut log, &mut tokio::io::stderr()).await;
}

impl RunningJob {
    /// The next event; `None` after `finished`. Cancel-safe.
    ///
    /// # Errors
    /// When the process died without an answer, or cannot be understood.
    pub async fn next_event(&mut self) -> Result<Option<Envelope>, RunnerError> {
        if self.finished {
            return Ok(None);
        }
        let Some(line) = self.lines.next_line().await.map_err(RunnerError::Read)? else {
            let status = self.child.wait().await.map_err(RunnerError::Read)?;
            return Err(RunnerError::Died(status));
        };
        let envelope: Envelope = serde_json::from_str(&line).map_err(RunnerError::Garbled)?;
        self.finished = matches!(envelope.event, Event::Finished(_));
        Ok(Some(envelope))
    }

    /// Asks the change to undo itself; it does so only before its switch. The answer is its `finished` event.
    pub fn cancel(&mut self) {
        self.cancelled = true;
        self.control.cancel();
    }

    /// The line to the process.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Whether it was asked to.
    #[must_use]
    pub const fn is_cancelled(&self) -> bool {
        self.cancelled
    }
}
