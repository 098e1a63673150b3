//! The story of the split config file: apps run, what the pipeline says of them changes underneath, in each of the ways
//! people lose them by, and no request is lost while they are found again, taken back and deployed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use once_demo::load::Mix;
use serde_json::Value;

use crate::host::{Host, docker, eventually};

#[track_caller]
fn refused(finished: &Value, code: &str, way_out: &str) {
    assert_eq!(finished["code"], code, "{finished:#}");
    assert!(finished["hints"].to_string().contains(way_out), "{way_out}: {finished:#}");
}

/// One container serves, it is the one of before, and nothing stands beside it.
#[track_caller]
fn untouched(host: &Host, before: &[(String, String)]) {
    assert_eq!(host.containers(), before, "nothing was started, stopped or removed");
}

#[test]
fn a_split_config_file_loses_no_app_and_no_request() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    let other = format!("{}-press:1", host.namespace);
    docker(&["tag", &images[0], &other]);
    host.adopt_image(&other);
    host.deploy(&images[0], &["--host", "www.app.localhost"]).expect(0, "created");
    host.json(&["deploy", &images[0], "--name", "blog"]).expect(0, "created");
    let load = host.load(8, Mix::ALL);
    let before = host.containers();

    // The file moved: the command runs elsewhere, and nothing is different.
    let elsewhere = tempfile::tempdir().unwrap();
    let mut moved = host.command(&["deploy", &images[0], "--name", "app", "--host", "app.localhost", "--json"]);
    moved.current_dir(elsewhere.path());
    crate::host::run(moved).expect(0, "unchanged");

    // One file an environment: the service has another name, or a destination that it did not have.
    for name in ["web", "app.production"] {
        let said = host.json(&["deploy", &images[1], "--name", name, "--host", "app.localhost"]).expect(7, "refused");
        refused(&said, "host-taken", "--name app");
        refused(&said, "host-taken", "once rename app NEW");
    }
    // `--yes` answers no guard about identity: there is none to give.
    assert_eq!(host.once(&["deploy", &images[1], "--name", "web", "--host", "app.localhost", "--yes"]).code, 2);
    // The hostname went with it, and the old one is what it overlaps with.
    let wild = host.json(&["deploy", &images[1], "--name", "web", "--host", "*.app.localhost"]).expect(7, "refused");
    refused(&wild, "host-overlaps", "once rename");
    // The image is of another service than the app it is to run as.
    let labelled = format!("{}-demo:3", host.namespace);
    host.once(&["demo-image", &labelled, "--label", "service=app", "--env", "DEMO_VERSION=3"]);
    host.adopt_image(&labelled);
    let said = host.json(&["deploy", &labelled, "--name", "blog"]).expect(7, "refused");
    refused(&said, "image-of-another-app", "--name app");
    eventually("real traffic", Duration::from_secs(30), || {
        let shown = host.once(&["show", "app", "--json"]).json().pop().unwrap();
        (shown["requests"].as_u64() > Some(150)).then_some(())
    });
    let said = host.json(&["deploy", &other, "--name", "app"]).expect(7, "refused");
    refused(&said, "image-changed", "--change-image");
    // Another namespace is an empty host that says where the apps are.
    let mut lost = host.command(&["list"]);
    lost.env("ONCE_NAMESPACE", format!("{}x", host.namespace));
    let told = format!("{:?}", crate::host::run(lost));
    assert!(told.contains(&host.namespace), "{told}");
    // Another engine is not taken for this one.
    let wrong = host.json(&["--expect-engine", "no-such-engine", "deploy", &images[1], "--name", "app"]);
    refused(&wrong.expect(7, "refused"), "wrong-engine", "--expect-engine");
    untouched(&host, &before);

    // What the refusals name resolves it: the app goes by the new name, under which it is deployed.
    host.json(&["rename", "app", "app.production"]).expect(0, "updated");
    let engine = docker(&["info", "-f", "{{.ID}}"]);
    let engine = engine.trim();
    assert!(format!("{:?}", host.once(&["status"])).contains(engine), "the ID is shown where it can be copied");
    let deployed = host.json(&["--expect-engine", engine, "deploy", &images[1], "--name", "app.production"]);
    deployed.expect(0, "updated");
    host.json(&["deploy", &labelled, "--name", "app"]).expect(0, "updated");
    host.json(&["deploy", &other, "--name", "app.production", "--change-image"]).expect(0, "updated");
    // Two apps that are meant to be two say so once.
    let beside = ["--name", "tenant", "--host", "tenant.localhost", "--beside", "app.production"];
    host.json(&[&["deploy", &labelled][..], &beside].concat()).expect(0, "created");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");

    // What ran is seen although nothing knows it, and comes back as what it was last. While the proxy itself is gone
    // nobody can be served, so the load begins when it is back.
    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
    let found = format!("{:?}", host.once(&["doctor"]));
    assert!(found.contains("app.production") && found.contains("once adopt"), "{found}");
    let one = host.running().into_iter().find(|name| name.contains("app.production")).unwrap();
    host.json(&["adopt", &one, "--yes"]).expect(0, "created");
    eventually("the route", Duration::from_secs(30), || (host.get("app.localhost", "/up").0 == 200).then_some(()));
    let load = host.load(8, Mix::ALL);
    host.once(&["doctor", "--fix"]);
    host.json(&["deploy", &images[1], "--name", "app.production", "--change-image"]).expect(0, "updated");
    host.json(&["deploy", &images[1], "--name", "tenant", "--host", "tenant.localhost"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!(host.once(&["list", "--json"]).json().len(), 3);
    assert_eq!(host.running().len(), 3);
}

#[test]
fn another_address_is_no_gap_and_the_old_one_leads_to_it_until_it_is_dropped() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let container = host.containers();
    // Bounded, so that a failure in between does not leave it asking.
    let (stopped, began) = (AtomicBool::new(false), Instant::now());
    let statuses = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !stopped.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(60) {
                seen.push(host.get("app.localhost", "/version").0);
            }
            seen
        });
        host.json(&["set", "app", "--move-host", "new.localhost"]).expect(0, "updated");
        eventually("the redirect", Duration::from_secs(20), || {
            (host.get("app.localhost", "/version").0 == 301).then_some(())
        });
        stopped.store(true, Ordering::Relaxed);
        asking.join().unwrap()
    });
    assert!(statuses.iter().all(|s| matches!(s, 200 | 301)) && statuses.contains(&200), "{statuses:?}");
    assert_eq!(host.get("new.localhost", "/version").1.trim(), "1");
    let shown = host.once(&["show", "app", "--json"]).json().pop().unwrap();
    assert_eq!(shown["hosts"], serde_json::json!(["new.localhost", "app.localhost"]), "the new one is the first");

    host.json(&["set", "app", "--drop-host", "app.localhost"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/version").0, 421);
    assert_eq!(host.containers(), container, "an address is a route");
    // What it gave up is not taken without a word; who names the app may have it.
    let fresh = ["deploy", &image, "--name", "fresh", "--host", "app.localhost"];
    let said = host.json(&fresh).expect(7, "refused");
    refused(&said, "host-lately-owned", "once set app --host app.localhost");
    let planned = host.json(&[&fresh[..], &["--dry-run"]].concat()).expect(7, "refused");
    refused(&planned, "host-lately-owned", "--beside app");
    host.json(&[&fresh[..], &["--beside", "app"]].concat()).expect(0, "created");
}
