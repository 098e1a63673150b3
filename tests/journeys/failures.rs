//! Failure is safe: what served before serves on, the cause is named, nothing is left behind.

use once_demo::load::Mix;
use serde_json::Value;

use crate::host::{Host, docker};

/// How a release can go wrong: what it is given, the code, words of the message, a line of its log.
const WAYS: [(&str, &[&str], &str, &str, &str); 6] = [
    ("never healthy", &["-e", "DEMO_MODE=never-healthy"], "unhealthy-status", "answered 503", "Listening on"),
    ("exits", &["-e", "DEMO_MODE=exit"], "exited", "exit code 1", "DATABASE_URL is not set"),
    ("another port", &["-e", "PORT=8080"], "unhealthy-port", "port 8080 does answer", "Listening on"),
    ("301", &["-e", "DEMO_MODE=301"], "unhealthy-redirect", "redirect to https://www.example.com/", "Listening on"),
    ("500", &["-e", "DEMO_MODE=500"], "unhealthy-status", "answered 500", "Listening on"),
    ("hangs", &["-e", "DEMO_MODE=hang"], "unhealthy-timeout", "got no answer within 2s", "Listening on"),
];

#[track_caller]
fn says_why(what: &str, finished: &Value, code: &str, words: &str, log: &str) {
    assert_eq!(finished["code"], code, "{what}: {finished:#}");
    assert!(finished["message"].as_str().unwrap().contains(words), "{what}: {finished:#}");
    let lines = finished["log"].as_array().unwrap_or_else(|| panic!("{what}: no log in {finished:#}"));
    assert!(lines.iter().any(|line| line.as_str().unwrap().contains(log)), "{what}: {finished:#}");
}

#[test]
fn a_release_that_does_not_get_healthy_changes_nothing() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--health-timeout", "2"]).expect(0, "created");
    let (before, volumes) = (host.containers(), host.volumes());
    let load = host.load(8, Mix { websocket: 0, ..Mix::ALL });
    for (what, settings, code, words, log) in WAYS {
        let finished = host.deploy(&image, settings).expect(5, "failed");
        says_why(what, &finished, code, words, log);
        assert_eq!(finished["serving"], 1, "{what}: {finished:#}");
        assert_eq!(host.containers(), before, "{what}: nothing is left behind");
        assert_eq!(host.volumes(), volumes, "{what}");
    }
    // The next one works, and what the failed ones wanted is forgotten.
    let finished = host.deploy(&image, &["-e", "DEMO_VERSION=2"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!(finished["serving"], 2 + WAYS.len() as u64, "failed numbers are burnt: {finished:#}");
    assert_eq!(host.get("app.localhost", "/env?key=DEMO_MODE").0, 404);
    assert_eq!(host.version(), "2");
    let failed = host.json(&["releases", "app"]).json();
    assert_eq!(failed.iter().filter(|r| r["status"] == "failed").count(), WAYS.len(), "{failed:#?}");
}

#[test]
fn people_get_cause_log_and_advice() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let said = host.once(&["deploy", &image, "--name", "app", "--health-timeout", "2", "-e", "PORT=8080"]);
    assert_eq!(said.code, 5, "{said:#?}");
    for words in ["nothing listens on port 80", "port 8080 does answer", "Listening on", "--port 8080"] {
        assert!(said.stderr.contains(words), "{words}: {said:#?}");
    }
    assert_eq!(said.stdout, "", "people's words go to standard error");
}

#[test]
fn where_the_root_answers_and_the_health_path_does_not_that_is_said() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let finished = host.deploy(&image, &["--health-path", "/missing", "--health-timeout", "2"]).expect(5, "failed");
    assert_eq!(finished["code"], "unhealthy-status", "{finished:#}");
    assert!(finished["hints"][0].as_str().unwrap().contains("`--health-path /`"), "{finished:#}");
}

#[test]
fn a_failed_first_deploy_leaves_nothing_behind() {
    let host = Host::new();
    let image = host.image("1", &[]);
    for (what, settings, code, words, log) in [WAYS[1], WAYS[2], WAYS[4]] {
        let finished = host.deploy(&image, &[settings, &["--health-timeout", "2"]].concat()).expect(5, "failed");
        says_why(what, &finished, code, words, log);
        assert_eq!(finished["serving"], Value::Null, "{what}: {finished:#}");
        assert_eq!(host.containers(), [], "{what}");
        assert_eq!(host.volumes(), [] as [String; 0], "{what}");
        assert_eq!(host.once(&["list", "--json"]).json(), [] as [Value; 0], "{what}");
        assert_eq!(host.get("app.localhost", "/version").0, 421, "{what}");
    }
    // The hostname is free, for another app even.
    host.json(&["deploy", &image, "--name", "other", "--host", "app.localhost"]).expect(0, "created");
    assert_eq!(host.version(), "1");
}

#[test]
fn a_handover_that_fails_brings_the_old_release_back() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--swap", "handover", "--health-timeout", "2"]).expect(0, "created");
    let load = host.load(4, Mix { websocket: 0, ..Mix::ALL });
    for (what, settings, code, words, log) in [WAYS[1], WAYS[4]] {
        let finished = host.deploy(&image, settings).expect(5, "failed");
        says_why(what, &finished, code, words, log);
        assert_eq!(finished["serving"], 1, "{what}: {finished:#}");
        assert_eq!(host.running().len(), 1, "{what}");
    }
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    host.deploy(&image, &["-e", "DEMO_VERSION=2"]).expect(0, "updated");
    assert_eq!(host.version(), "2");
}

#[test]
fn where_the_container_of_what_served_is_gone_nothing_serves_and_all_say_so() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--swap", "handover", "--health-timeout", "2"]).expect(0, "created");
    host.deploy(&image, &["-e", "DEMO_VERSION=2"]).expect(0, "updated");
    let serving = host.running().remove(0);
    docker(&["rm", "-f", &serving]);
    let said = host.deploy(&image, &["-e", "DEMO_MODE=exit"]);
    let finished = said.expect(6, "down");
    assert_eq!(finished["serving"], Value::Null, "{finished:#}");
    assert!(finished["hints"].to_string().contains("once restart app"), "{finished:#}");
    // The same of a start, also in words.
    let started = host.json(&["start", "app"]);
    assert_eq!(started.finished()["serving"], Value::Null, "{started:#?}");
    let words = host.once(&["start", "app"]);
    assert_eq!(words.stderr.lines().last(), Some("nothing serves"), "{words:#?}");
    let status = host.once(&["status", "app", "--json"]);
    let shown = &status.json()[0];
    assert_eq!((status.code, &shown["state"]), (10, &"down".into()), "{status:#?}");
    assert_eq!(shown["reason"], "its container is gone");
    // What is not there is not kept.
    let releases = host.json(&["releases", "app"]).json();
    let kept = |number: u64| releases.iter().find(|r| r["release"] == number).unwrap()["container_kept"].clone();
    assert_eq!((kept(1), kept(2)), (true.into(), false.into()), "{releases:#?}");
    host.json(&["restart", "app"]).expect(0, "updated");
    assert_eq!(host.version(), "2");
}

/// The engine's answer is the same as to many a bad container, and its log says no more.
#[test]
fn an_image_without_a_command_says_so() {
    let host = Host::new();
    let tag = format!("{}-bare:1", host.namespace);
    let made = format!("tar c -C / etc/hostname | docker import - {tag}");
    assert!(std::process::Command::new("sh").args(["-c", &made]).status().unwrap().success());
    host.adopt_image(&tag);
    let said = host.once(&["deploy", &tag, "--name", "app", "--host", "app.localhost", "--pull", "never"]);
    assert_eq!(said.code, 3, "{said:#?}");
    assert!(said.stderr.contains("has no command, so there is nothing to run"), "{said:#?}");
    assert!(said.stderr.contains("`CMD` or an `ENTRYPOINT`") && !said.stderr.contains("journalctl"), "{said:#?}");
}
