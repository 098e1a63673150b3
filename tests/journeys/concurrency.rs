//! Many at once: one waits, or is told; the app serves all the while.

use once_demo::load::Mix;
use serde_json::Value;

use crate::host::{Begun, Host};

#[test]
fn ten_deploys_of_one_app_at_once() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "2"]).expect(0, "created");
    let load = host.load(6, Mix { websocket: 0, stream: 0, slow: 0, ..Mix::ALL });
    let begun: Vec<Begun> = (0..10)
        .map(|n| {
            // Every third gives up at once; two want the same.
            let version = format!("DEMO_VERSION={}", n / 2 + 2);
            let wait = if n % 3 == 0 { "0" } else { "120" };
            host.begin(&["deploy", &image, "--name", "app", "-e", &version, "--wait", wait])
        })
        .collect();
    let mut outcomes = Vec::new();
    for (n, begun) in begun.into_iter().enumerate() {
        let said = begun.end();
        let finished = said.finished();
        let outcome = finished["outcome"].as_str().unwrap().to_owned();
        let code = match outcome.as_str() {
            "updated" | "unchanged" => 0,
            "locked" if n % 3 == 0 => 4,
            _ => panic!("{n}: {said:#?}"),
        };
        assert_eq!(said.code, code, "{n}: {said:#?}");
        outcomes.push(outcome);
    }
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}\n{outcomes:?}");
    assert!(outcomes.iter().filter(|o| *o == "updated").count() >= 5, "{outcomes:?}");
    let running = host.running();
    assert_eq!(running.len(), 1, "{running:?}");
    let shown = &host.once(&["show", "app", "--json"]).json()[0];
    assert_eq!(shown["container"], running[0], "{shown:#}");
    assert_eq!(host.once(&["locks", "--json"]).json(), [] as [Value; 0]);
}

#[test]
fn first_deploys_and_the_first_boot_at_once() {
    let host = Host::new();
    let image = host.image("1", &[]);
    // The proxy is not there yet: four make it, three of them for one and the same new app.
    let begun: Vec<Begun> =
        ["app", "app", "app", "other"].iter().map(|name| host.begin(&["deploy", &image, "--name", name])).collect();
    let outcomes: Vec<String> = begun
        .into_iter()
        .map(|begun| {
            let said = begun.end();
            assert_eq!(said.code, 0, "{said:#?}");
            said.finished()["outcome"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(outcomes.iter().filter(|o| *o == "created").count(), 2, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|o| *o == "unchanged").count(), 2, "{outcomes:?}");
    assert_eq!(host.running().len(), 2);
    let filter = format!("label=once.namespace={}", host.namespace);
    let networks = crate::host::docker(&["network", "ls", "-q", "--filter", &filter]);
    assert_eq!(networks.lines().count(), 1, "one network of the name");
    for app in ["app", "other"] {
        assert_eq!(host.get(&format!("{app}.localhost"), "/version"), (200, "1".to_owned()));
    }
}

#[test]
fn an_older_sequence_is_superseded() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--sequence", "41"]).expect(0, "created");
    host.deploy(&image, &["--sequence", "43", "-e", "A=43"]).expect(0, "updated");
    let before = host.containers();
    let finished = host.deploy(&image, &["--sequence", "42", "-e", "A=42"]).expect(8, "superseded");
    assert_eq!(finished["code"], "superseded");
    assert!(finished["message"].as_str().unwrap().contains("43"), "{finished:#}");
    assert_eq!(finished["serving"], 2, "{finished:#}");
    assert_eq!(host.containers(), before);
    // The same number again is no older one: a CI job that is run again.
    host.deploy(&image, &["--sequence", "43"]).expect(0, "unchanged");
    host.deploy(&image, &["--sequence", "44", "-e", "A=44"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/env?key=A").1, "44");
}
