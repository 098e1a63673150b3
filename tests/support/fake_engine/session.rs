//! A command in a container of the fake.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use once_app::engine::{EngineError, ExecInput, ExecOutput, ExecSession, ExecSpec};

use super::FakeEngine;
use super::program;

pub struct Session {
    pub engine: FakeEngine,
    pub container: String,
    pub spec: ExecSpec,
    pub input: Arc<Mutex<Given>>,
    pub output: Option<(VecDeque<ExecOutput>, i64)>,
    pub refusal: Option<String>,
}

/// What standard input was given so far.
#[derive(Default)]
pub struct Given {
    pub bytes: Vec<u8>,
    pub open: bool,
    pub taken: bool,
}

struct Input(Arc<Mutex<Given>>);

impl Session {
    /// Standard input comes as a whole, so what reads it runs once it is closed.
    fn run(&mut self) {
        let reads = self.spec.argv.iter().any(|word| word == "echo");
        let (input, open) = {
            let given = self.input.lock().unwrap();
            (given.bytes.clone(), given.open)
        };
        if (open && reads) || self.output.is_some() {
            return;
        }
        // The probe is `/once` in its images; nothing else is in them.
        let Some(("/once", rest)) = self.spec.argv.split_first().map(|(word, rest)| (word.as_str(), rest)) else {
            self.refusal = Some("no such file or directory".to_owned());
            self.output = Some((VecDeque::new(), 126));
            return;
        };
        let mut rest = rest.to_vec();
        if rest.first().is_some_and(|word| word == "terminal") {
            rest = vec!["say".into(), self.spec.tty.is_some().to_string()];
        }
        let ran = program::run(&mut self.engine.lock(), &self.container, &rest, &input);
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

    fn take_input(&mut self) -> Option<Box<dyn ExecInput>> {
        let mut given = self.input.lock().unwrap();
        let first = given.open && !std::mem::replace(&mut given.taken, true);
        first.then(|| Box::new(Input(Arc::clone(&self.input))) as Box<dyn ExecInput>)
    }

    async fn resize(&mut self, _: u16, _: u16) -> Result<(), EngineError> {
        Ok(())
    }

    fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    async fn exit_code_now(&mut self) -> Result<Option<i64>, EngineError> {
        self.run();
        Ok(self.output.as_ref().map(|(_, code)| *code))
    }

    async fn exit_code(&mut self) -> Result<i64, EngineError> {
        self.run();
        match &self.output {
            Some((_, code)) => Ok(*code),
            None => std::future::pending().await,
        }
    }
}

#[async_trait]
impl ExecInput for Input {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        let mut given = self.0.lock().unwrap();
        if !given.open {
            return Err(EngineError::Conflict { message: "standard input is closed".into() });
        }
        given.bytes.extend_from_slice(bytes);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), EngineError> {
        self.0.lock().unwrap().open = false;
        Ok(())
    }
}
