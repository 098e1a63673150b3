//! PID 1 of the proxy's container: owns the listening sockets and never reads from them; starts the worker, starts it
//! again when it dies, reaps what is left behind by others.
//!
//! The sockets stay open when a worker dies: what connects meanwhile waits in their queues for the next one.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

/// What is supervised.
#[derive(Debug)]
pub struct Supervised {
    /// The program: usually `/proc/self/exe`.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Handed to it in this order, see [`inherited_listeners`].
    pub listeners: Vec<TcpListener>,
    /// How long it may take to end after SIGTERM before it is killed.
    pub grace: Duration,
}

/// As many connections wait to be accepted while a worker is started again.
const BACKLOG: i32 = 4096;
/// The first descriptor that is handed over, by the protocol of systemd's socket activation.
const FIRST_FD: i32 = 3;
/// Between a worker's death and the next one: doubled each time, back to the first after a life of [`GOOD_LIFE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// Listens on a port on all addresses, IPv4 and IPv6 with one socket where the kernel has IPv6. Port 0 takes a free one.
///
/// # Errors
///
/// The port is taken, or must not be taken by this user.
pub fn listen(port: u16) -> io::Result<TcpListener> {
    let dual = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match bind(dual, Domain::IPV6) {
        // IPv6 is switched off, one way or the other.
        Err(error) if is_without_ipv6(&error) => bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), Domain::IPV4),
        bound => bound,
    }
}

fn is_without_ipv6(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
    matches!(errno, Some(rustix::io::Errno::AFNOSUPPORT | rustix::io::Errno::ADDRNOTAVAIL))
}

fn bind(address: SocketAddr, domain: Domain) -> io::Result<TcpListener> {
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if domain == Domain::IPV6 {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The worker's end: the sockets it was started with, in their order. Empty if it was not started by [`supervise`] or
/// by socket activation. To be called once.
///
/// # Errors
///
/// A descriptor that was promised is not a listening TCP socket.
pub fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    let mut inherited = listenfd::ListenFd::from_env();
    (0..inherited.len())
        .map(|i| inherited.take_tcp_listener(i)?.ok_or_else(|| io::Error::other(format!("socket {i} is gone"))))
        .collect()
}

/// Runs until SIGTERM or SIGINT and the worker's end that follows; says what happens on `out`, a line each. Gives the exit
/// code. Reaps every child of this process: call it in a process that does nothing else.
///
/// # Errors
///
/// The first worker cannot be started, or signals cannot be had.
pub async fn supervise(supervised: Supervised, mut out: impl Write) -> io::Result<ExitCode> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut child = signal(SignalKind::child())?;
    let mut worker = supervised.start()?;
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            _ = term.recv() => return supervised.end(worker.pid, &mut child, &mut out).await,
            _ = int.recv() => return supervised.end(worker.pid, &mut child, &mut out).await,
            _ = child.recv() => {}
        }
        let Some(status) = reap(worker.pid) else { continue };
        if worker.started.elapsed() >= GOOD_LIFE {
            pause = FIRST_PAUSE;
        }
        writeln!(out, "worker {} ended: {status}; next in {} ms", worker.pid, pause.as_millis())?;
        worker = loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = term.recv() => return Ok(ExitCode::SUCCESS),
                _ = int.recv() => return Ok(ExitCode::SUCCESS),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            match supervised.start() {
                Ok(worker) => break worker,
                Err(error) => writeln!(out, "no worker: {error}; next try in {} ms", pause.as_millis())?,
            }
        };
        writeln!(out, "worker {} started", worker.pid)?;
    }
}

struct Worker {
    pid: i32,
    started: Instant,
}

impl Supervised {
    fn start(&self) -> io::Result<Worker> {
        let mut command = Command::new(&self.program);
        let mappings = self
            .listeners
            .iter()
            .zip(FIRST_FD..)
            .map(|(listener, child_fd)| Ok(FdMapping { parent_fd: OwnedFd::from(listener.try_clone()?), child_fd }))
            .collect::<io::Result<Vec<_>>>()?;
        command
            .args(&self.arguments)
            .env("LISTEN_FDS", mappings.len().to_string())
            // Which is only known after the fork, where nothing may be allocated; its absence means "for you".
            .env_remove("LISTEN_PID")
            .fd_mappings(mappings)
            .map_err(io::Error::other)?;
        // Waited for with all the others, by `reap`.
        let pid = command.spawn()?.id().try_into().map_err(io::Error::other)?;
        Ok(Worker { pid, started: Instant::now() })
    }

    /// Lets the worker end, for as long as it may take.
    async fn end(
        &self,
        worker: i32,
        child: &mut tokio::signal::unix::Signal,
        out: &mut impl Write,
    ) -> io::Result<ExitCode> {
        send(worker, Signal::TERM);
        let ended = async {
            loop {
                if let Some(status) = reap(worker) {
                    return status;
                }
                child.recv().await;
            }
        };
        match tokio::time::timeout(self.grace, ended).await {
            Ok(status) => {
                Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
            }
            Err(_) => {
                writeln!(out, "worker {worker} did not end within {} s", self.grace.as_secs())?;
                send(worker, Signal::KILL);
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

/// It is only reaped here, so that the id cannot be another process's yet.
fn send(worker: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(worker) {
        let _ = kill_process(pid, signal);
    }
}

/// Takes note of all ended children. The worker's end, if it is among them.
fn reap(worker: i32) -> Option<ExitStatus> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid.as_raw_pid() == worker {
            ended = Some(std::os::unix::process::ExitStatusExt::from_raw(status.as_raw()));
        }
    }
    ended
}
