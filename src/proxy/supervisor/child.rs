//! A worker as the supervisor's child.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use super::Supervised;
use crate::parent::{Line, NOTE, SUPERVISOR, TAKE_OVER, VERSION};

/// The first descriptor that is handed over, by the protocol of systemd's socket activation.
const FIRST_FD: i32 = 3;

pub(super) struct Worker {
    pub(super) pid: i32,
    pub(super) started: Instant,
    pub(super) line: Line,
    /// The newer program it runs; `None`: the image's own.
    pub(super) newer: Option<String>,
    pub(super) ready: bool,
}

impl Supervised {
    /// Starts a worker: on all sockets, with a line to here in the place of its standard input.
    pub(super) fn start(
        &self,
        program: &Path,
        newer: Option<String>,
        note: Option<&str>,
        relieves: bool,
    ) -> io::Result<Worker> {
        let mut command = Command::new(program);
        let mappings = self
            .listeners
            .iter()
            .zip(FIRST_FD..)
            .map(|(listener, child_fd)| Ok(FdMapping { parent_fd: OwnedFd::from(listener.try_clone()?), child_fd }))
            .collect::<io::Result<Vec<_>>>()?;
        let (line, stdin) = Line::pair()?;
        command
            .args(&self.arguments)
            .stdin(stdin)
            .env(SUPERVISOR, VERSION.to_string())
            .env("LISTEN_FDS", mappings.len().to_string())
            // Which is only known after the fork, where nothing may be allocated; its absence means "for you".
            .env_remove("LISTEN_PID")
            .env_remove(TAKE_OVER)
            .env_remove(NOTE)
            .envs(relieves.then_some((TAKE_OVER, "1")).into_iter().chain(note.map(|note| (NOTE, note))))
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        // Waited for with all the others, by `reap`.
        let pid = command.spawn()?.id().try_into().map_err(io::Error::other)?;
        Ok(Worker { pid, started: Instant::now(), line, newer, ready: false })
    }
}

/// They are only reaped here, so that the id cannot be another process's yet.
pub(super) fn send(worker: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(worker) {
        let _ = kill_process(pid, signal);
    }
}
