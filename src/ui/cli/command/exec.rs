//! `exec` and `shell`: a command in the serving container, with its streams and its exit code.

use std::io::IsTerminal as _;

use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::engine::{ExecOutput, ExecSession, ExecSpec};
use crate::app::event::Outcome;
use crate::app::{Installation, Problem};
use crate::ui::cli::output::Output;
use crate::ui::cli::report;
use crate::ui::cli::session::Session;

use super::Answer;

/// Our own failures, as `docker exec` has it: every other code is the command's.
const OURS: u8 = 125;

/// What a shell is looked for as: the best one there is.
const SHELL: [&str; 3] = ["/bin/sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi"];

pub(crate) async fn exec(session: &mut Session<'_>, app: &str, argv: &[String]) -> Answer {
    run(session, app, argv.to_vec()).await
}

pub(crate) async fn shell(session: &mut Session<'_>, app: &str) -> Answer {
    run(session, app, SHELL.map(String::from).to_vec()).await
}

async fn run(session: &mut Session<'_>, app: &str, argv: Vec<String>) -> Answer {
    match try_run(session, app, argv).await {
        Ok(code) => Ok(code),
        Err(problem) => {
            report::problem(session.out, &problem);
            Ok(OURS)
        }
    }
}

async fn try_run(session: &mut Session<'_>, app: &str, argv: Vec<String>) -> Answer {
    let at = session.installation().await?;
    let container = serving(session, &at, app).await?;
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let size = terminal.then(|| crossterm::terminal::size().unwrap_or((80, 24)));
    let spec = ExecSpec { container, argv, tty: size, stdin: true };
    let mut running = at.engine.exec(&spec).await?;
    let raw = terminal.then(RawMode::enter).transpose()?;
    let ended = pump(&mut *running, session.out, terminal).await;
    drop(raw);
    ended?;
    let code = running.exit_code().await?;
    Ok(u8::try_from(code).unwrap_or(OURS))
}

async fn serving(session: &Session<'_>, at: &Installation, app: &str) -> Result<String, Problem> {
    let (_, _, record) = session.app(at, app).await?;
    let none =
        || Problem::new(Outcome::Environment, "nothing-serves", format!("{} has no running container", record.name));
    let name = record.serving_release().map(|r| r.container.clone()).ok_or_else(none)?;
    let detail = at.engine.container(&name).await?.filter(|c| c.running);
    detail.map(|c| c.id).ok_or_else(|| none().hint(format!("`once start {}` starts it", record.name)))
}

/// Bytes both ways until the command's output ends.
async fn pump(running: &mut dyn ExecSession, out: &mut Output, terminal: bool) -> Result<(), Problem> {
    let mut stdin = tokio::io::stdin();
    let mut resized = signal(SignalKind::window_change()).map_err(|error| {
        Problem::new(Outcome::Environment, "signals", "signals cannot be listened for").because(&error)
    })?;
    let mut buffer = vec![0; 16 << 10];
    let mut open = true;
    loop {
        tokio::select! {
            output = running.output() => match output {
                Some(Ok(ExecOutput::Stdout(bytes))) => out.raw(&bytes),
                Some(Ok(ExecOutput::Stderr(bytes))) => out.raw_error(&bytes),
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(()),
            },
            read = stdin.read(&mut buffer), if open => {
                let length = read.unwrap_or(0);
                open = length > 0;
                // The command may have closed its end; its output and exit code still count.
                let _ = running.input(&buffer[..length]).await;
            }
            _ = resized.recv(), if terminal => {
                if let Ok((columns, rows)) = crossterm::terminal::size() {
                    let _ = running.resize(columns, rows).await;
                }
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
