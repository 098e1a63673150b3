//! Runs the real binary in an environment that holds nothing of ours: no engine, no configuration, no terminal.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// Far above what any of these takes; a command that hangs is a failure.
const LIMIT: Duration = Duration::from_secs(60);

pub const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

/// A run to be.
pub struct Once {
    pub home: TempDir,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Once {
    pub fn new() -> Self {
        Self { home: TempDir::new().unwrap(), env: Vec::new(), stdin: Vec::new() }.env("DOCKER_HOST", NO_ENGINE)
    }

    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.retain(|(k, _)| k != key);
        self.env.push((key.into(), value.into()));
        self
    }

    pub fn stdin(mut self, bytes: &[u8]) -> Self {
        self.stdin = bytes.to_vec();
        self
    }

    /// A file in the directory the command runs in.
    pub fn file(self, name: &str, bytes: &[u8]) -> Self {
        std::fs::write(self.path().join(name), bytes).unwrap();
        self
    }

    pub fn path(&self) -> &Path {
        self.home.path()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_once"));
        command.env_clear().env("HOME", self.path()).current_dir(self.path()).timeout(LIMIT);
        command.envs(self.env.iter().map(|(k, v)| (k, v))).write_stdin(self.stdin.clone());
        let output = command.args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Ran {
            code: output.status.code().expect("ended by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ran {
    /// The last line of standard output, which with `--json` is always `finished`.
    pub fn finished(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_else(|| panic!("nothing on standard output: {self:?}"));
        let value: Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {last}"));
        assert_eq!(value["event"], "finished", "{last}");
        value
    }
}
