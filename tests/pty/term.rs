//! A terminal with a program in it: what it wrote as bytes, what they look like, and keys for it.

use std::io::{Read as _, Write};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use super::host::Host;

/// No wait takes longer. Deploys on a host that builds and tests other things meanwhile take their time.
const LIMIT: Duration = Duration::from_secs(60);

pub const ENTER: &str = "\r";
pub const ESC: &str = "\x1b";
pub const DOWN: &str = "\x1b[B";
pub const RIGHT: &str = "\x1b[C";
pub const REVIEW: &str = "\x13";

/// How often a screen is looked at while words are waited for.
const LOOK: Duration = Duration::from_millis(5);

/// A program in a terminal of its own. Dropping it ends the program.
pub struct Term {
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
    raw: Arc<Mutex<Vec<u8>>>,
    keys: Arc<Mutex<Box<dyn Write + Send>>>,
    pty: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    reader: Option<JoinHandle<()>>,
}

impl Term {
    /// The console on an engine that is not there.
    pub fn console(columns: u16, rows: u16) -> Self {
        Self::spawn(columns, rows, &[], &[])
    }

    /// `once` for this host on the real engine, with these arguments and further variables.
    pub fn on(host: &Host, columns: u16, rows: u16, args: &[&str], more: &[(&str, &str)]) -> Self {
        let port = host.port.to_string();
        let env = [
            ("DOCKER_HOST", "unix:///var/run/docker.sock"),
            ("ONCE_NAMESPACE", host.namespace.as_str()),
            ("ONCE_HTTP_PORT", port.as_str()),
        ];
        Self::spawn(columns, rows, args, &[&env, more].concat())
    }

    /// Somebody's console on the real engine, with the app that [`Host::deploy`] makes in its list.
    pub fn with_app(host: &Host) -> Self {
        let term = Self::on(host, 120, 36, &[], &[("USER", "mia")]);
        term.wait("● app.localhost");
        term
    }

    /// `once` with these arguments and variables; nothing else of this process's environment.
    pub fn spawn(columns: u16, rows: u16, args: &[&str], env: &[(&str, &str)]) -> Self {
        let size = PtySize { rows, cols: columns, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        // A release binary where keys are measured.
        let binary = std::env::var("ONCE_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_once").to_owned());
        let mut command = CommandBuilder::new(binary);
        command.args(args);
        // Its home directory otherwise, which is not there.
        command.cwd("/");
        command.env_clear();
        for (key, value) in [
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/nonexistent"),
            ("PATH", "/usr/bin:/bin"),
            ("DOCKER_HOST", "unix:///nonexistent/docker.sock"),
        ]
        .iter()
        .chain(env)
        {
            command.env(key, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        // Or the reader never sees the end.
        drop(pair.slave);
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let screen = Arc::new((Mutex::new(parser), Condvar::new()));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let (to_screen, to_raw) = (Arc::clone(&screen), Arc::clone(&raw));
        let reader = std::thread::spawn(move || {
            let mut bytes = [0u8; 16 * 1024];
            while let Ok(n) = output.read(&mut bytes) {
                if n == 0 {
                    break;
                }
                to_screen.0.lock().unwrap().process(&bytes[..n]);
                to_screen.1.notify_all();
                to_raw.lock().unwrap().extend_from_slice(&bytes[..n]);
            }
        });
        let keys = Arc::new(Mutex::new(pair.master.take_writer().unwrap()));
        Self { screen, raw, keys, pty: pair.master, child, reader: Some(reader) }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.0.lock().unwrap().screen().contents()
    }

    /// All bytes so far.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().unwrap().clone()
    }

    /// Whether a sequence was written.
    pub fn wrote(&self, sequence: &str) -> bool {
        String::from_utf8_lossy(&self.raw()).contains(sequence)
    }

    /// Waits until these words are on the screen.
    pub fn wait(&self, words: &str) {
        self.wait_until(words, |term| term.text().contains(words));
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !holds(self) {
            assert!(Instant::now() < end, "no {what:?} within {LIMIT:?} on:\n{}", self.text());
            pause(LOOK);
        }
    }

    /// Types.
    pub fn send(&mut self, keys: &str) {
        let mut line = self.keys.lock().unwrap();
        line.write_all(keys.as_bytes()).unwrap();
        line.flush().unwrap();
    }

    /// Sends all of this without a pause; whether the program has read so much of it within the limit that the
    /// terminal took the rest.
    pub fn flood(&mut self, bytes: Vec<u8>, limit: Duration) -> bool {
        let keys = Arc::clone(&self.keys);
        let (done, taken) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = done.send(keys.lock().unwrap().write_all(&bytes).is_ok());
        });
        taken.recv_timeout(limit) == Ok(true)
    }

    /// Looks at the screen as it is now.
    pub fn look<T>(&self, at: impl FnOnce(&vt100::Screen) -> T) -> T {
        at(self.screen.0.lock().unwrap().screen())
    }

    /// Waits for a screen of which this holds, and looks at it whenever the program has written something.
    pub fn wait_frame(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + LIMIT;
        let mut screen = self.screen.0.lock().unwrap();
        while !holds(screen.screen()) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what:?} within {LIMIT:?} on:\n{}", screen.screen().contents());
            screen = self.screen.1.wait_timeout(screen, left).unwrap().0;
        }
    }

    /// Changes the terminal's size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = (rows.try_into().unwrap(), columns.try_into().unwrap());
        self.screen.0.lock().unwrap().screen_mut().set_size(size.0, size.1);
        self.pty.resize(PtySize { rows, cols: columns, ..PtySize::default() }).unwrap();
    }

    /// The program's process.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(self.child.process_id().unwrap().try_into().unwrap()).unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// The letter the kernel has for its state: `T` is stopped.
    pub fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        stat.rsplit(')').next().unwrap().trim_start().chars().next().unwrap()
    }

    /// Processor time it has used so far, in the kernel's ticks of 10 ms.
    pub fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Waits for its end; everything it wrote has been read then.
    pub fn exit(&mut self) -> ExitStatus {
        let end = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < end, "it does not end:\n{}", self.text());
            pause(LOOK);
        };
        self.reader.take().unwrap().join().unwrap();
        status
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets time pass: for looking again, or where silence is what is measured.
#[expect(clippy::disallowed_methods, reason = "these threads have no runtime to block")]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}
