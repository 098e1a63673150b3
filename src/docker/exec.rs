//! Commands in running containers.

use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::query_parameters::ResizeExecOptionsBuilder;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::call::{Call, Client, required};
use super::connect::Docker;
use once_app::engine::{EngineError, ExecInput, ExecOutput, ExecSession, ExecSpec};

type Result<T> = std::result::Result<T, EngineError>;

/// Bytes read from the engine at once: as long as its longest frame.
const OUTPUT_CAPACITY: usize = 32 << 10;

/// The engine learns of an end a moment after the output ended.
const SETTLE: Duration = Duration::from_millis(20);
const SETTLES: u32 = 250;

/// A terminal cannot be resized before its process is there.
const RESIZES: u32 = 10;

/// The engine's reason for not starting a command is a line or two, and ends as lines on a terminal do.
const LONGEST_REASON: usize = 4096;
const END_OF_REASON: &[u8] = b"\r\n";

type Pieces = BoxStream<'static, std::result::Result<LogOutput, bollard::errors::Error>>;

pub(super) struct Attached {
    pub client: Client,
    pub id: String,
    pub container: String,
    pub output: Pieces,
    pub input: Option<Pin<Box<dyn AsyncWrite + Send>>>,
    /// The command has a terminal, whose output has one stream.
    terminal: bool,
    /// The first piece of output has been handed on.
    begun: bool,
    first: Option<ExecOutput>,
    refusal: Option<String>,
}

impl Docker {
    pub(super) async fn attach(&self, spec: &ExecSpec) -> Result<Attached> {
        let call = Call::new("run", format!("a command in container {}", spec.container));
        let options = CreateExecOptions {
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(spec.tty.is_some()),
            cmd: Some(spec.argv.clone()),
            ..CreateExecOptions::default()
        };
        let made = self.client.ask(call.clone(), self.client.api.create_exec(&spec.container, options)).await;
        let id = match made {
            Ok(made) => made.id,
            Err(EngineError::Absent { .. }) => {
                return Err(EngineError::Absent { what: format!("container {}", spec.container) });
            }
            Err(other) => return Err(other),
        };
        // Whether the command has a terminal was said above. Said here, it would make the output come without frames,
        // and the decoder take a piece of it that begins with a byte below 3 for the head of a frame.
        let options = StartExecOptions { detach: false, tty: false, output_capacity: Some(OUTPUT_CAPACITY) };
        let started = self.client.ask(call.clone(), self.client.api.start_exec(&id, Some(options))).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Failed { what: call.what(), message: "it ran it without its streams".into() });
        };
        let input = spec.stdin.then_some(input);
        let (client, container, terminal) = (self.client.clone(), spec.container.clone(), spec.tty.is_some());
        Ok(Attached { client, id, container, output, input, terminal, begun: false, first: None, refusal: None })
    }

    pub(super) async fn session(&self, spec: &ExecSpec) -> Result<Box<dyn ExecSession>> {
        let mut attached = self.attach(spec).await?;
        if let Some((columns, rows)) = spec.tty {
            attached.first_size(columns, rows).await;
        }
        Ok(Box::new(attached))
    }
}

impl Attached {
    fn call(&self) -> Call {
        Call::new("run", format!("a command in container {}", self.container))
    }

    /// The wrong size at first is no reason to refuse the command, which may have ended already.
    async fn first_size(&mut self, columns: u16, rows: u16) {
        for _ in 0..RESIZES {
            if self.resize(columns, rows).await.is_ok() {
                return;
            }
            tokio::time::sleep(SETTLE).await;
        }
    }

    /// The exit code of a command whose output has ended.
    pub async fn code(client: &Client, id: &str, call: &Call) -> Result<i64> {
        for _ in 0..SETTLES {
            if let Some(code) = Self::code_now(client, id, call).await? {
                return Ok(code);
            }
            tokio::time::sleep(SETTLE).await;
        }
        // The connection may have been cut: what was written since then is lost, so no code would be true.
        let message = "the connection to it ended while the command was still running".to_owned();
        Err(EngineError::Failed { what: call.what(), message })
    }

    async fn code_now(client: &Client, id: &str, call: &Call) -> Result<Option<i64>> {
        let found = client.ask(call.clone(), client.api.inspect_exec(id)).await?;
        match found.running {
            Some(true) => Ok(None),
            _ => required(found.exit_code, "ExitCode", call).map(Some),
        }
    }

    /// Whether the engine could not start the command: it then has no process, and what came as its output are the
    /// engine's words. Only asked where the first piece looks like them, for it costs a call.
    async fn is_refused(client: &Client, id: &str, call: &Call, piece: &[u8]) -> Result<bool> {
        if piece.len() > LONGEST_REASON || !piece.ends_with(END_OF_REASON) {
            return Ok(false);
        }
        let found = client.ask(call.clone(), client.api.inspect_exec(id)).await?;
        Ok(found.running != Some(true) && found.pid.unwrap_or_default() == 0)
    }

    async fn next_piece(&mut self) -> Option<Result<ExecOutput>> {
        loop {
            return match self.output.next().await? {
                Ok(LogOutput::StdOut { message }) => Some(Ok(ExecOutput::Stdout(message.to_vec()))),
                Ok(LogOutput::StdErr { message }) => Some(Ok(ExecOutput::Stderr(message.to_vec()))),
                // An engine that sends a terminal's output without frames.
                Ok(LogOutput::Console { message }) if self.terminal => Some(Ok(ExecOutput::Stdout(message.to_vec()))),
                Ok(LogOutput::Console { .. }) => {
                    let message = "its output broke off in the middle".to_owned();
                    Some(Err(EngineError::Failed { what: self.call().what(), message }))
                }
                Ok(LogOutput::StdIn { .. }) => continue,
                Err(cause) => Some(Err(self.client.explain(&self.call(), cause))),
            };
        }
    }
}

#[async_trait]
impl ExecSession for Attached {
    /// Dropped before it is ready, it loses nothing: what has come is kept for the next call.
    async fn output(&mut self) -> Option<Result<ExecOutput>> {
        if self.begun {
            return self.next_piece().await;
        }
        if self.first.is_none() {
            match self.next_piece().await? {
                Ok(piece) => self.first = Some(piece),
                Err(error) => return Some(Err(error)),
            }
        }
        let refused = match &self.first {
            Some(ExecOutput::Stdout(bytes)) => Self::is_refused(&self.client, &self.id, &self.call(), bytes).await,
            _ => Ok(false),
        };
        self.begun = true;
        let first = self.first.take()?;
        match (refused, first) {
            (Ok(false), piece) => Some(Ok(piece)),
            (Ok(true), ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes)) => {
                self.refusal = Some(String::from_utf8_lossy(&bytes).trim().to_owned());
                self.next_piece().await
            }
            (Err(error), _) => Some(Err(error)),
        }
    }

    fn take_input(&mut self) -> Option<Box<dyn ExecInput>> {
        let stream = self.input.take()?;
        Some(Box::new(Input { client: self.client.clone(), call: self.call(), stream: Some(stream) }))
    }

    async fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let size = ResizeExecOptionsBuilder::new().w(columns.into()).h(rows.into()).build();
        self.client.ask(self.call(), self.client.api.resize_exec(&self.id, size)).await
    }

    fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    async fn exit_code(&mut self) -> Result<i64> {
        Self::code(&self.client, &self.id, &self.call()).await
    }

    async fn exit_code_now(&mut self) -> Result<Option<i64>> {
        Self::code_now(&self.client, &self.id, &self.call()).await
    }
}

/// The writing half of the connection to a command.
struct Input {
    client: Client,
    call: Call,
    stream: Option<Pin<Box<dyn AsyncWrite + Send>>>,
}

#[async_trait]
impl ExecInput for Input {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(stream) = &mut self.stream else {
            return Err(EngineError::Conflict { message: "standard input is closed".into() });
        };
        let written = match stream.write_all(bytes).await {
            Ok(()) => stream.flush().await,
            Err(error) => Err(error),
        };
        written.map_err(|error| self.client.explain(&self.call, error.into()))
    }

    async fn close(&mut self) -> Result<()> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        stream.shutdown().await.map_err(|error| self.client.explain(&self.call, error.into()))
    }
}
