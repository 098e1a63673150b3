//! A command that is followed line by line, and killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::host::{Host, Said, pause};

/// A change under way. Dropping it kills the command and the process it started.
pub struct Doomed {
    pub child: Child,
    lines: Option<std::io::Lines<BufReader<ChildStdout>>>,
    seen: Vec<String>,
}

impl Doomed {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = child.stdout.take().map(|out| BufReader::new(out).lines());
        Self { child, lines, seen: Vec::new() }
    }

    /// `once deploy … --json` of `app.localhost`.
    pub fn deploy(host: &Host, image: &str, more: &[&str]) -> Self {
        let args = [&["deploy", image, "--name", "app", "--host", "app.localhost"], more, &["--json"]].concat();
        Self::start(host.command(&args))
    }

    /// Reads until an event of this kind, and of this step if one is named. Fails at the end of the output.
    #[track_caller]
    pub fn until(&mut self, event: &str, step: Option<&str>) -> Value {
        let lines = self.lines.as_mut().expect("its output is open");
        for line in lines {
            let line = line.unwrap();
            let value: Value = serde_json::from_str(&line).unwrap();
            self.seen.push(line);
            if value["event"] == event && step.is_none_or(|step| value["step"] == step) {
                return value;
            }
        }
        panic!("it ended before {event} {step:?}: {:#?}", self.seen);
    }

    pub fn send(&self, signal: Signal) {
        send(self.child.id(), signal);
    }

    /// Closes our end of its output.
    pub fn close_output(&mut self) {
        self.lines = None;
    }

    /// Kills the command and the detached process it started, both at once.
    pub fn kill_both(&mut self) {
        let pid = self.child.id();
        // Stopped, it starts no other while its children are looked up.
        send(pid, Signal::STOP);
        for job in children(pid) {
            send(job, Signal::KILL);
        }
        send(pid, Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Its end, within the limit: exit code and output.
    #[track_caller]
    pub fn end(&mut self, limit: Duration) -> Said {
        let reader = self.lines.take().map(|lines| std::thread::spawn(move || lines.collect::<Result<Vec<_>, _>>()));
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < limit, "it did not end in {limit:?}; it said {:#?}", self.seen);
            pause(Duration::from_millis(20));
        };
        if let Some(reader) = reader {
            self.seen.extend(reader.join().unwrap().unwrap());
        }
        Said { code: status.code().unwrap_or(-1), stdout: self.seen.join("\n"), stderr: String::new() }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill_both();
        }
    }
}

/// To one process, by its exact id.
pub fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // One that has just ended is fine.
    let _ = kill_process(pid, signal);
}

/// Processes this one has started.
pub fn children(pid: u32) -> Vec<u32> {
    let output = Command::new("pgrep").args(["-P", &pid.to_string()]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Random numbers that can be had again: `FAULTS_SEED`, else a new seed, which is printed.
pub struct Dice(u64);

impl Dice {
    pub fn new(test: &str) -> Self {
        let seed = std::env::var("FAULTS_SEED").ok().and_then(|s| s.parse().ok());
        let seed = seed.unwrap_or_else(|| {
            let mut bytes = [0; 4];
            getrandom::fill(&mut bytes).unwrap();
            u64::from(u32::from_le_bytes(bytes))
        });
        eprintln!("{test}: FAULTS_SEED={seed}");
        Self(seed)
    }

    /// One of so many, from 0.
    pub fn pick(&mut self, of: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % of
    }

    /// Between nothing and `most`, evenly.
    pub fn below(&mut self, most: Duration) -> Duration {
        // Knuth's multiplier; the upper bits are good enough to choose moments by.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        most.mul_f64((self.0 >> 40) as f64 / f64::from(1 << 24))
    }
}

/// Whether a command found something left behind.
pub fn tidied(said: &Said) -> bool {
    said.json().iter().any(|event| event["event"] == "tidied")
}
