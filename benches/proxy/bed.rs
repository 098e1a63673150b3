//! A folder, and the processes that are measured in it. Both end with the [`Bed`].

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// The name that all requests ask for; it resolves here, so that `wrk` can say it in its handshakes.
pub const HOST: &str = "localhost";
/// The files of the upstream, and their sizes.
pub const FILES: [(&str, usize); 2] = [("1k", 1024), ("64k", 65536)];

/// Somebody who answers.
pub struct Server {
    pub name: &'static str,
    pub http: SocketAddr,
    pub https: Option<SocketAddr>,
    pub pids: Vec<u32>,
    /// Who works for it.
    pub beside: Vec<u32>,
}

pub struct Bed {
    pub folder: PathBuf,
    pub pinned: bool,
    /// A certificate for [`HOST`] and its key, in PEM.
    pub pair: (String, String),
    children: Vec<Child>,
}

impl Bed {
    pub fn new(pinned: bool) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("once-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        for (name, size) in FILES {
            fs::write(folder.join(name), vec![b'x'; size])?;
        }
        let pair = certificate(&folder).map_err(io::Error::other)?;
        Ok(Self { folder, pinned, pair, children: Vec::new() })
    }

    /// For processes beside, which end with it.
    pub fn beside(&self, name: &str) -> io::Result<Self> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, pinned: self.pinned, pair: self.pair.clone(), children: Vec::new() })
    }

    /// Threads or workers of a proxy.
    pub fn threads(&self) -> usize {
        if self.pinned { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }

    /// A command that runs on a core of its own, or on that of the load, if cores are pinned.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>, of_proxy: bool) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["-c", if of_proxy { "0" } else { "1" }]).arg(program);
        command
    }

    /// Starts a process whose output goes to a file; it ends with this. Gives its id.
    pub fn spawn(&mut self, mut command: Command, log: &str) -> io::Result<u32> {
        let log = OpenOptions::new().create(true).append(true).open(self.folder.join(log))?;
        let errors = OpenOptions::new().create(true).append(true).open(self.folder.join("errors.log"))?;
        let started = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{:?}: {error}", command.get_program()));
        let child = started.map_err(named)?;
        let pid = child.id();
        self.children.push(child);
        Ok(pid)
    }

    /// Ends what was started, the last first.
    pub fn end_all(&mut self) {
        for mut child in self.children.drain(..).rev() {
            if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
                // Masters take their workers with them only when they are asked.
                let _ = kill_process(pid, Signal::TERM);
            }
            let _ = child.wait();
        }
    }

    /// Empties the access logs, so that the disk does not fill.
    pub fn trim_logs(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "log") {
                OpenOptions::new().write(true).open(&path)?.set_len(0)?;
            }
        }
        Ok(())
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.end_all();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Gives `cert.pem` and `key.pem`, and writes them, and both in one file as HAProxy wants them; ECDSA P-256.
fn certificate(folder: &Path) -> Result<(String, String), Box<dyn std::error::Error + Send + Sync>> {
    let key = KeyPair::generate()?;
    let (chain, key) = (CertificateParams::new(vec![HOST.to_owned()])?.self_signed(&key)?.pem(), key.serialize_pem());
    fs::write(folder.join("cert.pem"), &chain)?;
    fs::write(folder.join("key.pem"), &key)?;
    fs::write(folder.join("both.pem"), format!("{chain}{key}"))?;
    Ok((chain, key))
}

/// The program that is measured.
pub fn binary() -> io::Result<OsString> {
    std::env::var_os("ONCE_BINARY").ok_or_else(|| io::Error::other("ONCE_BINARY is not set"))
}

/// An address of the loopback at a port that is ours until we end.
pub fn free() -> io::Result<SocketAddr> {
    Ok(SocketAddr::from(([127, 0, 0, 1], crate::ports::free()?)))
}

/// There is no runtime here that this could hold up.
#[expect(clippy::disallowed_methods, reason = "the benchmark has threads of its own, and no runtime")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until somebody listens.
pub fn reachable(address: SocketAddr) -> io::Result<()> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match TcpStream::connect(address) {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() > end => {
                return Err(io::Error::new(error.kind(), format!("nobody listens at {address}: {error}")));
            }
            Err(_) => pause(Duration::from_millis(1)),
        }
    }
}

/// Waits for a process's children, which do its work: it and them.
pub fn with_children(pid: u32, count: usize) -> io::Result<Vec<u32>> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let list = Path::new("/proc").join(pid.to_string()).join("task").join(pid.to_string()).join("children");
        let list = fs::read_to_string(list)?;
        let pids: Vec<u32> =
            std::iter::once(pid).chain(list.split_whitespace().filter_map(|p| p.parse().ok())).collect();
        if pids.len() > count {
            return Ok(pids);
        }
        if has_ended(pid)? {
            return Err(io::Error::other(format!("process {pid} ended before it had started {count} others")));
        }
        if Instant::now() > end {
            return Err(io::Error::other(format!("process {pid} has not started {count} others")));
        }
        pause(Duration::from_millis(1));
    }
}

/// Whether all that is left of a process is its exit code. Of a child, it stays until somebody asks for it.
fn has_ended(pid: u32) -> io::Result<bool> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// Thousands of connections need as many descriptors, here and in what is started.
pub fn raise_limits() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    Ok(())
}
