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
use crate::app::engine::{EngineError, ExecOutput, ExecSession, ExecSpec};

type Result<T> = std::result::Result<T, EngineError>;

/// The engine learns of an end a moment after the output ended.
const SETTLE: Duration = Duration::from_millis(20);
const SETTLES: u32 = 250;

/// A terminal cannot be resized before its process is there.
const RESIZES: u32 = 10;

pub(super) struct Attached {
    pub client: Client,
    pub id: String,
    pub container: String,
    pub output: BoxStream<'static, std::result::Result<LogOutput, bollard::errors::Error>>,
    pub input: Option<Pin<Box<dyn AsyncWrite + Send>>>,
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
        let options = StartExecOptions { detach: false, tty: spec.tty.is_some(), output_capacity: None };
        let started = self.client.ask(call.clone(), self.client.api.start_exec(&id, Some(options))).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(EngineError::Failed { what: call.what(), message: "it ran it without its streams".into() });
        };
        let input = spec.stdin.then_some(input);
        Ok(Attached { client: self.client.clone(), id, container: spec.container.clone(), output, input })
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

    pub async fn code(client: &Client, id: &str, call: &Call) -> Result<i64> {
        for _ in 0..SETTLES {
            let found = client.ask(call.clone(), client.api.inspect_exec(id)).await?;
            if found.running != Some(true) {
                return required(found.exit_code, "ExitCode", call);
            }
            tokio::time::sleep(SETTLE).await;
        }
        Err(EngineError::TimedOut { what: format!("end to {}", call.what()), after: SETTLE * SETTLES })
    }
}

#[async_trait]
impl ExecSession for Attached {
    async fn output(&mut self) -> Option<Result<ExecOutput>> {
        loop {
            return match self.output.next().await? {
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    Some(Ok(ExecOutput::Stdout(message.to_vec())))
                }
                Ok(LogOutput::StdErr { message }) => Some(Ok(ExecOutput::Stderr(message.to_vec()))),
                Ok(LogOutput::StdIn { .. }) => continue,
                Err(cause) => Some(Err(self.client.explain(&self.call(), cause))),
            };
        }
    }

    async fn input(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(input) = &mut self.input else {
            return Err(EngineError::Conflict { message: "standard input is closed".into() });
        };
        let written = if bytes.is_empty() {
            let ended = input.shutdown().await;
            self.input = None;
            ended
        } else {
            match input.write_all(bytes).await {
                Ok(()) => input.flush().await,
                Err(error) => Err(error),
            }
        };
        written.map_err(|error| self.client.explain(&self.call(), error.into()))
    }

    async fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        let size = ResizeExecOptionsBuilder::new().w(columns.into()).h(rows.into()).build();
        self.client.ask(self.call(), self.client.api.resize_exec(&self.id, size)).await
    }

    async fn exit_code(&mut self) -> Result<i64> {
        Self::code(&self.client, &self.id, &self.call()).await
    }
}
