//! The version before on a host, and what is looked at before and after.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::host::{Host, Said, docker, run};

/// A host on which both versions work, the version before first.
pub struct Upgraded {
    pub host: Host,
    program: PathBuf,
}

impl Upgraded {
    pub fn new() -> Self {
        Self { host: Host::new(), program: program() }
    }

    /// A command of the version before, not started yet.
    pub fn command_before(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .env("ONCE_NAMESPACE", &self.host.namespace)
            .env("ONCE_HTTP_PORT", self.host.port.to_string());
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs a changing command of the version before.
    pub fn before(&self, args: &[&str]) -> Said {
        run(self.command_before(&[args, &["--json"]].concat()))
    }

    /// The container that serves an app.
    pub fn serving(&self, app: &str) -> String {
        let shown = self.host.once(&["show", app, "--json"]).json().remove(0);
        let name = shown["container"].as_str().unwrap_or_else(|| panic!("{shown:#}")).to_owned();
        assert_eq!(self.host.inspect(&name, "{{.State.Running}}"), "true", "{shown:#}");
        name
    }

    /// What an app answers at `/version`; `app` is the name that it was made with.
    pub fn version(&self, app: &str) -> (u16, String) {
        let (status, body) = self.host.get(&format!("{app}.localhost"), "/version");
        (status, body.trim().to_owned())
    }

    /// The rows of `once list --json`: name and state.
    pub fn listed(&self) -> Vec<(String, String)> {
        let said = self.host.once(&["list", "--json"]);
        assert_eq!(said.code, 0, "{said:#?}");
        rows(&said)
    }
}

/// Name and state of each row of `list --json`.
pub fn rows(said: &Said) -> Vec<(String, String)> {
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_else(|| panic!("{row:#}")).to_owned();
    said.json().iter().map(|row| (text(row, "name"), text(row, "state"))).collect()
}

/// Built by `bin/test` before the tests; here where only these are run.
fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(root.join("bin/before")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8(built.stdout).unwrap().trim().into()
}

/// Bytes that are no text, others for each seed.
pub fn bytes(seed: u8) -> Vec<u8> {
    (0..70_000_u32).map(|at| (at.wrapping_mul(31).wrapping_add(u32::from(seed)) >> 3) as u8).collect()
}

/// Writes a file into a container.
pub fn put(container: &str, path: &str, content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, content).unwrap();
    let output = Command::new("docker").arg("cp").arg(&file).arg(format!("{container}:{path}")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// Whether a file of a container holds just these bytes.
#[track_caller]
pub fn holds(container: &str, path: &str, content: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let output = Command::new("docker").arg("cp").arg(format!("{container}:{path}")).arg(&file).output().unwrap();
    assert!(output.status.success(), "{path} of {container}: {output:?}");
    assert!(std::fs::read(&file).unwrap() == content, "{path} of {container} has other bytes");
}

/// The volume that is mounted at a path of a container.
pub fn volume_at(container: &str, path: &str) -> String {
    let format =
        format!("{{{{range .Mounts}}}}{{{{if eq .Destination \"{path}\"}}}}{{{{.Name}}}}{{{{end}}}}{{{{end}}}}");
    docker(&["inspect", "--format", &format, container]).trim().to_owned()
}

/// Things on the engine without a label of ours. They go when the test ends, also when it failed.
pub struct Theirs {
    pub containers: Vec<String>,
    pub volumes: Vec<String>,
}

impl Drop for Theirs {
    fn drop(&mut self) {
        for name in &self.containers {
            docker(&["rm", "-f", "-v", name]);
        }
        for name in &self.volumes {
            for id in docker(&["ps", "-aq", "--filter", &format!("volume={name}")]).lines() {
                docker(&["rm", "-f", "-v", id]);
            }
            docker(&["volume", "rm", "-f", name]);
        }
    }
}
