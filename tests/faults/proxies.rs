//! The proxy dies, or an app's container does, and nobody runs a command.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use crate::doomed::{Dice, children, send};
use crate::host::{Host, docker, eventually, pause};

const LIMIT: Duration = Duration::from_secs(30);
const APPS: [&str; 3] = ["app", "second", "third"];

/// The engine's id of PID 1 in the proxy's container, as the host sees it; `None`: it does not run right now.
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
    let versions = ["DEMO_VERSION=1", "DEMO_VERSION=2"];
    host.deploy(&image, &["--drain-timeout", "2"]).expect(0, "created");
    let mut acknowledged = (1, "1");
    let mut outcomes = Vec::new();
    for round in 1..=6 {
        let over = AtomicBool::new(false);
        let kills = AtomicUsize::new(0);
        let moments = [dice.below(Duration::from_millis(1200)), dice.below(Duration::from_millis(2500))];
        let said = std::thread::scope(|scope| {
            scope.spawn(|| {
                for (n, moment) in moments.into_iter().enumerate() {
                    pause(moment);
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    // The worker, then the whole: the one is started by its supervisor, the other by the engine.
                    let Some(whole) = supervisor(&host) else { continue };
                    let victim = if (n + round) % 2 == 0 { Some(whole) } else { children(whole).first().copied() };
                    if let Some(victim) = victim {
                        send(victim, Signal::KILL);
                        kills.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            let said = host.deploy(&image, &["-e", versions[round % 2]]);
            over.store(true, Ordering::Relaxed);
            said
        });
        let finished = said.finished();
        let outcome = finished["outcome"].as_str().unwrap().to_owned();
        assert!(["updated", "unchanged", "failed", "environment"].contains(&outcome.as_str()), "{said:#?}");
        outcomes.push((outcome, finished["code"].as_str().map(str::to_owned), kills.into_inner()));
        if said.code == 0 {
            acknowledged = (finished["serving"].as_u64().unwrap(), ["1", "2"][round % 2]);
        }
        // What was acknowledged is remembered and serves; a failed answer left what served before.
        let version = eventually("an answer", LIMIT, || {
            let (status, body) = host.get("app.localhost", "/version");
            (status == 200).then(|| body.trim().to_owned())
        });
        let status: serde_json::Value =
            eventually("status", LIMIT, || serde_json::from_str(host.json(&["status", "app"]).stdout.trim()).ok());
        let serving = status["release"].as_u64().unwrap_or_else(|| panic!("{status:#}"));
        if said.code == 0 {
            assert_eq!((serving, version.as_str()), acknowledged, "{said:#?}");
        } else {
            assert!(serving >= acknowledged.0, "release {} was acknowledged, {serving} serves", acknowledged.0);
        }
    }
    eprintln!("outcomes: {outcomes:?}");
    assert!(outcomes.iter().any(|(_, _, kills)| *kills > 0), "no kill fell inside of a deploy");
    let last = host.deploy(&image, &["--force", "-e", versions[0]]);
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
