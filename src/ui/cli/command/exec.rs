//! `exec` and `shell`: a command in the serving container, with its streams and its exit code. Its bytes go both ways as
//! they are.

use std::io::{self, IsTerminal as _};

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::bytes::{self, Stream};
use crate::report;
use crate::session::Session;
use once_app::engine::{ExecInput, ExecOutput, ExecSession, ExecSpec};
use once_app::event::Outcome;
use once_app::{Installation, Problem};

use super::Answer;

/// Our own failures, as `docker exec` has it: every other code is the command's.
const OURS: u8 = 125;

/// What a shell gives for a command that its reader left: 128 and the number of SIGPIPE.
const READER_LEFT: u8 = 141;

/// Bytes of standard input that are read at once.
const INPUT_CAPACITY: usize = 64 << 10;

/// What a shell is looked for as: the best one there is.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"];

pub(crate) async fn exec(session: &mut Session<'_>, app: &str, argv: &[String]) -> Answer {
    let program = argv.first().map_or("", String::as_str);
    let ran = match run(session, app, argv.to_vec()).await {
        Ok(Ran { code, refusal }) => {
            if let Some(reason) = refusal {
                report::problem(session.out, &not_started(app, program, &reason));
            }
            Ok(code)
        }
        Err(problem) => Err(problem),
    };
    answer(session, ran)
}

pub(crate) async fn shell(session: &mut Session<'_>, app: &str) -> Answer {
    let ran = match run(session, app, SHELL.map(String::from).to_vec()).await {
        Ok(Ran { code, refusal: None }) => Ok(code),
        // Our own failure and not a code of the shell: nobody has typed anything yet.
        Ok(Ran { refusal: Some(_), .. }) => Err(no_shell(app)),
        Err(problem) => Err(problem),
    };
    answer(session, ran)
}

fn no_shell(app: &str) -> Problem {
    Problem::new(Outcome::Environment, "no-shell", format!("the image of {app} has no shell"))
        .hint(format!("`once exec {app} -- PROGRAM` runs a program that it has"))
        .hint(format!("`once logs {app}` shows what it writes"))
}

/// How a command in a container ended.
struct Ran {
    /// The exit code.
    code: u8,
    /// The engine's words on why it could not start the command, where it could not.
    refusal: Option<String>,
}

fn answer(session: &mut Session<'_>, ran: Answer) -> Answer {
    match ran {
        Ok(code) => Ok(code),
        Err(problem) => {
            report::problem(session.out, &problem);
            Ok(OURS)
        }
    }
}

async fn run(session: &Session<'_>, app: &str, argv: Vec<String>) -> Result<Ran, Problem> {
    let at = session.installation().await?;
    let container = serving(session, &at, app).await?;
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let size = terminal.then(|| crossterm::terminal::size().unwrap_or((80, 24)));
    let spec = ExecSpec { container, argv, tty: size, stdin: true };
    let mut running = at.engine.exec(&spec).await?;
    let raw = terminal.then(RawMode::enter).transpose()?;
    let ended = pump(&mut *running, terminal).await;
    drop(raw);
    let code = match ended? {
        Ended::Output => running.exit_code().await?,
        // What runs on in the container writes to nobody; its code is known only if it has ended by now.
        Ended::ReaderLeft => running.exit_code_now().await?.unwrap_or_else(|| READER_LEFT.into()),
    };
    Ok(Ran { code: u8::try_from(code).unwrap_or(OURS), refusal: running.refusal().map(str::to_owned) })
}

/// The engine's words hold a sentence of each program that took part; the last one says why. Its form differs with the
/// runtime's age.
fn not_started(app: &str, program: &str, reason: &str) -> Problem {
    let reason = reason.strip_suffix(": unknown").unwrap_or(reason);
    let mut problem =
        Problem::rejected("not-started", format!("`{program}` cannot be started in the container of {app}"))
            .hint("the program has to be in the image; a pipe or a variable needs a shell: `-- sh -c '…'`");
    let why = ["process: ", "process caused: "].iter().filter_map(|before| reason.rsplit_once(before)).next();
    problem.causes.push(why.map_or(reason, |(_, why)| why).to_owned());
    problem
}

async fn serving(session: &Session<'_>, at: &Installation, app: &str) -> Result<String, Problem> {
    let (_, _, record) = session.app(at, app).await?;
    let none =
        || Problem::new(Outcome::Environment, "nothing-serves", format!("{} has no running container", record.name));
    let name = record.serving_release().map(|r| r.container.clone()).ok_or_else(none)?;
    let detail = at.engine.container(&name).await?.filter(|c| c.running);
    detail.map(|c| c.id).ok_or_else(|| none().hint(format!("`once start {}` starts it", record.name)))
}

/// Why there is no more output to write.
enum Ended {
    /// The command's output has ended.
    Output,
    /// Nobody reads standard output any more.
    ReaderLeft,
}

/// Stops feeding a command when it is dropped.
struct Feeding(tokio::task::AbortHandle);

impl Drop for Feeding {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Bytes both ways, each at its own pace, until the command's output ends or its reader leaves.
async fn pump(running: &mut dyn ExecSession, terminal: bool) -> Result<Ended, Problem> {
    let _feeding = running.take_input().map(|input| Feeding(tokio::spawn(feed(input)).abort_handle()));
    let mut resized = signal(SignalKind::window_change()).map_err(|error| {
        Problem::new(Outcome::Environment, "signals", "signals cannot be listened for").because(&error)
    })?;
    loop {
        tokio::select! {
            output = running.output() => match output {
                Some(Ok(ExecOutput::Stdout(bytes))) => match bytes::write(Stream::Out, &bytes).await {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Ended::ReaderLeft),
                    Err(error) => return Err(unwritten(&error)),
                },
                // Without a reader of its errors a command goes on.
                Some(Ok(ExecOutput::Stderr(bytes))) => match bytes::write(Stream::Error, &bytes).await {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(unwritten(&error)),
                    _ => {}
                },
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(Ended::Output),
            },
            _ = resized.recv(), if terminal => {
                if let Ok((columns, rows)) = crossterm::terminal::size() {
                    let _ = running.resize(columns, rows).await;
                }
            }
        }
    }
}

fn unwritten(error: &io::Error) -> Problem {
    Problem::new(Outcome::Environment, "output-failed", "the command's output cannot be written").because(error)
}

/// Standard input to its end. A command that takes no more has closed its own end: its output and code still count.
async fn feed(mut input: Box<dyn ExecInput>) {
    let mut stdin = tokio::io::stdin();
    let mut buffer = vec![0; INPUT_CAPACITY];
    loop {
        match stdin.read(&mut buffer).await {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(length @ 1..) => {
                if input.write(&buffer[..length]).await.is_err() {
                    return;
                }
            }
            // A standard input that is closed or cannot be read has no more.
            Ok(0) | Err(_) => {
                let _ = input.close().await;
                return;
            }
        }
    }
}

/// The terminal hands every key on as it is; undone when dropped.
struct RawMode;

impl RawMode {
    fn enter() -> Result<Self, Problem> {
        crossterm::terminal::enable_raw_mode().map(|()| Self).map_err(|error| {
            Problem::new(Outcome::Environment, "terminal", "the terminal cannot be set up").because(&error)
        })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}
