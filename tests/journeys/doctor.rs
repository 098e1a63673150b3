//! What `doctor` tells of a real engine and a real machine: each is made, seen with its remedy, and gone again.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

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
