//! `run-job`: the detached process. It belongs to no terminal, and no end of a pipe ends a change that has begun.

use std::io::Write as _;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines, Stdin};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::change;
use crate::session::{Session, installation};
use once_app::event::{Envelope, Event, Finished, Outcome};
use once_app::{EventSink, Installation, Job, OpId, Problem, Stop};
use once_job::hooks::LocalHooks;
use once_job::runner::{CANCEL, DETACH};

use super::Answer;

/// How long a reader that has stopped reading may hold up the end of the process.
const FLUSH: Duration = Duration::from_secs(10);

pub(crate) async fn run_job(session: &mut Session<'_>) -> Answer {
    leave_terminal();
    // Before anything is begun: until it is listened for, a hang-up would be the end.
    let signals = Signals::new()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let job = read_job(&mut lines).await?;
    let (writer, written) = start_writer();
    let sink = writer.clone();
    let op = job.op.clone();
    let stop = Stop::default();
    tokio::spawn(listen(lines, signals, stop.clone()));
    // A change that is withdrawn goes on to the proxy all the same: it is noted there.
    let connected = tokio::select! {
        at = installation(session.global, session.wiring) => at,
        () = stop.cancel.cancelled() => Err(nothing_done()),
    };
    let at = match connected {
        Ok(at) => with_hooks(at, session.global.on.as_deref()),
        Err(problem) => {
            sink.send(last_words(op, 0, &problem)).ok();
            drop((sink, writer));
            flush(written).await;
            return Ok(problem.outcome.exit_code());
        }
    };
    let events: EventSink = Arc::new(move |e: &Envelope| drop(sink.send(e.clone())));
    let work = tokio::spawn(async move { once_app::run(job, &at, events, stop).await });
    let code = match work.await {
        Ok(finished) => finished.outcome.exit_code(),
        Err(bug) => {
            let problem = Problem::new(Outcome::Internal, "bug", "a bug in once ended the change").because(&bug);
            writer.send(last_words(op, u64::MAX, &problem)).ok();
            problem.outcome.exit_code()
        }
    };
    drop(writer);
    flush(written).await;
    Ok(code)
}

fn with_hooks(at: Installation, on: Option<&str>) -> Installation {
    match LocalHooks::find(on) {
        Some(hooks) => Installation { hooks: Arc::new(hooks), ..at },
        None => at,
    }
}

fn nothing_done() -> Problem {
    Problem::new(Outcome::Interrupted, "interrupted", "interrupted before anything was done")
}

/// A session of its own: the terminal's signals do not reach it. Fails only where it leads one already.
fn leave_terminal() {
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!("no session of its own: {error}");
    }
}

/// What can be sent to it.
struct Signals {
    hang_up: Signal,
    stop: change::Signals,
}

impl Signals {
    fn new() -> Result<Self, Problem> {
        let hang_up = signal(SignalKind::hangup()).map_err(|error| {
            Problem::new(Outcome::Environment, "signals", "signals cannot be listened for").because(&error)
        })?;
        Ok(Self { hang_up, stop: change::Signals::new()? })
    }
}

async fn read_job(lines: &mut Lines<BufReader<Stdin>>) -> Result<Job, Problem> {
    let line = lines.next_line().await.ok().flatten();
    // What was read is not repeated: it may hold secrets.
    line.and_then(|l| serde_json::from_str(&l).ok())
        .ok_or_else(|| Problem::rejected("bad-job", "the first line of standard input is no job"))
}

/// Cancels on request. An end of input without [`DETACH`] before it is the death of the process that asked: then the
/// change is withdrawn, unless it has begun. A hang-up means nothing.
async fn listen(mut lines: Lines<BufReader<Stdin>>, mut signals: Signals, stop: Stop) {
    let (mut open, mut detached) = (true, false);
    loop {
        tokio::select! {
            line = lines.next_line(), if open => match line {
                Ok(Some(line)) if line == CANCEL => stop.cancel.cancel(),
                Ok(Some(line)) if line == DETACH => detached = true,
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    open = false;
                    if !detached {
                        stop.withdraw.cancel();
                    }
                }
            },
            _ = signals.hang_up.recv() => {}
            () = signals.stop.next() => stop.cancel.cancel(),
        }
    }
}

/// Writes events from a thread of its own, so that a reader that has stopped reading stops no deploy.
fn start_writer() -> (mpsc::Sender<Envelope>, tokio::sync::oneshot::Receiver<()>) {
    let (sender, events) = mpsc::channel::<Envelope>();
    let (done, written) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut out = std::io::stdout();
        let mut gone = false;
        for event in events {
            let Ok(mut line) = serde_json::to_vec(&event) else { continue };
            line.push(b'\n');
            // The reader may leave; the change goes on and its events are in the ledger.
            gone = gone || out.write_all(&line).and_then(|()| out.flush()).is_err();
        }
        done.send(()).ok();
    });
    (sender, written)
}

async fn flush(written: tokio::sync::oneshot::Receiver<()>) {
    if tokio::time::timeout(FLUSH, written).await.is_err() {
        tracing::debug!("nobody reads the events");
    }
}

/// The answer where the change itself could give none.
fn last_words(op: OpId, seq: u64, problem: &Problem) -> Envelope {
    let finished = Finished {
        outcome: problem.outcome,
        release: None,
        serving: None,
        canary: None,
        visitors: None,
        url: None,
        warnings: Vec::new(),
        retryable: problem.retryable,
        release_command_ran: None,
        problem: Some(problem.clone()),
    };
    Envelope { event: Event::Finished(finished), op, app: None, seq, at: jiff::Timestamp::now() }
}
