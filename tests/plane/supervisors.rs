//! The supervisor, in a process of its own as it reaps every child; the worker is this binary once more.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use once_proxy::binaries::Binaries;
use once_proxy::plane::{Plane, PlaneOptions, Timeouts};
use once_proxy::supervisor::{Supervised, inherited_listeners, listen, supervise};
use rustix::process::{Pid, Signal, kill_process};
use tokio_util::sync::CancellationToken;

use crate::support::{PATIENCE, request};

const ROLE: &str = "ONCE_TEST_ROLE";

fn role(role: &str, test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

fn is(role: &str) -> bool {
    std::env::var(ROLE).is_ok_and(|is| is == role)
}

#[test]
#[ignore = "started by the tests below as their supervisor"]
fn supervisor_process() {
    if !is("supervisor") {
        return;
    }
    // Orphans come to it, as they do to PID 1.
    rustix::process::set_child_subreaper(rustix::process::Pid::from_raw(1)).unwrap();
    let listeners = vec![listen(0).unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let port = listeners[0].local_addr().unwrap().port();
    let worker = role("worker", "supervisors::worker_process");
    // A worker asks for its own role; the supervisor's environment is what it inherits.
    let supervised = Supervised {
        program: "/usr/bin/env".into(),
        arguments: std::iter::once(format!("{ROLE}=worker").into())
            .chain(std::iter::once(worker.get_program().to_owned()))
            .chain(worker.get_args().map(Into::into))
            .collect(),
        listeners,
        grace: Duration::from_secs(5),
        binaries: Binaries::of(std::path::Path::new("/nonexistent")),
    };
    println!("\nport {port}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let code = runtime.block_on(supervise(supervised, std::io::stdout())).unwrap();
    println!("supervisor ends: {code:?}");
}

#[test]
#[ignore = "started by the tests below as their worker"]
fn worker_process() {
    if !is("worker") {
        return;
    }
    let mut listeners = inherited_listeners().unwrap();
    assert_eq!(listeners.len(), 2);
    // Leaves a child behind that ends later: PID 1 has to take note of it.
    Command::new("sh").args(["-c", "sleep 0.2 &"]).stdout(Stdio::null()).status().unwrap();
    let timeouts = Timeouts { lame_duck: Duration::from_millis(50), ..Timeouts::default() };
    let plane = Plane::new(PlaneOptions { threads: 1, timeouts, ..PlaneOptions::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
        let stop = CancellationToken::new();
        let serving = plane.serve(listeners.remove(0), stop.clone()).unwrap();
        println!("\nworking {}", std::process::id());
        term.recv().await;
        stop.cancel();
        serving.finished().await;
        println!("\nworker ends");
    });
}

/// Dropping it kills the supervisor and the worker of its own, whatever happened.
struct Running {
    supervisor: Child,
    worker: Option<i32>,
    lines: Receiver<String>,
}

impl Running {
    fn start() -> Self {
        let mut command = role("supervisor", "supervisors::supervisor_process");
        let mut supervisor = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let out = BufReader::new(supervisor.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = writeln!(std::io::stderr(), "supervisor: {line}");
                let _ = send.send(line);
            }
        });
        Self { supervisor, worker: None, lines }
    }

    fn wait_for(&mut self, start: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("never: {start}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim().to_owned();
            }
        }
    }

    fn wait_for_worker(&mut self) -> i32 {
        let pid = self.wait_for("working ").parse().unwrap();
        self.worker = Some(pid);
        pid
    }

    fn wait_for_end(&mut self) {
        let end = Instant::now() + PATIENCE;
        while self.supervisor.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "the supervisor does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.supervisor.kill();
        let _ = self.supervisor.wait();
        if let Some(worker) = self.worker.and_then(Pid::from_raw)
            && std::fs::read_link(format!("/proc/{}/exe", worker.as_raw_pid())).ok() == std::env::current_exe().ok()
        {
            let _ = kill_process(worker, Signal::KILL);
        }
    }
}

fn send(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

async fn ask(port: u16, address: &str) -> u16 {
    let address: SocketAddr = format!("{address}:{port}").parse().unwrap();
    request(address, "GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n").await.status
}

/// Of all threads, dead ones that nobody took note of included.
pub fn children(pid: u32) -> Vec<i32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let children = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    children.collect::<String>().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_started_again_and_nobody_is_refused() {
    let mut running = Running::start();
    let port = running.wait_for("port ").parse().unwrap();
    let first = running.wait_for_worker();
    assert_eq!(ask(port, "127.0.0.1").await, 421);
    if TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(ask(port, "[::1]").await, 421, "both families on one socket");
    }
    send(first, Signal::KILL);
    // Sent while no worker is there: it waits in the queue for the next one.
    assert_eq!(ask(port, "127.0.0.1").await, 421);
    let second = running.wait_for_worker();
    assert_ne!(first, second);

    let supervisor = running.supervisor.id();
    crate::support::until("what workers leave behind is reaped", || children(supervisor) == [second]).await;

    send(running.supervisor.id().try_into().unwrap(), Signal::TERM);
    running.wait_for("worker ends");
    running.wait_for_end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_does_not_end_is_killed() {
    let mut running = Running::start();
    running.wait_for("port ");
    let worker = running.wait_for_worker();
    send(worker, Signal::STOP);
    send(running.supervisor.id().try_into().unwrap(), Signal::TERM);
    running.wait_for(&format!("worker {worker} did not end"));
    running.wait_for_end();
    crate::support::until("the worker is gone", || {
        let state = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    })
    .await;
}
