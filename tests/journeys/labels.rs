//! Values of variables are in no label, so in no event of the engine, and a lost ledger is made again without them.

use std::time::Duration;

use serde_json::Value;

use crate::host::{Host, docker, eventually};

/// Variables as `once env` tells them: secrets by name only.
fn variables(host: &Host) -> Vec<Value> {
    host.once(&["env", "app", "--json"]).json()
}

fn lose_the_ledger(host: &Host) {
    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
}

/// Every word that a container of the namespace carries in its labels.
fn labels(host: &Host) -> String {
    let filter = format!("label=once.namespace={}", host.namespace);
    let ids = docker(&["ps", "-aq", "--filter", &filter]);
    ids.split_whitespace().map(|id| host.inspect(id, "{{json .Config.Labels}}")).collect()
}

/// What the engine told of this namespace since a moment.
fn events(host: &Host, since: jiff::Timestamp) -> String {
    let filter = format!("label=once.namespace={}", host.namespace);
    let (since, until) = (since.to_string(), (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1)).to_string());
    docker(&["events", "--since", &since, "--until", &until, "--filter", &filter, "--format", "{{json .}}"])
}

fn app_serves(host: &Host) {
    eventually("the route", Duration::from_secs(30), || (host.get("app.localhost", "/version").0 == 200).then_some(()));
}

#[test]
fn no_value_of_a_variable_is_in_a_label_or_an_event_of_the_engine() {
    let host = Host::new();
    let since = jiff::Timestamp::now();
    let image = host.image("1", &[("FROM_IMAGE", "planted-image")]);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (plain, key) = (file("env", "FROM_FILE=planted-file\nEMPTY=\n"), file("key", "planted-key"));
    let secret = format!("TOKEN=@{key}");
    let given = ["-e", "GIVEN=planted-given", "--env-file", &plain, "--secret", &secret];
    host.deploy(&image, &given).expect(0, "created");
    host.json(&["set", "app", "LATER=planted-later"]).expect(0, "updated");
    host.json(&["restart", "app"]).expect(0, "updated");
    host.json(&["deploy", "--name", "app", "-e", "TRIED=planted-tried", "--canary", "10%"]).expect(0, "updated");
    host.json(&["promote", "app"]).expect(0, "updated");
    host.json(&["rollback", "app"]).expect(0, "updated");
    let next = host.image("2", &[]);
    host.json(&["deploy", &next, "--name", "app", "--release-command", "/once completions fish"]);
    let (told, seen) = (labels(&host), events(&host, since));
    assert!(told.contains("once.plain") && seen.contains("once.plain"), "{told}\n{seen}");
    for text in [&told, &seen] {
        assert!(!text.contains("planted"), "{text}");
    }

    // What is not in the labels comes back all the same: values, and which of them are secrets.
    let before = variables(&host);
    assert_eq!(before.iter().filter(|v| v["secret"] == true).count(), 1, "{before:#?}");
    assert!(before.len() >= 5, "{before:#?}");
    lose_the_ledger(&host);
    let container = host.running().into_iter().next().unwrap();
    host.json(&["adopt", &container, "--yes"]).expect(0, "created");
    app_serves(&host);
    assert_eq!(variables(&host), before, "nothing of the image's or once's own is taken for the user's");
    for (name, value) in [("GIVEN", "planted-given"), ("FROM_FILE", "planted-file"), ("TOKEN", "planted-key")] {
        assert_eq!(host.get("app.localhost", &format!("/env?key={name}")).1, value);
    }
    host.json(&["deploy", "--name", "app", "-e", "GIVEN=planted-given", "--secret", &secret]).expect(0, "unchanged");
}

#[test]
fn a_container_of_the_version_before_is_read_named_and_not_restarted() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["-e", "LOCALE=planted-de", "-e", "EMPTY=", "--secret", "TOKEN=@/etc/hostname"])
        .expect(0, "created");
    let before = variables(&host);
    let container = format!("{}-app-1", host.namespace);
    as_the_version_before_made_it(&host, &container);
    let named = |host: &Host| -> Vec<Value> {
        let found = host.once(&["doctor", "--json"]).json();
        found.into_iter().filter(|f| f["kind"] == "label-values" && f["app"] == "app").collect()
    };
    let [found] = &named(&host)[..] else { panic!("{:#?}", named(&host)) };
    assert_eq!((found["severity"].as_str(), found["subject"].as_str()), (Some("remark"), Some(container.as_str())));
    host.json(&["deploy", &image, "--name", "app", "-e", "LOCALE=planted-de"]).expect(0, "unchanged");

    lose_the_ledger(&host);
    host.json(&["adopt", &container, "--yes"]).expect(0, "created");
    app_serves(&host);
    assert_eq!(variables(&host), before);
    host.json(&["restart", "app"]).expect(0, "updated");
    assert_eq!(
        host.inspect(&format!("{}-app-2", host.namespace), "{{json .Config.Labels}}").matches("planted").count(),
        0
    );
}

/// The same container with labels as 0.1.0 wrote them: values of what is no secret stand in `once.settings`.
fn as_the_version_before_made_it(host: &Host, container: &str) {
    let labels: serde_json::Map<String, Value> =
        serde_json::from_str(&host.inspect(container, "{{json .Config.Labels}}")).unwrap();
    let env: Vec<String> = serde_json::from_str(&host.inspect(container, "{{json .Config.Env}}")).unwrap();
    let image = host.inspect(container, "{{.Image}}");
    let mut args = vec!["run".to_owned(), "-d".into(), "--name".into(), container.into()];
    args.extend(["--network".into(), host.namespace.clone(), "--restart".into(), "unless-stopped".into()]);
    for (key, value) in &labels {
        let mut value = value.as_str().unwrap().to_owned();
        if key == "once.plain" {
            continue;
        }
        if key == "once.settings" {
            let mut settings: Value = serde_json::from_str(&value).unwrap();
            settings["env"]["LOCALE"] = serde_json::json!({ "value": "planted-de" });
            settings["env"]["EMPTY"] = serde_json::json!({ "value": "" });
            value = settings.to_string();
        }
        args.extend(["--label".into(), format!("{key}={value}")]);
    }
    env.iter().for_each(|pair| args.extend(["--env".into(), pair.clone()]));
    let volume = format!("{}-app", host.namespace);
    for at in ["/storage", "/rails/storage"] {
        args.extend(["-v".into(), format!("{volume}:{at}")]);
    }
    args.push(image);
    docker(&["rm", "-f", container]);
    let id = docker(&args.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!id.is_empty());
}
