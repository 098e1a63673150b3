//! The ledger is lost; what runs is found, told of, and taken back, without a container being touched.

use std::time::Duration;

use once_demo::load::Mix;
use serde_json::Value;

use crate::host::{Host, docker, eventually};

const APPS: [&str; 3] = ["app", "blog", "shop"];

/// Findings about this namespace's things: the machine's own (disk, memory, clock) are not the test's.
fn findings(host: &Host) -> (i32, Vec<Value>) {
    let said = host.once(&["doctor", "--json"]);
    let machine = [
        "disk",
        "memory",
        "clock",
        "foreign",
        "log",
        "engine",
        "engine-exposed",
        "database-published",
        "port",
        "unseen",
        "permissions",
    ];
    let ours = said.json().into_iter().filter(|f| !machine.contains(&f["kind"].as_str().unwrap())).collect();
    (said.code, ours)
}

/// In the order of their names: findings come look by look.
fn kinds(found: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<&str> = found.iter().map(|f| f["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    kinds
}

/// What tells a container that was touched from one that was not.
fn marks(host: &Host) -> Vec<String> {
    APPS.iter()
        .map(|app| host.inspect(&format!("{}-{app}-1", host.namespace), "{{.Id}} {{.State.StartedAt}}"))
        .collect()
}

#[test]
fn a_lost_ledger_is_called_what_it_is_and_every_app_comes_back_untouched() {
    let host = Host::new();
    let image = host.image("1", &[]);
    for app in APPS {
        let mut command =
            host.command(&["deploy", &image, "--name", app, "--secret", "TOKEN", "-e", "LOCALE=de", "--json"]);
        command.env("TOKEN", format!("planted-{app}"));
        crate::host::run(command).expect(0, "created");
    }
    assert_eq!(findings(&host).1, Vec::<Value>::new(), "a host as it should be");
    let key = |app: &str| host.get(&format!("{app}.localhost"), "/env?key=SECRET_KEY_BASE").1;
    let (before, keys) = (marks(&host), APPS.map(key));

    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
    let (code, found) = findings(&host);
    assert_eq!(code, 10);
    assert_eq!(kinds(&found), ["lost-state", "orphan", "orphan", "orphan", "proxy"], "{found:#?}");
    assert!(found.iter().all(|f| !f["why"].as_str().unwrap().is_empty() && f["mend"][0].is_string()), "{found:#?}");
    assert_eq!(marks(&host), before, "to look is not to touch");

    let fixed = host.once(&["doctor", "--fix"]);
    assert!(!format!("{fixed:?}").contains("planted"), "{fixed:#?}");
    assert_eq!(findings(&host).1, Vec::<Value>::new(), "{fixed:#?}");
    assert_eq!(marks(&host), before, "the containers went on as they were");
    for (app, secret) in APPS.iter().zip(&keys) {
        let name = format!("{app}.localhost");
        eventually("the route", Duration::from_secs(30), || {
            (host.get(&name, "/version").1.trim() == "1").then_some(())
        });
        assert_eq!(&key(app), secret);
        // All of it came back: the same deploy has nothing to do.
        let mut again =
            host.command(&["deploy", &image, "--name", app, "--secret", "TOKEN", "-e", "LOCALE=de", "--json"]);
        again.env("TOKEN", format!("planted-{app}"));
        crate::host::run(again).expect(0, "unchanged");
    }
    // And the next one goes on from there.
    let next = host.image("2", &[]);
    let load = host.load(4, Mix::ALL);
    let updated = host.json(&["deploy", &next, "--name", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!((updated["release"].as_u64(), report.failed), (Some(2), 0), "{report:?}");
}

#[test]
fn what_changed_behind_our_back_is_found_and_mended_by_a_swap() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--memory", "256m"]).expect(0, "created");
    let container = format!("{}-app-1", host.namespace);
    docker(&["update", "--memory", "300m", "--memory-swap", "300m", "--restart", "no", &container]);
    let (code, found) = findings(&host);
    assert_eq!((code, kinds(&found)), (10, vec!["drift"]), "{found:#?}");
    let what = found[0]["what"].as_str().unwrap();
    assert!(what.contains("memory limit is 300m") && what.contains("does not start it again"), "{what}");
    host.once(&["doctor", "--fix"]);
    assert_eq!(findings(&host).1, Vec::<Value>::new());
    assert_eq!(host.inspect(&format!("{}-app-2", host.namespace), "{{.HostConfig.Memory}}"), (256 << 20).to_string());
}

#[test]
fn ghosts_strays_and_the_dead_are_told_apart() {
    let host = Host::new();
    let image = host.image("1", &[]);
    for app in APPS {
        host.json(&["deploy", &image, "--name", app]).expect(0, "created");
    }
    let name = |app: &str| format!("{}-{app}-1", host.namespace);
    docker(&["rm", "-f", &name("app")]);
    docker(&["stop", "-t", "0", &name("blog")]);
    let id = host.inspect(&name("shop"), "{{index .Config.Labels \"once.id\"}}");
    let labels = [
        format!("once.namespace={}", host.namespace),
        "once.role=web".into(),
        "once.app=shop".into(),
        format!("once.id={id}"),
        "once.release=9".into(),
    ];
    let stray = format!("{}-shop-9", host.namespace);
    let mut create = vec!["create", "--name", &stray];
    labels.iter().for_each(|label| create.extend(["--label", label]));
    create.push(&image);
    docker(&create);
    let (code, found) = findings(&host);
    assert_eq!((code, kinds(&found)), (10, vec!["down", "ghost", "stray"]), "{found:#?}");
    host.once(&["doctor", "--fix"]);
    assert_eq!(findings(&host).1, Vec::<Value>::new());
    assert_eq!(host.inspect(&stray, "{{.Id}}"), "", "the stray is gone");
    for app in APPS {
        assert_eq!(host.get(&format!("{app}.localhost"), "/version").0, 200, "{app}");
    }
}

#[test]
fn what_cannot_be_adopted_is_said_with_the_way_out() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let other = format!("{}-other", host.namespace);
    let label = format!("once.namespace={}", host.namespace);
    docker(&["create", "--name", &other, "--label", &label, &image]);
    for (container, code) in
        [("nothing-of-that-name", "no-such-container"), (other.as_str(), "not-running"), (&host.proxy(), "not-an-app")]
    {
        let said = host.json(&["adopt", container, "--yes"]).expect(2, "rejected");
        assert_eq!(said["code"], code, "{said:#}");
    }
    host.json(&["adopt", &format!("{}-app-1", host.namespace), "--yes"]).expect(0, "unchanged");
}
