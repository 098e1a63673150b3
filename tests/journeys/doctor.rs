//! What `doctor` tells of a real engine and a real machine: each is made, seen with its remedy, and gone again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::host::{Host, docker, eventually};

/// Findings of a kind about a thing: other tests' things are on the same engine.
fn findings(host: &Host, kind: &str, subject: &str) -> Vec<Value> {
    let said = host.once(&["doctor", "--json"]);
    let found: Vec<Value> = said.json().into_iter().filter(|f| f["kind"] == kind && f["subject"] == subject).collect();
    for finding in &found {
        assert!(!finding["why"].as_str().unwrap().is_empty(), "{finding:#}");
        if finding["severity"] == "problem" {
            assert!(finding["mend"][0].is_string(), "{finding:#}");
            assert_eq!(said.code, 10, "{said:#?}");
        }
    }
    found
}

/// A container of nobody's, gone with the test.
struct Stranger(String);

impl Stranger {
    fn run(host: &Host, what: &str, args: &[&str], image: &str, command: &[&str]) -> Self {
        let name = format!("{}-{what}", host.namespace);
        docker(&[&["run", "-d", "--name", &name][..], args, &[image], command].concat());
        Self(name)
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.0]);
    }
}

#[test]
fn whoever_holds_the_proxys_port_is_named() {
    let host = Host::new();
    let listener = TcpListener::bind(("0.0.0.0", host.port)).unwrap();
    let port = host.port.to_string();
    let found = findings(&host, "port", &port);
    let [finding] = &found[..] else { panic!("{found:#?}") };
    let what = finding["what"].as_str().unwrap();
    assert!(what.contains(&format!("(process {})", std::process::id())), "{what}");
    assert_eq!(finding["severity"], "problem");
    drop(listener);
    assert_eq!(findings(&host, "port", &port), Vec::<Value>::new());
    // The proxy's own port is its own.
    host.deploy(&host.image("1", &[]), &[]).expect(0, "created");
    assert_eq!(findings(&host, "port", &port), Vec::<Value>::new());
}

#[test]
fn what_an_app_takes_on_the_disk_is_counted() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--volume", "data:/data"]).expect(0, "created");
    let volume = docker(&["volume", "inspect", "-f", "{{.Mountpoint}}", &format!("{}-app-data", host.namespace)]);
    std::fs::write(std::path::Path::new(volume.trim()).join("large"), vec![1; 3 << 20]).unwrap();
    let found = findings(&host, "disk", "disk");
    let line = found[0]["details"][0].as_str().unwrap();
    assert!(line.starts_with("app: images ") && !line.contains("not counted"), "{line}");
    assert!(line.contains("data 3"), "{line}");
    assert!(!line.contains("images 0"), "{line}");
}

#[test]
fn an_app_that_ends_again_and_again_is_told_of_while_it_runs() {
    let host = Host::new();
    host.deploy(&host.image("1", &[]), &[]).expect(0, "created");
    let name = format!("{}-app-1", host.namespace);
    assert_eq!(findings(&host, "restart-loop", &name), Vec::<Value>::new());
    for times in 1..=3 {
        // A kill by the engine would count as meant.
        let pid = host.inspect(&name, "{{.State.Pid}}");
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        eventually("the next start", Duration::from_secs(30), || {
            (host.inspect(&name, "{{.RestartCount}} {{.State.Running}} {{.State.Restarting}}")
                == format!("{times} true false"))
            .then_some(())
        });
    }
    let found = findings(&host, "restart-loop", &name);
    assert!(found[0]["what"].as_str().unwrap().contains("3 times"), "{found:#?}");
    assert_eq!(found[0]["app"], "app");
}

#[test]
fn containers_of_others_are_judged_by_what_the_engine_tells() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let database = Stranger::run(&host, "db", &["-p", "0.0.0.0::5432"], &image, &[]);
    let private = Stranger::run(&host, "quiet", &["-p", "127.0.0.1::5432"], &image, &[]);
    let looping = Stranger::run(&host, "loop", &["--restart", "always"], &image, &["no-such-command"]);
    let found = findings(&host, "database-published", &database.0);
    assert!(found[0]["what"].as_str().unwrap().contains("PostgreSQL"), "{found:#?}");
    assert_eq!(findings(&host, "database-published", &private.0), Vec::<Value>::new());
    eventually("the loop is told of", Duration::from_secs(30), || {
        findings(&host, "restart-loop", &looping.0).pop().filter(|f| f["severity"] == "remark")
    });
}

/// A way to the real engine on which it never answers how large containers are. Counts how often it was asked.
struct NeverCounts {
    directory: tempfile::TempDir,
    asked: Arc<AtomicUsize>,
}

impl NeverCounts {
    fn new() -> Self {
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let listener = UnixListener::bind(directory.path().join("engine.sock")).unwrap();
        let counted = Arc::clone(&asked);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || relay(&client, &counted));
            }
        });
        Self { directory, asked }
    }

    fn address(&self) -> String {
        format!("unix://{}", self.directory.path().join("engine.sock").display())
    }
}

fn relay(client: &UnixStream, asked: &AtomicUsize) {
    let engine = UnixStream::connect("/var/run/docker.sock").unwrap();
    let (mut answers, mut to_client) = (engine.try_clone().unwrap(), client.try_clone().unwrap());
    let back = std::thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let (mut from, mut to) = (client, &engine);
    let mut piece = [0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        if String::from_utf8_lossy(&piece[..length]).contains("size=true") {
            asked.fetch_add(1, Ordering::SeqCst);
            // Until whoever asked has left.
            while matches!(from.read(&mut piece), Ok(1..)) {}
            break;
        }
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(Shutdown::Both);
    let _ = back.join();
}

#[test]
fn findings_come_while_the_engine_still_counts_and_what_it_did_not_count_is_named() {
    let host = Host::new();
    host.deploy(&host.image("1", &[]), &[]).expect(0, "created");
    docker(&["stop", "-t", "0", &format!("{}-app-1", host.namespace)]);
    let engine = NeverCounts::new();
    let mut command = host.command(&["doctor", "--json"]);
    let begun = Instant::now();
    let mut child = command.env("DOCKER_HOST", engine.address()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let found: Vec<(Duration, Value)> =
        lines.map(|line| (begun.elapsed(), serde_json::from_str(&line.unwrap()).unwrap())).collect();
    assert_eq!(child.wait().unwrap().code(), Some(10));
    let of = |kind: &str, subject: &str| {
        let mut found = found.iter().filter(|(_, f)| f["kind"] == kind && f["subject"] == subject);
        found.next().unwrap_or_else(|| panic!("{kind} {subject}: {found:#?}")).clone()
    };
    let (early, _) = of("down", &format!("{}-app-1", host.namespace));
    let (late, uncounted) = of("unseen", "the sizes of images and containers");
    assert!(early + Duration::from_secs(5) < late, "{early:?} and {late:?}");
    assert!(uncounted["what"].as_str().unwrap().contains("within 10 seconds"), "{uncounted:#}");
    assert!(uncounted["mend"].to_string().contains("--no-disk"), "{uncounted:#}");
    assert_eq!(engine.asked.load(Ordering::SeqCst), 1);

    let mut command = host.command(&["doctor", "--json", "--no-disk"]);
    let said = crate::host::run({
        command.env("DOCKER_HOST", engine.address());
        command
    });
    assert_eq!((said.code, engine.asked.load(Ordering::SeqCst)), (10, 1), "{said:#?}");
    // What can be mended is mended, whatever cannot be counted.
    let mut command = host.command(&["doctor", "--fix", "--no-disk", "--json"]);
    command.env("DOCKER_HOST", engine.address());
    let said = crate::host::run(command);
    assert!(!said.stdout.contains(r#""kind":"down""#), "{said:#?}");
    assert_eq!(host.version(), "1");
}
