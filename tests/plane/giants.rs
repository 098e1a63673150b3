//! Bodies larger than the memory there is, through the program as it is installed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::supervisors::children;

const SIZE: u64 = 2 << 30;
const PIECE: usize = 256 << 10;
/// What the proxy may need more than before: buffers, never a body.
const ROOM: u64 = 8 << 20;
/// For both ways, on a slow machine that does other things meanwhile.
const LIMIT: Duration = Duration::from_secs(180);

/// So long that no piece begins where another does.
const PERIOD: usize = 251;

/// What a body's bytes are, from any place on.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        Self((0..PERIOD + PIECE).map(|i| (i % PERIOD) as u8).collect())
    }

    fn at(&self, place: u64, length: usize) -> &[u8] {
        &self.0[(place % PERIOD as u64) as usize..][..length]
    }

    fn write(&self, to: &mut TcpStream, size: u64) {
        let mut place = 0;
        while place < size {
            let length = PIECE.min((size - place) as usize);
            to.write_all(self.at(place, length)).unwrap();
            place += length as u64;
        }
    }

    /// Reads that many bytes and compares them.
    fn read(&self, from: &mut TcpStream, size: u64) {
        let (mut place, mut buffer) = (0, vec![0; PIECE]);
        while place < size {
            let most = PIECE.min((size - place) as usize);
            let read = from.read(&mut buffer[..most]).unwrap();
            assert!(read > 0, "it ends after {place} bytes");
            assert!(buffer[..read] == *self.at(place, read), "other bytes behind {place}");
            place += read as u64;
        }
    }
}

fn head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// An app that takes and gives bodies of any length, and looks at each byte.
fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let pattern = Pattern::new();
                let asked = head(&mut stream);
                let size: u64 = asked.split(['/', ' ']).nth(2).unwrap().parse().unwrap();
                let length = if asked.starts_with("post ") {
                    pattern.read(&mut stream, size);
                    0
                } else {
                    size
                };
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n").unwrap();
                pattern.write(&mut stream, length);
            });
        }
    });
    address
}

/// Supervisor and worker, in processes of their own.
struct Proxy {
    supervisor: Child,
    worker: u32,
    http: SocketAddr,
    _state: TempDir,
}

/// Supervisor, worker, and where they listen.
fn start(state: &Path) -> (Child, u32, SocketAddr) {
    let [http, https] = [(); 2].map(|()| crate::ports::free().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_once"));
    command.args(["proxy", "run", "--state"]).arg(state);
    command.args(["--http", &http.to_string(), "--https", &https.to_string()]);
    let mut supervisor = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Its worker comes after its sockets.
    loop {
        if let Some(worker) = children(supervisor.id()).first() {
            return (supervisor, worker.cast_unsigned(), SocketAddr::from(([127, 0, 0, 1], http)));
        }
        assert_eq!(supervisor.try_wait().unwrap(), None, "it has ended");
        std::thread::yield_now();
    }
}

impl Proxy {
    fn before(app: SocketAddr) -> Self {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir(state.path().join("apps")).unwrap();
        let epoch = "2026-01-01T00:00:00Z";
        let record = json!({
            "schema": 1, "id": "giant", "name": "giant", "revision": 1, "state": { "state": "running" },
            "serving": 1, "next_release": 2, "created_at": epoch,
            "generated": { "secret_key_base": "0", "vapid_public_key": "0", "vapid_private_key": "0" },
            "releases": [{
                "number": 1, "op": "0", "image": { "digest": null, "id": "sha256:1" },
                "settings": { "image": "giant", "hosts": ["giant.test"] },
                "container": app.ip().to_string(), "port": app.port(), "created_at": epoch,
                "by": { "user": "test", "host": "test", "command": "deploy" }, "status": { "status": "serving" },
            }],
        });
        std::fs::write(state.path().join("apps/giant.json"), record.to_string()).unwrap();
        let (supervisor, worker, http) = start(state.path());
        let proxy = Self { supervisor, worker, http, _state: state };
        proxy.send("GET", 1000);
        proxy
    }

    /// A body of that size in one direction.
    fn send(&self, method: &str, size: u64) {
        let end = Instant::now() + LIMIT;
        let mut stream = loop {
            match TcpStream::connect(self.http) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        let (up, down) = if method == "POST" { (size, 0) } else { (0, size) };
        write!(stream, "{method} /{size} HTTP/1.1\r\nHost: giant.test\r\nContent-Length: {up}\r\n\r\n").unwrap();
        let pattern = Pattern::new();
        pattern.write(&mut stream, up);
        let answer = head(&mut stream);
        assert!(answer.starts_with("http/1.1 200 "), "{answer}");
        pattern.read(&mut stream, down);
    }

    /// What the kernel says of the worker, in bytes: `VmHWM`, `RssAnon`.
    fn memory(&self, what: &str) -> u64 {
        memory(self.worker, what).unwrap()
    }
}

fn memory(pid: u32, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // In this order, or it starts another one.
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        if let Some(worker) = Pid::from_raw(self.worker.cast_signed()) {
            let _ = kill_process(worker, Signal::KILL);
        }
    }
}

/// Looks at a process's anonymous memory all the time; the most there was.
struct Watched {
    over: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Watched {
    fn begin(pid: u32) -> Self {
        let (over, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (end, seen) = (Arc::clone(&over), Arc::clone(&most));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                seen.fetch_max(memory(pid, "RssAnon").unwrap_or(0), Ordering::Relaxed);
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        Self { over, most, thread }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.most.load(Ordering::Relaxed)
    }
}

#[test]
fn two_gibibytes_go_up_and_down_in_constant_memory() {
    let begun = Instant::now();
    let proxy = Proxy::before(app());
    // What buffers there are, there are after this.
    for method in ["POST", "GET"] {
        proxy.send(method, 64 << 20);
    }
    for method in ["POST", "GET"] {
        std::fs::write(format!("/proc/{}/clear_refs", proxy.worker), "5").unwrap();
        let (peak, anonymous) = (proxy.memory("VmHWM"), proxy.memory("RssAnon"));
        let watched = Watched::begin(proxy.worker);
        proxy.send(method, SIZE);
        let (most, grown) = (watched.end(), proxy.memory("VmHWM").saturating_sub(peak));
        let anonymous_grown = most.saturating_sub(anonymous);
        println!(
            "{method}: the peak of {} KiB grew by {} KiB, {} KiB of anonymous memory by {} KiB",
            peak >> 10,
            grown >> 10,
            anonymous >> 10,
            anonymous_grown >> 10
        );
        assert!(grown < ROOM, "{method}: the peak grew by {} KiB", grown >> 10);
        assert!(anonymous_grown < ROOM, "{method}: anonymous memory grew by {} KiB", anonymous_grown >> 10);
    }
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
}
