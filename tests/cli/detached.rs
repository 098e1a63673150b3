//! The detached process: it hears a cancel, and neither the command's death nor a hang-up ends it. The engine here is a
//! socket that takes connections and never answers, so a change stays under way as long as the test wants.

use std::io::Read as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(25);

/// A deploy that has reached an engine which says nothing.
struct UnderWay {
    command: Child,
    detached: Pid,
    engine: Vec<UnixStream>,
    _directory: TempDir,
}

/// The session of a process as the kernel tells it: 0 where its leader is in a PID namespace that is not ours to see,
/// as a CI runner's may be.
fn session(process: Pid) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(3).unwrap().parse().unwrap()
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

/// Waits for something to become true; a test never sleeps on a guess.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < LIMIT, "{what} did not happen within {LIMIT:?}");
        std::thread::yield_now();
    }
}

fn start() -> UnderWay {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let command = Command::new(env!("CARGO_BIN_EXE_once"))
        .env_clear()
        .env("HOME", directory.path())
        .env("DOCKER_HOST", format!("unix://{}", path.display()))
        .args(["--json", "deploy", "acme/shop"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let engine = vec![listener.accept().unwrap().0];
    let mut detached = None;
    until("the detached process", || {
        // A tokio runtime spawns from any thread; the child belongs to the process.
        detached = descendants(command.id()).first().copied();
        detached.is_some()
    });
    UnderWay { command, detached: pid(detached.unwrap()), engine, _directory: directory }
}

fn descendants(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).unwrap();
    let texts = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("children")).ok());
    texts.flat_map(|t| t.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<u32>>()).collect()
}

/// Not there, or a zombie nobody has waited for yet.
fn is_gone(process: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    stat.map_or(true, |s| s.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.command.kill().ok();
        self.command.wait().ok();
        if test_kill_process(self.detached).is_ok() && !is_gone(self.detached) {
            kill_process(self.detached, Signal::KILL).ok();
        }
    }
}

#[test]
fn it_has_a_session_of_its_own_and_no_secret_in_its_arguments() {
    let running = start();
    let detached = running.detached.as_raw_nonzero().get();
    // It is seen from its fork on; the session comes with the program.
    until("a session of its own", || session(running.detached) == detached);
    assert_ne!(session(pid(running.command.id())), detached);
    let argv = std::fs::read(format!("/proc/{}/cmdline", running.detached.as_raw_nonzero())).unwrap();
    let argv: Vec<_> = argv.split(|b| *b == 0).filter(|a| !a.is_empty()).skip(1).map(String::from_utf8_lossy).collect();
    assert_eq!(argv, ["--namespace", "once", "run-job"]);
}

#[test]
fn an_interrupt_undoes_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let running = start();
        kill_process(pid(running.command.id()), signal).unwrap();
        let detached = running.detached;
        let (code, text) = running.end_when_answered();
        assert_eq!(code, Some(130), "{text}");
        assert!(text.contains(r#""outcome":"interrupted""#), "{text}");
        until("the end of the detached process", || is_gone(detached));
    }
}

impl UnderWay {
    fn end_when_answered(mut self) -> (Option<i32>, String) {
        let mut text = String::new();
        self.command.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        (self.command.wait().unwrap().code(), text)
    }
}

#[test]
fn the_commands_death_and_a_hang_up_do_not_end_it() {
    let mut running = start();
    running.command.kill().unwrap();
    running.command.wait().unwrap();
    kill_process(running.detached, Signal::HUP).unwrap();
    // It is still connected: reading from its side would end if it were gone.
    let engine = &mut running.engine[0];
    engine.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut request = [0; 4096];
    let read = loop {
        match engine.read(&mut request) {
            Ok(0) => break 0,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(read, 1, "the detached process left its engine");
    assert!(!is_gone(running.detached));
    // The engine breaks off; the change ends with its answer although nobody reads it.
    running.engine.clear();
    let detached = running.detached;
    until("the end of the detached process", || is_gone(detached));
}
