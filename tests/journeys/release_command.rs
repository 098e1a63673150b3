//! The release command: once per deploy, in the new image, before the switch.

use serde_json::Value;

use crate::host::Host;

fn position(events: &[Value], event: &str, step: &str) -> Option<usize> {
    events.iter().position(|e| e["event"] == event && e["step"] == step)
}

#[test]
fn it_runs_before_the_switch_and_stops_a_deploy_that_it_fails() {
    let host = Host::new();
    // Its own contents: the engine knows images of the same contents as one, and others' containers would be counted.
    let image = host.image("1", &[("DEMO_NAMESPACE", &host.namespace)]);
    let said = host.deploy(&image, &["--release-command", "/once completions fish", "-e", "DEMO_VERSION=one"]);
    let finished = said.expect(0, "created");
    assert_eq!(finished["release_command_ran"], true, "{finished:#}");
    let events = said.json();
    let ran = position(&events, "step-finished", "release-command").unwrap();
    assert!(ran < position(&events, "step-started", "start").unwrap(), "{events:#?}");
    assert!(events[..ran].iter().any(|e| e["event"] == "log" && e.to_string().contains("--command once")));

    // A settings change of no consequence to the container does not run it, a swap does.
    let said = host.json(&["set", "app", "--note", "hello"]);
    assert_eq!(said.expect(0, "updated")["release_command_ran"], Value::Null);
    let said = host.json(&["set", "app", "DEMO_VERSION=two"]);
    assert_eq!(said.expect(0, "updated")["release_command_ran"], true);

    // The demo app itself, told to exit: with the new release's environment, which its log shows.
    let before = host.containers();
    let broken = ["--release-command", "/once demo-app", "-e", "DEMO_MODE=exit", "-e", "DEMO_VERSION=three"];
    let said = host.deploy(&image, &broken);
    let finished = said.expect(5, "failed");
    assert_eq!((finished["code"].as_str(), finished["serving"].as_u64()), (Some("release-command-failed"), Some(2)));
    assert_eq!(finished["release_command_ran"], true, "{finished:#}");
    assert!(finished["message"].as_str().unwrap().contains("exit code 1"), "{finished:#}");
    let log = finished["log"].to_string();
    assert!(log.contains("Booting version three") && log.contains("DATABASE_URL"), "{finished:#}");
    assert_eq!(position(&said.json(), "step-started", "start"), None, "the new release was never started");
    assert_eq!(host.containers(), before);
    assert_eq!(host.version(), "two");
    let people = host.once(&[&["deploy", &image, "--name", "app"][..], &broken].concat());
    assert!(people.stderr.contains("release command"), "{people:#?}");

    let said = host.json(&["rollback", "app", "1"]);
    said.expect(0, "updated");
    assert!(position(&said.json(), "step-skipped", "release-command").is_some(), "{said:#?}");
    assert_eq!(position(&said.json(), "step-started", "release-command"), None, "{said:#?}");
    assert_eq!(host.version(), "one");
    let filter = format!("label=once.namespace={}", host.namespace);
    let tasks = crate::host::docker(&["ps", "-aq", "--filter", &filter, "--filter", "label=once.role=task"]);
    assert_eq!(tasks, "", "no task is left behind");
    // Nor one that carries no label to find it by.
    let made = crate::host::docker(&["ps", "-a", "--filter", &format!("ancestor={image}"), "--format", "{{.Names}}"]);
    let mut made: Vec<&str> = made.lines().collect();
    made.sort_unstable();
    let known = host.containers();
    let mut known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    known.sort_unstable();
    assert_eq!(made, known);
}

#[test]
fn a_command_that_is_not_there_is_told() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let finished = host.deploy(&image, &["--release-command", "bin/rails db:migrate"]).expect(5, "failed");
    assert!(finished["message"].as_str().unwrap().contains("release command"), "{finished:#}");
    assert!(finished.to_string().contains("bin/rails"), "{finished:#}");
    assert_eq!(host.containers(), []);
    assert_eq!(host.volumes(), [] as [String; 0]);
}
