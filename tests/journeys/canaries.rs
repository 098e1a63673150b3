//! A release that is tried out on some of the requests, on a real engine under load.

use std::process::Command;

use once_demo::load::Mix;

use crate::host::Host;

const ONE: &str = "DEMO_VERSION=1";
const TWO: &str = "DEMO_VERSION=2";

/// Release 1 serves, release 2 beside it by this rule.
fn with_canary(rule: &str) -> (Host, String) {
    let host = Host::new();
    let image = host.image("0", &[]);
    host.deploy(&image, &["-e", ONE, "--drain-timeout", "3"]).expect(0, "created");
    let finished = host.deploy(&image, &["-e", TWO, "--canary", rule]).expect(0, "updated");
    assert_eq!((finished["release"].as_u64(), finished["serving"].as_u64()), (Some(2), Some(1)), "{finished:#}");
    assert_eq!(finished["canary"], serde_json::json!({"release": 2, "rule": rule}));
    assert_eq!(host.running().len(), 2);
    (host, image)
}

/// The version a client with these header lines gets.
fn version(host: &Host, headers: &[&str]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-m", "20", "-H", "Host: app.localhost"]);
    for header in headers {
        curl.args(["-H", header]);
    }
    let output = curl.arg(format!("http://127.0.0.1:{}/version", host.port)).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_share_of_the_visitors_and_then_all_of_them() {
    let (host, _) = with_canary("25%");
    let new = (0..160).filter(|_| version(&host, &[]) == "2").count();
    // 40 is expected; so far away is one chance in a million.
    assert!((14..=70).contains(&new), "{new} of 160");
    let said = host.once(&["canary", "app", "--json"]);
    let object = &said.json()[0];
    let requests = |side: usize| object["sides"][side]["requests"].as_u64().unwrap();
    assert_eq!((requests(1), requests(0) + requests(1)), (new as u64, 160), "{object:#}");
    assert!(object["sides"][1]["p95_ms"].is_number(), "{object:#}");
    let people = host.once(&["canary", "app"]);
    assert!(people.stdout.contains("25%") && people.stderr.contains("once promote app"), "{people:#?}");
    assert_eq!(host.once(&["status", "app", "--json"]).json()[0]["canary"]["release"], 2);
    assert!(host.once(&["list"]).stdout.contains("1, 2: 25%"));

    host.json(&["canary", "app", "--share", "100%"]).expect(0, "updated");
    host.json(&["canary", "app", "--share", "100%"]).expect(0, "unchanged");
    assert_eq!(version(&host, &[]), "2");
    let load = host.load(12, Mix::ALL);
    let finished = host.json(&["promote", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!((finished["serving"].as_u64(), &finished["canary"]), (Some(2), &serde_json::Value::Null));
    assert_eq!(host.version(), "2");
    assert_eq!(host.running().len(), 1);
    assert_eq!(host.json(&["promote", "app"]).code, 2, "there is none any more");
    // The release before is kept, as after any switch.
    host.json(&["rollback", "app"]).expect(0, "updated");
    assert_eq!(host.version(), "1");
}

#[test]
fn a_header_chooses_and_an_abort_loses_nothing() {
    let (host, image) = with_canary("header:x-beta=yes");
    assert_eq!((version(&host, &[]).as_str(), version(&host, &["X-Beta: yes"]).as_str()), ("1", "2"));
    host.json(&["canary", "app", "--share", "50%"]).expect(0, "updated");
    let load = host.load(12, Mix::ALL);
    crate::host::eventually("both are asked", std::time::Duration::from_secs(30), || {
        let object = host.once(&["canary", "app", "--json"]).json().remove(0);
        (0..2).all(|side| object["sides"][side]["requests"].as_u64() > Some(20)).then_some(())
    });
    host.json(&["abort", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!(report.versions.len(), 2, "{report:?}");
    assert_eq!((host.version().as_str(), host.containers().len()), ("1", 1));
    let releases = host.once(&["releases", "app", "--json"]).json();
    assert!(releases.iter().any(|r| r["release"] == 2 && r["status"] == "failed"), "{releases:#?}");
    // A second canary, ended by a plain deploy.
    host.deploy(&image, &["-e", TWO, "--canary", "cookie:beta"]).expect(0, "updated");
    assert_eq!(version(&host, &["Cookie: beta=1"]), "2");
    host.deploy(&image, &["-e", "DEMO_VERSION=4"]).expect(0, "updated");
    assert_eq!((host.version().as_str(), host.running().len()), ("4", 1));
}

#[test]
fn a_canary_survives_the_proxy_and_its_own_end_is_seen() {
    let (host, _) = with_canary("header:x-beta");
    crate::host::docker(&["restart", "-t", "1", &host.proxy()]);
    let beta = || version(&host, &["X-Beta: 1"]);
    crate::host::eventually("it serves again", std::time::Duration::from_secs(30), || (beta() == "2").then_some(()));
    let canary = host.once(&["canary", "app", "--json"]).json()[0]["release"].clone();
    assert_eq!(canary, 2);
    let container = host.running().into_iter().find(|name| name.ends_with("-2")).unwrap();
    crate::host::docker(&["stop", "-t", "1", &container]);
    assert_eq!(beta(), "1", "nobody suffers from a candidate that is gone");
    let status = host.once(&["status", "app"]);
    assert_eq!(status.code, 10, "{status:#?}");
    assert!(status.stderr.contains("canary, release 2, is down"), "{status:#?}");
    let promote = host.json(&["promote", "app"]);
    // At once, and not after the time that an app has to get ready in.
    assert_eq!((promote.code, promote.finished()["code"].as_str()), (5, Some("exited")), "{promote:#?}");
    assert_eq!(host.version(), "1");
    host.json(&["remove", "app", "--yes"]).expect(0, "updated");
    assert_eq!(host.containers(), []);
}
