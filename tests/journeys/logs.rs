//! `once logs`: over swaps and restarts, and over all containers that are kept.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, docker, eventually};

const LIMIT: Duration = Duration::from_secs(40);

/// `once logs … -f` that runs: what it has said so far.
struct Following {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
}

impl Following {
    fn begin(host: &Host, args: &[&str]) -> Self {
        let mut command = host.command(&[&["logs", "app", "-f"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, errors) = (Arc::default(), Arc::default());
        collect(child.stdout.take().unwrap(), &said);
        collect(child.stderr.take().unwrap(), &errors);
        Self { child, said, errors }
    }

    fn lines(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    fn objects(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until so many lines hold these words, which it must live to write.
    #[track_caller]
    fn wait(&mut self, words: &str, count: usize) {
        eventually(&format!("`{words}` × {count}"), LIMIT, || {
            let seen = self.lines().iter().filter(|line| line.contains(words)).count() >= count;
            let ended = self.child.try_wait().unwrap();
            assert!(seen || ended.is_none(), "it has ended: {ended:?} {:#?} {:#?}", self.lines(), self.errors);
            seen.then_some(())
        });
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(from: impl std::io::Read + Send + 'static, into: &Arc<Mutex<Vec<String>>>) {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
}

/// What a container wrote, by the engine's own command.
fn written(container: &str) -> Vec<String> {
    docker(&["logs", container]).lines().map(str::to_owned).collect()
}

fn texts(objects: &[Value], release: u64) -> Vec<String> {
    let lines = objects.iter().filter(|o| o["kind"] == "line" && o["release"] == release);
    lines.map(|o| o["text"].as_str().unwrap().to_owned()).collect()
}

fn breaks(objects: &[Value]) -> Vec<(String, Value, Value)> {
    let breaks = objects.iter().filter(|o| o["kind"] == "break");
    breaks.map(|o| (o["why"].as_str().unwrap().to_owned(), o["from"].clone(), o["to"].clone())).collect()
}

#[test]
fn a_followed_log_goes_on_over_swaps_and_restarts() {
    let host = Host::new();
    host.deploy(&host.image("1", &[]), &[]).expect(0, "created");
    let first = host.running().pop().unwrap();
    let mut log = Following::begin(&host, &["--json"]);
    let mut people = Following::begin(&host, &[]);
    log.wait("Listening on", 1);
    people.wait("Listening on", 1);

    host.deploy(&host.image("2", &[]), &["--drain-timeout", "1"]).expect(0, "updated");
    let second = eventually("one container", LIMIT, || {
        let running = host.running();
        (running.len() == 1).then(|| running[0].clone())
    });
    log.wait("Booting version 2", 1);
    log.wait("Goodbye", 1);
    assert_eq!(breaks(&log.objects()), [("swap".to_owned(), Value::from(1), Value::from(2))]);

    // By hand, and by the engine after it was killed.
    docker(&["restart", "-t", "5", &second]);
    log.wait("Booting version 2", 2);
    let pid = host.inspect(&second, "{{.State.Pid}}");
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    log.wait("Booting version 2", 3);
    log.wait("Listening on", 4);
    let restart = ("restart".to_owned(), Value::from(2), Value::from(2));
    assert_eq!(breaks(&log.objects())[1..], [restart.clone(), restart]);

    // Stopped for a while, and back again.
    host.json(&["stop", "app"]).expect(0, "updated");
    host.json(&["start", "app"]).expect(0, "updated");
    log.wait("Booting version 2", 4);
    log.wait("Listening on", 5);

    // Each line once, in order.
    let objects = log.objects();
    assert_eq!(texts(&objects, 1), written(&first));
    let serving = objects.iter().filter_map(|o| o["release"].as_u64()).max().unwrap();
    let mut of_second = texts(&objects, 2);
    if serving > 2 {
        of_second.extend(texts(&objects, serving));
    }
    let wrote: Vec<String> = host.running().iter().chain([&second]).flat_map(|name| written(name)).collect();
    for line in &of_second {
        assert!(wrote.contains(line), "{line}");
    }
    assert_eq!(of_second.iter().filter(|line| line.starts_with("Booting")).count(), 4, "{objects:#?}");

    host.json(&["remove", "app", "--yes"]);
    let ended = eventually("its end", LIMIT, || log.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    eventually("the last break", LIMIT, || {
        breaks(&log.objects()).last().filter(|(why, ..)| why == "removed").map(|_| ())
    });

    // People get lines on standard output, and what is between them on standard error.
    eventually("its end", LIMIT, || people.child.try_wait().unwrap());
    assert!(people.lines().iter().all(|line| !line.contains('─')), "{:#?}", people.lines());
    let errors = people.errors.lock().unwrap().clone();
    assert!(errors[0].starts_with("── release 1 → 2 · ") && errors[0].ends_with(" ──"), "{errors:#?}");
    assert!(errors[1].starts_with("── release 2 restarted · "), "{errors:#?}");
}

#[test]
fn history_is_of_all_containers_that_are_kept() {
    let host = Host::new();
    for version in ["1", "2", "3"] {
        let said = host.deploy(&host.image(version, &[]), &["--drain-timeout", "1"]);
        assert_eq!(said.code, 0, "{said:#?}");
    }
    let ask = |args: &[&str]| {
        let said = host.once(&[&["logs", "app", "--json"], args].concat());
        assert_eq!(said.code, 0, "{said:#?}");
        said.json()
    };
    let words = |objects: &[Value]| -> Vec<String> {
        objects.iter().map(|o| format!("{} {}", o["release"], o["text"].as_str().unwrap())).collect()
    };
    let all = ask(&[]);
    let times: Vec<&str> = all.iter().map(|o| o["at"].as_str().unwrap()).collect();
    let at = |n: usize| times[n].parse::<jiff::Timestamp>().unwrap();
    assert!((1..times.len()).all(|n| at(n - 1) <= at(n)), "{times:?}");
    let begun = words(&ask(&["--grep", "^Booting"]));
    assert_eq!(begun, ["1 Booting version 1", "2 Booting version 2", "3 Booting version 3"]);
    assert_eq!(words(&ask(&["--grep", "^Booting", "-n", "2"])), begun[1..]);
    assert_eq!(words(&ask(&["-n", "4"])), words(&all[all.len() - 4..]));
    let second = all.iter().position(|o| o["text"] == "Booting version 2").unwrap();
    assert_eq!(words(&ask(&["--since", times[second]])), words(&all[second..]));
    assert_eq!(words(&ask(&["--until", times[second]])), words(&all[..second]));
    let between = ask(&["--since", times[second], "--until", times[second + 2]]);
    assert_eq!(words(&between), words(&all[second..second + 2]));
    let first = words(&ask(&["--release", "1"]));
    assert!(first.len() == 3 && first.iter().all(|line| line.starts_with("1 ")), "{first:?}");

    // The run before is the container before, or the same one's before it was restarted.
    let before = words(&ask(&["--previous"]));
    assert!(before.len() == 3 && before.iter().all(|line| line.starts_with("2 ")), "{before:?}");
    docker(&["restart", "-t", "5", &host.running().pop().unwrap()]);
    let before = words(&ask(&["--previous"]));
    assert_eq!((before[0].as_str(), before[2].as_str(), before.len()), ("3 Booting version 3", "3 Goodbye", 3));

    // What is gone is said to be gone; the rest can still be read.
    let gone = host.containers().into_iter().find(|(name, _)| name.ends_with("-1")).unwrap().0;
    docker(&["rm", "-f", &gone]);
    let said = host.once(&["logs", "app", "--release", "1"]);
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(said.stderr.contains("the container of release 1 of app is gone, and its log with it"), "{said:#?}");
    assert_eq!(words(&ask(&["--grep", "^Booting version [12]"])), begun[1..2]);
}

#[test]
fn a_followed_log_goes_on_under_another_name() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    host.deploy(&images[0], &[]).expect(0, "created");
    let mut log = Following::begin(&host, &["--json"]);
    log.wait("Listening on", 1);
    host.json(&["rename", "app", "store"]).expect(0, "updated");
    host.json(&["rename", "--drop-alias", "app"]).expect(0, "updated");
    host.json(&["deploy", &images[1], "--name", "store"]).expect(0, "updated");
    log.wait("Booting version 2", 1);
    assert_eq!(breaks(&log.objects()), [("swap".to_owned(), Value::from(1), Value::from(2))], "it was not removed");

    host.json(&["remove", "store", "--data", "--yes"]).expect(0, "updated");
    eventually("its end", LIMIT, || log.child.try_wait().unwrap());
    assert_eq!(breaks(&log.objects())[1].0, "removed");
}
