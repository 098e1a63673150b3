//! A namespace from its empty beginning to its end.

use crate::host::{Host, docker};

/// What carries a namespace's label.
fn all_of(host: &Host) -> Vec<String> {
    let filter = format!("label=once.namespace={}", host.namespace);
    let lists: [&[&str]; 3] = [&["ps", "-aq"], &["volume", "ls", "-q"], &["network", "ls", "-q"]];
    lists
        .iter()
        .flat_map(|l| docker(&[l, &["--filter", &filter][..]].concat()).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn an_empty_host_says_where_it_looked() {
    let (host, other) = (Host::new(), Host::new());
    let image = other.image("1", &[]);
    other.deploy(&image, &[]).expect(0, "created");
    for command in ["list", "status"] {
        let said = host.once(&[command]);
        assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:#?}");
        let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
        for words in [&host.namespace, &other.namespace, &user, &"/var/run/docker.sock".to_owned()] {
            assert!(said.stderr.contains(words), "{words}: {said:#?}");
        }
        let said = host.once(&[command, "--json"]);
        assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{said:#?}");
    }
    assert_eq!(host.once(&["show", "app"]).code, 2);
    assert_eq!(host.once(&["proxy", "status"]).code, 3);
    host.json(&["teardown", "--yes"]).expect(0, "unchanged");
    assert_eq!(all_of(&host), [] as [String; 0], "questions make nothing");
}

#[test]
fn teardown_takes_its_own_and_nothing_else() {
    let (host, other) = (Host::new(), Host::new());
    let image = host.image("1", &[]);
    for host in [&host, &other] {
        host.deploy(&image, &[]).expect(0, "created");
        host.json(&["deploy", &image, "--name", "second"]).expect(0, "created");
    }
    let (before, proxy_image) = (all_of(&other), host.inspect(&host.proxy(), "{{.Image}}"));
    assert_eq!(host.json(&["teardown"]).code, 7, "nobody said yes");
    assert_eq!(host.running().len(), 2);

    let volumes = host.volumes();
    host.json(&["teardown", "--yes"]).expect(0, "updated");
    assert_eq!(host.containers(), []);
    assert_eq!(host.volumes(), volumes, "data is kept unless asked");
    let mut left = volumes.clone();
    left.push(host.proxy());
    left.sort();
    let mut found = all_of(&host);
    found.sort();
    assert_eq!(found, left, "only volumes are left, the proxy's memory of them too");
    // Its data and its history are known again once there is a proxy; the other app does not come back unasked.
    let finished = host.deploy(&image, &["-e", "DEMO_VERSION=2"]).expect(0, "created");
    assert_eq!(finished["release"], 2, "{finished:#}");
    assert_eq!(host.version(), "2");
    assert_eq!(host.get("second.localhost", "/version").0, 421);
    assert!(host.once(&["list"]).stderr.contains("second"), "its data is kept, and it is said");
    host.json(&["rollback", "second"]).expect(0, "created");
    assert_eq!(host.get("second.localhost", "/version"), (200, "1".to_owned()));

    host.json(&["teardown", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(all_of(&host), [] as [String; 0]);
    assert_eq!(all_of(&other), before);
    assert_eq!(other.version(), "1");
    // Both run the same build: its image stays as long as the other needs it.
    other.json(&["teardown", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(all_of(&other), [] as [String; 0]);
    let tags =
        docker(&["image", "ls", "-q", "--no-trunc", "--filter", &format!("label=once.namespace={}", host.namespace)]);
    assert!(!tags.contains(&proxy_image) || tags.is_empty(), "{tags}");
}

#[test]
fn each_question_is_answered_by_an_object_per_thing() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--host", "www.localhost", "-e", "A=1"]).expect(0, "created");
    host.json(&["deploy", &image, "--name", "second"]).expect(0, "created");
    host.json(&["lock", "second"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/up").0, 200);
    for (args, count, field) in [
        (&["list"][..], Some(2), "name"),
        (&["status"], Some(2), "state"),
        (&["status", "app"], Some(1), "state"),
        (&["show", "www.localhost"], Some(1), "settings"),
        (&["releases", "app"], Some(1), "release"),
        (&["env", "app"], Some(1), "key"),
        (&["locks"], Some(1), "since"),
        (&["activity"], None, "outcome"),
        (&["activity", "app"], None, "outcome"),
        (&["logs", "app", "-n", "1"], Some(1), "text"),
        (&["proxy", "status"], Some(1), "version"),
        (&["proxy", "routes"], Some(3), "host"),
        (&["version"], Some(1), "version"),
    ] {
        let said = host.once(&[args, &["--json"]].concat());
        assert_eq!(said.code, 0, "{args:?}: {said:#?}");
        let objects = said.json();
        assert!(objects.iter().all(|o| !o[field].is_null()), "{args:?}: {said:#?}");
        assert!(count.map_or(!objects.is_empty(), |n| objects.len() == n), "{args:?}: {said:#?}");
        let people = host.once(args);
        assert!(people.code == 0 && !people.stdout.trim().is_empty(), "{args:?}: {people:#?}");
    }
    let logs = host.once(&["proxy", "logs"]);
    assert!(logs.code == 0 && logs.stdout.contains("/up"), "{logs:#?}");
    let setup = host.once(&["setup"]);
    assert!(setup.code == 0 && setup.stderr.contains("answers at"), "{setup:#?}");
    host.json(&["setup"]).expect(0, "unchanged");
    let completions = host.once(&["completions", "bash"]);
    assert!(completions.code == 0 && completions.stdout.contains("_once()"));
}
