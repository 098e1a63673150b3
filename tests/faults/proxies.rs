//! The proxy dies, or an app's container does, and nobody runs a command.

use std::time::Duration;

use rustix::process::Signal;

use crate::doomed::{Dice, Doomed, children, send};
use crate::host::{Host, docker, eventually, pause};

const LIMIT: Duration = Duration::from_secs(30);
const APPS: [&str; 3] = ["app", "second", "third"];

/// PID 1 in the proxy's container, as the host sees it; `None`: it does not run right now.
fn supervisor(host: &Host) -> Option<u32> {
    host.inspect(&host.proxy(), "{{.State.Pid}}").parse().ok().filter(|pid| *pid > 0)
}

#[track_caller]
fn all_back(host: &Host) {
    for app in APPS {
        let name = format!("{app}.localhost");
        eventually(app, LIMIT, || (host.get(&name, "/version") == (200, "1".into())).then_some(()));
    }
}

#[test]
fn a_proxy_comes_back_with_all_its_routes() {
    let host = Host::new();
    let image = host.image("1", &[]);
    for app in APPS {
        let name = format!("{app}.localhost");
        host.json(&["deploy", &image, "--name", app, "--host", &name]).expect(0, "created");
    }
    host.json(&["stop", "third"]).expect(0, "updated");
    host.json(&["start", "third"]).expect(0, "updated");

    docker(&["restart", &host.proxy()]);
    all_back(&host);

    let before = supervisor(&host).unwrap();
    send(before, Signal::KILL);
    eventually("another supervisor", LIMIT, || supervisor(&host).filter(|pid| *pid != before));
    all_back(&host);

    let supervisor_before = supervisor(&host).unwrap();
    let worker = children(supervisor_before);
    assert_eq!(worker.len(), 1);
    send(worker[0], Signal::KILL);
    all_back(&host);
    assert_eq!(supervisor(&host), Some(supervisor_before), "the worker alone was replaced");
    assert_ne!(children(supervisor_before), worker);

    // To the engine this is a stop on purpose: it does not start it again, so a command has to.
    docker(&["kill", "-s", "KILL", &host.proxy()]);
    assert_eq!(host.json(&["list"]).code, 0);
    all_back(&host);
}

#[test]
fn a_proxy_that_dies_during_deploys_loses_nothing() {
    let mut dice = Dice::new("proxy kills");
    let host = Host::new();
    let image = host.image("1", &[("DEMO_BOOT_MS", "300")]);
    host.deploy(&image, &["--drain-timeout", "2"]).expect(0, "created");
    let mut acknowledged = 1;
    let mut outcomes = Vec::new();
    for round in 0..8 {
        // Another one each time: whatever came of the deploy before, this one has something to do.
        let version = format!("round-{round}");
        let mut deploy = Doomed::deploy(&host, &image, &["-e", &format!("DEMO_VERSION={version}")]);
        // At any moment; right after the switch; right after the answer.
        let kind = round / 2 % 4;
        match kind {
            2 => drop(deploy.until("step-finished", Some("switch"))),
            3 => drop(deploy.until("finished", None)),
            _ => pause(dice.below(Duration::from_millis(1500))),
        }
        // The worker is started again by its supervisor, the whole by the engine.
        let whole = supervisor(&host).unwrap();
        let victim = if round % 2 == 0 { whole } else { children(whole)[0] };
        send(victim, Signal::KILL);
        let said = deploy.end(Duration::from_secs(90));
        let finished = said.finished();
        let outcome = finished["outcome"].as_str().unwrap().to_owned();
        assert!(["updated", "unchanged", "failed", "environment"].contains(&outcome.as_str()), "{said:#?}");
        assert!(said.code == 0 || finished["code"].is_string(), "{said:#?}");
        assert!(said.code == 0 || kind < 2, "the switch was behind it: {said:#?}");
        let answer = eventually("an answer", LIMIT, || {
            let (status, body) = host.get("app.localhost", "/version");
            (status == 200).then(|| body.trim().to_owned())
        });
        let status: serde_json::Value =
            eventually("status", LIMIT, || serde_json::from_str(host.json(&["status", "app"]).stdout.trim()).ok());
        let serving = status["release"].as_u64().unwrap_or_else(|| panic!("{status:#}"));
        assert!(serving >= acknowledged, "release {acknowledged} was acknowledged, {serving} serves");
        if said.code == 0 {
            acknowledged = finished["serving"].as_u64().unwrap();
            assert_eq!((serving, &answer), (acknowledged, &version), "{said:#?}");
        }
        outcomes.push((kind, outcome, finished["code"].as_str().map(str::to_owned)));
    }
    eprintln!("outcomes: {outcomes:?}");
    let last = host.deploy(&image, &["--force", "-e", "DEMO_VERSION=1"]);
    assert_eq!(last.code, 0, "{last:#?}");
    assert_eq!(host.version(), "1");
    assert_eq!(host.running().len(), 1);
    assert!(host.containers().len() <= 3, "{:?}", host.containers());
}

#[test]
fn an_app_that_was_stopped_behind_our_back_is_said_to_be_down_and_comes_back() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let look = |bring_back: &[&str]| {
        docker(&["kill", &host.running()[0]]);
        let status = host.json(&["status", "app"]);
        assert_eq!(status.code, 10, "{status:#?}");
        let value: serde_json::Value = serde_json::from_str(status.stdout.trim()).unwrap();
        assert_eq!(value["state"], "down", "{status:#?}");
        assert_ne!(host.get("app.localhost", "/version").0, 200);
        host.json(bring_back).expect(0, "updated");
        assert_eq!(host.version(), "1");
        assert_eq!(host.json(&["status", "app"]).code, 0);
        assert_eq!(host.running().len(), 1);
    };
    look(&["start", "app"]);
    look(&["deploy", &image, "--name", "app"]);
}
