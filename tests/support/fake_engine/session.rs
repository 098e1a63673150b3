//! A command in a container of the fake.

use std::collections::VecDeque;

use async_trait::async_trait;
use once::app::engine::{EngineError, ExecOutput, ExecSession, ExecSpec};

use super::FakeEngine;
use super::program;

pub struct Session {
    pub engine: FakeEngine,
    pub container: String,
    pub spec: ExecSpec,
    pub input: Vec<u8>,
    pub open: bool,
    pub output: Option<(VecDeque<ExecOutput>, i64)>,
}

impl Session {
    /// Standard input comes as a whole, so what reads it runs once it is closed.
    fn run(&mut self) {
        let reads = self.spec.argv.iter().any(|word| word == "echo");
        if (self.open && reads) || self.output.is_some() {
            return;
        }
        // The probe is `/once` in its images; nothing else is in them.
        let Some(("/once", rest)) = self.spec.argv.split_first().map(|(word, rest)| (word.as_str(), rest)) else {
            let words = ExecOutput::Stdout(b"no such file or directory\n".to_vec());
            self.output = Some((VecDeque::from([words]), 126));
            return;
        };
        let mut rest = rest.to_vec();
        if rest.first().is_some_and(|word| word == "terminal") {
            rest = vec!["say".into(), self.spec.tty.is_some().to_string()];
        }
        let ran = program::run(&mut self.engine.lock(), &self.container, &rest, &self.input);
        let newline = if self.spec.tty.is_some() { "\r\n" } else { "\n" };
        let output = ran.lines.into_iter().map(|(stderr, text)| {
            let bytes = format!("{text}{newline}").into_bytes();
            if stderr && self.spec.tty.is_none() { ExecOutput::Stderr(bytes) } else { ExecOutput::Stdout(bytes) }
        });
        self.output = Some((output.collect(), ran.ends.unwrap_or(0)));
    }
}

#[async_trait]
impl ExecSession for Session {
    async fn output(&mut self) -> Option<Result<ExecOutput, EngineError>> {
        self.run();
        match &mut self.output {
            Some((output, _)) => output.pop_front().map(Ok),
            None => std::future::pending().await,
        }
    }

    async fn input(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        if !self.open {
            return Err(EngineError::Conflict { message: "standard input is closed".into() });
        }
        self.input.extend_from_slice(bytes);
        self.open = !bytes.is_empty();
        Ok(())
    }

    async fn resize(&mut self, _: u16, _: u16) -> Result<(), EngineError> {
        Ok(())
    }

    async fn exit_code(&mut self) -> Result<i64, EngineError> {
        self.run();
        match &self.output {
            Some((_, code)) => Ok(*code),
            None => std::future::pending().await,
        }
    }
}
