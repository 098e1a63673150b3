//! A Docker engine of a test's own, beside the one of this machine: it can be restarted, and names on it are nobody else's.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::doomed::send;
use crate::host::{Host, eventually, run};

const LIMIT: Duration = Duration::from_secs(40);

/// A Docker engine with its own data, its own containerd and, in a network namespace of its own, its own rules and
/// addresses: nothing of it can get in the way of the machine's engine.
pub struct OwnEngine {
    directory: TempDir,
    daemon: Option<Child>,
    namespace: String,
}

impl OwnEngine {
    pub fn new(host: &Host) -> Self {
        let directory = tempfile::Builder::new().prefix("once-engine-").tempdir_in("/tmp").unwrap();
        std::fs::write(directory.path().join("config"), "{}").unwrap();
        for arguments in [&["netns", "add", &host.namespace][..], &["-n", &host.namespace, "link", "set", "lo", "up"]] {
            let done = Command::new("ip").args(arguments).status().unwrap();
            assert!(done.success(), "ip {arguments:?}");
        }
        let mut engine = Self { directory, daemon: None, namespace: host.namespace.clone() };
        engine.start();
        engine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn address(&self) -> String {
        format!("unix://{}", self.path("socket").display())
    }

    /// A program in the network namespace; `ip netns exec` would hide the cgroups too.
    pub fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg(program);
        command
    }

    pub fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.inside("dockerd");
        for (flag, name) in
            [("--config-file", "config"), ("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")]
        {
            command.arg(flag).arg(self.path(name));
        }
        command.args(["-H", &self.address()]);
        command.arg("--bridge=none");
        command.args(["--containerd-namespace", &self.namespace]);
        command.args(["--containerd-plugins-namespace", &format!("{}-plugins", self.namespace)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        eventually("the engine's start", LIMIT, || {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{}", std::fs::read_to_string(self.path("log")).unwrap());
            let answers = self.docker(&["version"]).status.success();
            answers.then_some(())
        });
    }

    /// As the machine's service manager does it.
    pub fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        send(daemon.id(), Signal::TERM);
        let limit = std::time::Instant::now() + LIMIT;
        while daemon.try_wait().unwrap().is_none() {
            if std::time::Instant::now() > limit {
                let _ = daemon.kill();
                let _ = daemon.wait();
                return;
            }
            crate::host::pause(Duration::from_millis(20));
        }
    }

    /// GET of a hostname's version through the proxy.
    pub fn version(&self, host: &Host, name: &str) -> (u16, String) {
        let mut command = self.inside("curl");
        command.args(["-s", "-m", "10", "-w", "\n%{http_code}"]);
        command.args(["-H", &format!("Host: {name}"), &format!("http://127.0.0.1:{}/version", host.port)]);
        let said = run(command).stdout;
        let (body, status) = said.rsplit_once('\n').unwrap_or(("", "0"));
        (status.parse().unwrap(), body.trim().to_owned())
    }

    pub fn docker(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker").args(["-H", &self.address()]).args(args).output().unwrap()
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        if self.daemon.is_some() {
            for (list, remove) in [
                (&["ps", "-aq"][..], &["rm", "-f", "-v"][..]),
                (&["network", "ls", "-q", "--filter", "type=custom"], &["network", "rm"]),
            ] {
                let output = self.docker(list);
                let ids = String::from_utf8_lossy(&output.stdout).into_owned();
                let ids: Vec<&str> = ids.split_whitespace().collect();
                if !ids.is_empty() {
                    self.docker(&[remove, &ids].concat());
                }
            }
        }
        self.stop();
        // What is left if it did not end in order: whatever names this directory, which nobody else does.
        for pid in processes_of(self.directory.path()) {
            send(pid, Signal::KILL);
        }
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).output();
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let prefix = self.directory.path().to_string_lossy().into_owned();
        let ours = mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|at| at.starts_with(&prefix));
        for mount in ours.collect::<Vec<_>>().into_iter().rev() {
            let _ = Command::new("umount").args(["-l", mount]).output();
        }
    }
}

/// Processes with a directory in their arguments.
fn processes_of(directory: &Path) -> Vec<u32> {
    let wanted = directory.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(&wanted)
    })
    .collect()
}
