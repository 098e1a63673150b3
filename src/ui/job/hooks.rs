//! The hooks of a person's own: programs in `hooks/` of the config directory, run by the detached process.
//!
//! They get variables that name the deploy and none of its secrets, and of the caller's environment only what programs
//! need to find their way: what a secret was taken from is not passed on.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use once_app::{Hook, HookError, Hooks};

/// Shares the lock of a deploy with the commands that its hooks start.
pub const LEASE: &str = "ONCE_LEASE";

/// Set for hooks: what they start runs no hooks.
pub(crate) const HOOK: &str = "ONCE_HOOK";

/// Where the config directory is, if not at its usual place.
const CONFIG_DIR: &str = "ONCE_CONFIG_DIR";

/// How long a hook may take: the app is locked meanwhile.
const LIMIT: Duration = Duration::from_mins(10);

/// How long what a hook left behind may hold its output open.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The longest line of a hook that is shown whole, bytes.
const LONGEST: u64 = 16 << 10;

/// What programs need to find their way, and `once` to find the same engine.
const PASSED_ON: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "ONCE_HTTP_PORT",
    "ONCE_HTTPS_PORT",
    CONFIG_DIR,
    "CI",
];

/// Programs in a directory.
#[derive(Debug, Clone)]
pub struct LocalHooks {
    dir: PathBuf,
    /// The engine's address as given; `None`: as the environment says.
    on: Option<String>,
    limit: Duration,
}

impl LocalHooks {
    /// Those of the config directory; `None`: there is no such directory, or this runs inside of a hook.
    pub fn find(on: Option<&str>) -> Option<Self> {
        if std::env::var_os(HOOK).is_some() {
            return None;
        }
        let config = match std::env::var_os(CONFIG_DIR).filter(|dir| !dir.is_empty()) {
            Some(dir) => PathBuf::from(dir),
            None => directories::ProjectDirs::from("", "", "once")?.config_dir().to_owned(),
        };
        Some(Self { dir: config.join("hooks"), on: on.map(str::to_owned), limit: LIMIT })
    }

    fn program(&self, hook: Hook) -> PathBuf {
        self.dir.join(hook.name())
    }

    fn command(&self, hook: Hook, variables: &[(&'static str, String)]) -> Command {
        let mut command = Command::new(self.program(hook));
        command.env_clear().envs(PASSED_ON.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.envs(self.on.iter().map(|on| ("DOCKER_HOST", on)));
        command.env(HOOK, hook.name()).envs(variables.iter().map(|(name, value)| (*name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that whatever it starts ends with it.
        command.process_group(0).kill_on_drop(true);
        command
    }
}

#[async_trait]
impl Hooks for LocalHooks {
    fn has(&self, hook: Hook) -> bool {
        // One that may not be run is there too: that is told when it is tried.
        self.program(hook).exists()
    }

    async fn run(
        &self,
        hook: Hook,
        variables: &[(&'static str, String)],
        say: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), HookError> {
        let path = self.program(hook).display().to_string();
        let not_started = |message: String| HookError::Start { path: path.clone(), message };
        let runnable = std::fs::metadata(self.program(hook)).map(|m| m.permissions().mode() & 0o111 != 0);
        if !runnable.map_err(|e| not_started(e.to_string()))? {
            return Err(not_started(format!("it is not executable; `chmod +x {path}` makes it so")));
        }
        let mut child = self.command(hook, variables).spawn().map_err(|e| not_started(e.to_string()))?;
        let group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let ended = async {
            let mut reading = std::pin::pin!(async { tokio::join!(pass_on(out, say), pass_on(err, say)) });
            tokio::select! {
                biased;
                _ = &mut reading => child.wait().await,
                status = child.wait() => {
                    // What it left behind may hold its output open.
                    drop(group);
                    tokio::time::timeout(LAST_WORDS, &mut reading).await.ok();
                    status
                }
            }
        };
        match tokio::time::timeout(self.limit, ended).await {
            Err(_) => Err(HookError::TooLong { path, seconds: self.limit.as_secs() }),
            Ok(Err(error)) => Err(not_started(error.to_string())),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(HookError::Failed { path, end: told(status) }),
        }
    }
}

fn told(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// The processes of a hook, ended when this is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // One whose processes are all gone is fine.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

async fn pass_on(output: Option<impl AsyncRead + Unpin>, say: &(dyn Fn(String) + Send + Sync)) {
    let Some(output) = output else { return };
    let mut reader = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        // Longer ones come in pieces.
        match (&mut reader).take(LONGEST).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => say(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn hooks(script: &str, limit: Duration) -> (tempfile::TempDir, LocalHooks) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pre-deploy");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let hooks = LocalHooks { dir: dir.path().to_owned(), on: Some("ssh://root@web-1".into()), limit };
        (dir, hooks)
    }

    async fn run(hooks: &LocalHooks) -> (Result<(), String>, Vec<String>) {
        let said = Mutex::new(Vec::new());
        let say = |line| said.lock().unwrap().push(line);
        let ended = hooks.run(Hook::PreDeploy, &[("ONCE_APP", "shop".into())], &say).await;
        (ended.map_err(|e| e.to_string()), said.into_inner().unwrap())
    }

    #[tokio::test]
    async fn a_hook_is_told_what_it_needs_and_nothing_else() {
        let (_dir, hooks) = hooks("env | cut -d= -f1 | sort; echo $ONCE_APP $ONCE_HOOK $DOCKER_HOST; exit 3", LIMIT);
        let (ended, said) = run(&hooks).await;
        assert!(ended.unwrap_err().ends_with("pre-deploy ended with exit code 3"));
        assert!(said.contains(&"shop pre-deploy ssh://root@web-1".to_owned()), "{said:?}");
        // What cargo hands to tests is not among what is passed on.
        assert!(std::env::vars().any(|(name, _)| name == "CARGO_MANIFEST_DIR"));
        assert!(!said.contains(&"CARGO_MANIFEST_DIR".to_owned()), "{said:?}");
    }

    #[tokio::test]
    async fn a_hook_that_takes_too_long_ends_with_all_it_started() {
        let (dir, hooks) = hooks("sleep 600 & echo $! > \"$0.pid\"; echo waiting; wait", Duration::from_millis(500));
        let (ended, said) = run(&hooks).await;
        assert!(ended.unwrap_err().contains("was ended after"), "{said:?}");
        let pid = std::fs::read_to_string(dir.path().join("pre-deploy.pid")).unwrap();
        let gone =
            || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).map_or(true, |s| s.contains(") Z "));
        while !gone() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_that_cannot_be_run_is_an_error_and_none_is_none() {
        let (dir, hooks) = hooks("exit 0", LIMIT);
        assert_eq!(run(&hooks).await, (Ok(()), vec![]));
        assert!(hooks.has(Hook::PreDeploy) && !hooks.has(Hook::PostDeploy));
        std::fs::set_permissions(dir.path().join("pre-deploy"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(run(&hooks).await.0.unwrap_err().contains("chmod +x"));
    }
}
