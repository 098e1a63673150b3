//! A host of a test's own: a namespace on the real engine, a port of the loopback, images made of the binary under
//! test. Everything goes when it is dropped, also when the test failed.

use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use once_demo::load::{LoadOptions, LoadReport, Mix};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ports;

/// The binary under test.
pub const ONCE: &str = env!("CARGO_BIN_EXE_once");

/// No command of a test may take longer.
const COMMAND_LIMIT: Duration = Duration::from_secs(150);

pub struct Host {
    pub namespace: String,
    pub port: u16,
    images: Mutex<Vec<String>>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The lines of `--json`.
    pub fn json(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}\n{self:#?}"))).collect()
    }

    /// The last line of `--json`: the one honest outcome.
    pub fn finished(&self) -> Value {
        let last = self.json().pop().unwrap_or_else(|| panic!("no finished line: {self:#?}"));
        assert_eq!(last["event"], "finished", "{self:#?}");
        last
    }

    /// The outcome's word, checked against the exit code.
    #[track_caller]
    pub fn expect(&self, code: i32, outcome: &str) -> Value {
        let finished = self.finished();
        assert_eq!((self.code, finished["outcome"].as_str()), (code, Some(outcome)), "{self:#?}");
        finished
    }
}

impl Host {
    pub fn new() -> Self {
        let mut bytes = [0u8; 4];
        getrandom::fill(&mut bytes).unwrap();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let port = ports::free().unwrap();
        Self { namespace: format!("t{hex}"), port, images: Mutex::default() }
    }

    /// The command, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(ONCE);
        command.args(args).env("ONCE_NAMESPACE", &self.namespace).env("ONCE_HTTP_PORT", self.port.to_string());
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn once(&self, args: &[&str]) -> Said {
        run(self.command(args))
    }

    /// Runs a changing command with `--json`.
    pub fn json(&self, args: &[&str]) -> Said {
        self.once(&[args, &["--json"]].concat())
    }

    /// `once deploy … --json` of an image to `app.localhost`.
    pub fn deploy(&self, image: &str, more: &[&str]) -> Said {
        self.json(&[&["deploy", image, "--name", "app", "--host", "app.localhost"], more].concat())
    }

    /// Makes an image of the demo app; its tag. It goes with the host.
    pub fn image(&self, version: &str, env: &[(&str, &str)]) -> String {
        let tag = format!("{}-demo:{version}", self.namespace);
        let mut args = vec!["demo-image".to_owned(), tag.clone(), "--env".into(), format!("DEMO_VERSION={version}")];
        for (key, value) in env {
            args.extend(["--env".to_owned(), format!("{key}={value}")]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.images.lock().unwrap().push(tag.clone());
        let said = self.once(&args);
        assert_eq!(said.code, 0, "{said:#?}");
        tag
    }

    /// An image that somebody else made or pulled goes with the host too.
    pub fn adopt_image(&self, reference: &str) {
        self.images.lock().unwrap().push(reference.to_owned());
    }

    /// Starts a changing command with `--json`.
    pub fn begin(&self, args: &[&str]) -> Begun {
        let command = self.command(&[args, &["--json"]].concat());
        Begun(std::thread::spawn(move || Said::of(&bounded(command))))
    }

    /// Names of this namespace's volumes but the proxy's.
    pub fn volumes(&self) -> Vec<String> {
        let filter = format!("label=once.namespace={}", self.namespace);
        let text = docker(&["volume", "ls", "-q", "--filter", &filter]);
        text.lines().filter(|name| *name != self.proxy()).map(str::to_owned).collect()
    }

    /// A load on `app.localhost`, until it is stopped.
    pub fn load(&self, connections: usize, mix: Mix) -> Load {
        Self::load_at(self.port, connections, mix)
    }

    /// The same, at another port of the loopback.
    pub fn load_at(port: u16, connections: usize, mix: Mix) -> Load {
        let stop = CancellationToken::new();
        let options = LoadOptions {
            address: format!("127.0.0.1:{port}"),
            host: "app.localhost".into(),
            connections,
            duration: Duration::from_secs(600),
            pause: Duration::from_millis(5),
            mix,
        };
        let token = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(once_demo::load::run(options, token))
        });
        Load { stop, thread: Some(thread) }
    }

    /// GET of a path of a hostname through the proxy: status and body.
    pub fn get(&self, host: &str, path: &str) -> (u16, String) {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output = Command::new("curl")
            .args(["-s", "-m", "10", "-H", &format!("Host: {host}"), "-w", "\n%{http_code}", &url])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap_or(("", "0"));
        (status.parse().unwrap_or(0), body.to_owned())
    }

    /// The version the app answers with.
    pub fn version(&self) -> String {
        let (status, body) = self.get("app.localhost", "/version");
        assert_eq!(status, 200, "{body}");
        body.trim().to_owned()
    }

    /// Containers of releases, running or not: name and state.
    pub fn containers(&self) -> Vec<(String, String)> {
        let filter = format!("label=once.namespace={}", self.namespace);
        let text = docker(&[
            "ps",
            "-a",
            "--filter",
            &filter,
            "--filter",
            "label=once.role=web",
            "--format",
            "{{.Names}} {{.State}}",
        ]);
        text.lines().filter_map(|l| l.split_once(' ')).map(|(n, s)| (n.to_owned(), s.to_owned())).collect()
    }

    /// Names of release containers that run.
    pub fn running(&self) -> Vec<String> {
        self.containers().into_iter().filter(|(_, s)| s == "running").map(|(n, _)| n).collect()
    }

    /// `docker inspect` with a format.
    pub fn inspect(&self, name: &str, format: &str) -> String {
        docker(&["inspect", "--format", format, name]).trim().to_owned()
    }

    pub fn proxy(&self) -> String {
        format!("{}-proxy", self.namespace)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let filter = format!("label=once.namespace={}", self.namespace);
        // Jobs that were left behind by a killed command would make new things while these go.
        let jobs = Command::new("pgrep").args(["-f", &format!("run-job.*{}", self.namespace)]).output();
        for pid in jobs
            .iter()
            .flat_map(|o| String::from_utf8_lossy(&o.stdout).split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        {
            let _ = Command::new("kill").args(["-9", &pid]).output();
        }
        for (list, remove) in [
            (&["ps", "-aq"][..], &["rm", "-f", "-v"][..]),
            (&["volume", "ls", "-q"], &["volume", "rm", "-f"]),
            (&["network", "ls", "-q"], &["network", "rm"]),
        ] {
            let ids = docker(&[list, &["--filter", &filter]].concat());
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                docker(&[remove, &ids].concat());
            }
        }
        for image in self.images.lock().unwrap().iter() {
            docker(&["rmi", "-f", image]);
        }
    }
}

/// A load that runs.
pub struct Load {
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<LoadReport>>,
}

impl Load {
    /// Stops it; what came of it.
    pub fn stop(mut self) -> LoadReport {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Standard output of a docker command; its failure is the caller's to notice by what is missing.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Looks again and again until it sees something.
#[track_caller]
pub fn eventually<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(start.elapsed() < limit, "{what} did not happen in {limit:?}");
        pause(Duration::from_millis(50));
    }
}

/// Between two looks.
#[allow(clippy::disallowed_methods, reason = "a plain thread of a test, between two looks")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Runs a command to its end, but not for ever.
pub fn run(command: Command) -> Said {
    Said::of(&bounded(command))
}

/// A command that runs on its own.
pub struct Begun(std::thread::JoinHandle<Said>);

impl Begun {
    /// What it said in the end.
    pub fn end(self) -> Said {
        self.0.join().unwrap()
    }
}

/// Runs a command to its end, or ends it when it takes too long.
pub fn bounded(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(COMMAND_LIMIT).is_err() {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).output();
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    watch.join().unwrap();
    output
}
