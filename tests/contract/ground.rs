//! What a case stands on.

use std::collections::BTreeMap;
use std::time::Duration;

use once_app::Namespace;
use once_app::engine::{ContainerSpec, Engine, ExecOutput, ExecSpec};

use crate::support::bed::{self, Bed};
use crate::support::bounded;
use crate::support::fake_engine::FakeEngine;

/// An engine, a namespace on it, and the tag of an image that runs the probe.
pub struct Ground<'a> {
    pub engine: &'a dyn Engine,
    pub namespace: &'a Namespace,
    pub image: &'a str,
}

pub async fn on_fake(case: impl AsyncFnOnce(Ground<'_>)) {
    let (engine, namespace) = (FakeEngine::new(), "tfake".parse().unwrap());
    let image = bed::prepare(&engine, &namespace).await;
    bounded(case(Ground { engine: &engine, namespace: &namespace, image: &image })).await;
}

pub async fn on_real(case: impl AsyncFnOnce(Ground<'_>)) {
    let bed = Bed::new();
    bounded(async {
        let docker = bed.docker().await;
        let image = bed.image(&docker).await;
        case(Ground { engine: &docker, namespace: &bed.namespace, image: &image }).await;
    })
    .await;
}

pub const GRACE: Duration = Duration::from_secs(5);

impl Ground<'_> {
    pub fn name(&self, what: &str) -> String {
        bed::name(self.namespace, what)
    }

    pub fn labels(&self, role: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        bed::labels(self.namespace, role, more)
    }

    /// A container of the probe with these words as its command.
    pub fn spec(&self, what: &str, words: &str) -> ContainerSpec {
        ContainerSpec { command: Some(bed::words(words)), ..bed::container(self.namespace, what, self.image) }
    }

    /// Creates one; its id.
    pub async fn created(&self, what: &str, words: &str) -> String {
        self.engine.create(&self.spec(what, words)).await.unwrap()
    }

    /// Creates and starts one; its id.
    pub async fn started(&self, what: &str, words: &str) -> String {
        let id = self.created(what, words).await;
        self.engine.start(&id).await.unwrap();
        id
    }

    /// Creates and starts one and waits for its end; its id.
    pub async fn ended(&self, what: &str, words: &str) -> String {
        let id = self.started(what, words).await;
        self.engine.wait(&id).await.unwrap();
        id
    }

    /// Runs the probe in a container; both streams and the exit code.
    pub async fn exec(&self, container: &str, words: &str) -> (String, String, i64) {
        let argv = bed::words(&format!("/once {words}"));
        let spec = ExecSpec { container: container.to_owned(), argv, tty: None, stdin: false };
        let mut session = self.engine.exec(&spec).await.unwrap();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        while let Some(piece) = session.output().await {
            match piece.unwrap() {
                ExecOutput::Stdout(bytes) => stdout.extend(bytes),
                ExecOutput::Stderr(bytes) => stderr.extend(bytes),
            }
        }
        let code = session.exit_code().await.unwrap();
        (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), code)
    }
}
