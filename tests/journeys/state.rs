//! Start, stop, restart, roll back, look.

use std::time::{Duration, Instant};

use once_demo::load::Mix;

use crate::host::{Host, docker, eventually};

#[test]
fn a_stopped_app_stays_stopped_until_it_is_started() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    host.json(&["stop", "app"]).expect(0, "updated");
    let stopped = |host: &Host, what: &str| {
        let (status, page) = host.get("app.localhost", "/version");
        assert_eq!(status, 503, "{what}: a page, not `not found`: {page}");
        assert_eq!(host.running(), [] as [String; 0], "{what}");
        assert_eq!(host.once(&["show", "app", "--json"]).json()[0]["state"], "stopped", "{what}");
    };
    stopped(&host, "stop");
    host.json(&["stop", "app"]).expect(0, "unchanged");
    host.json(&["set", "app", "--note", "closed"]).expect(0, "updated");
    stopped(&host, "a note");
    host.json(&["set", "app", "--host", "www.localhost"]).expect(0, "updated");
    stopped(&host, "a hostname");
    host.json(&["set", "app", "A=1"]).expect(0, "updated");
    stopped(&host, "a swap");
    host.json(&["start", "app"]).expect(0, "updated");
    assert_eq!(host.get("www.localhost", "/env?key=A"), (200, "1".to_owned()));
    host.json(&["start", "app"]).expect(0, "unchanged");

    host.json(&["stop", "app"]).expect(0, "updated");
    host.json(&["set", "app", "A=2", "--start"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/env?key=A"), (200, "2".to_owned()));

    // Also where the change itself would start nothing.
    for change in [&["--host", "late.localhost"][..], &["--note", "open"]] {
        host.json(&["stop", "app"]).expect(0, "updated");
        host.json(&[&["set", "app"][..], change, &["--start"]].concat()).expect(0, "updated");
        assert_eq!(host.get("app.localhost", "/env?key=A"), (200, "2".to_owned()), "{change:?}");
    }
}

#[test]
fn a_restart_loses_no_request() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "3"]).expect(0, "created");
    let before = host.running();
    let load = host.load(8, Mix::ALL);
    host.json(&["restart", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_ne!(host.running(), before);
    assert_eq!(host.running().len(), 1);
}

#[test]
fn back_to_an_earlier_release() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["-e", "DEMO_VERSION=one", "-e", "A=1", "--memory", "256m"]).expect(0, "created");
    host.deploy(&image, &["-e", "DEMO_VERSION=two", "--unset", "env.A", "--memory", "300m"]).expect(0, "updated");
    host.deploy(&image, &["-e", "DEMO_VERSION=three"]).expect(0, "updated");

    let first = host.inspect(&format!("{}-app-1", host.namespace), "{{.Id}}");
    let load = host.load(6, Mix { websocket: 0, ..Mix::ALL });
    let began = Instant::now();
    let back = host.json(&["rollback", "app", "1"]).expect(0, "updated");
    let took = began.elapsed();
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    assert_eq!((back["release"].as_u64(), back["serving"].as_u64()), (Some(4), Some(4)), "a number of its own");
    assert_eq!(host.version(), "one");
    assert_eq!(
        host.inspect(&host.running()[0], "{{.Id}}"),
        first,
        "its container was kept, and is the one that serves"
    );
    assert_eq!(host.get("app.localhost", "/env?key=A"), (200, "1".to_owned()));
    assert_eq!(host.inspect(&host.running()[0], "{{.HostConfig.Memory}}"), (256 << 20).to_string());

    // A settings change goes on from there, and the release before is the one before.
    host.json(&["set", "app", "B=1"]).expect(0, "updated");
    assert_eq!(host.version(), "one");
    host.json(&["rollback", "app"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/env?key=B").0, 404);

    // Of some releases the container is gone; the image is still there.
    let two = host.once(&["releases", "app", "--json"]).json();
    let of = |n: u64| two.iter().find(|r| r["release"] == n).unwrap_or_else(|| panic!("{n} of {two:#?}"));
    assert_eq!(of(2)["container_kept"], false, "{two:#?}");
    host.json(&["rollback", "app", "2"]).expect(0, "updated");
    assert_eq!(host.version(), "two");
    assert_eq!(host.get("app.localhost", "/env?key=A").0, 404);
    assert_eq!(host.running().len(), 1);
    assert!(host.containers().len() <= 3, "two are kept: {:?}", host.containers());

    let releases = host.once(&["releases", "app", "--json"]).json();
    let newest = &releases[0];
    assert_eq!(
        (newest["release"].as_u64(), newest["serving"].as_bool(), newest["rollback_to"].as_u64()),
        (Some(7), Some(true), Some(2)),
        "{newest:#}"
    );
    assert_eq!(newest["settings"]["memory"], of(2)["settings"]["memory"]);
    host.json(&["rollback", "app", "99"]).expect(2, "rejected");
}

#[test]
fn exec_and_logs() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let said = host.once(&["exec", "app", "--", "/once", "completions", "bash"]);
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.stdout.contains("_once()"), "{said:#?}");
    let said = host.once(&["exec", "app", "--", "/once", "deploy", "--nonsense"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{said:#?}");
    assert!(said.stderr.contains("--nonsense"), "the command's own standard error: {said:#?}");
    let absent = host.once(&["exec", "app", "--", "/nothing"]);
    assert!([126, 127].contains(&absent.code), "as `docker exec` of the same engine has it: {absent:#?}");
    assert_eq!(host.once(&["exec", "nope", "--", "/once"]).code, 125);

    host.deploy(&image, &["-e", "DEMO_VERSION=two"]).expect(0, "updated");
    let logs = |args: &[&str]| host.once(&[&["logs", "app"], args].concat());
    let all = logs(&[]);
    assert!(all.code == 0 && all.stdout.contains("Booting version two"), "{all:#?}");
    assert!(all.stdout.contains("Booting version 1"), "the container of release 1 is kept: {all:#?}");
    let last = logs(&["-n", "1"]);
    assert_eq!(last.stdout.lines().collect::<Vec<_>>(), [all.stdout.lines().last().unwrap()], "{last:#?}");
    let found = logs(&["--grep", "^Booting .* t.o$"]);
    assert_eq!(found.stdout.lines().count(), 1, "{found:#?}");
    let old = logs(&["--release", "1"]);
    assert!(old.stdout.contains("Booting version 1") && old.stdout.contains("Goodbye"), "{old:#?}");
    assert_eq!(logs(&["--grep", "("]).code, 2);
    assert_eq!(host.get("app.localhost", "/slow?ms=1").0, 200);
    // The proxy writes its log in blocks, a quarter of a second late at most.
    eventually("the request in the access log", Duration::from_secs(10), || {
        let access = logs(&["--access", "--json"]);
        assert_eq!(access.code, 0, "{access:#?}");
        access.stdout.contains("/slow").then_some(())
    });
}

#[test]
fn settings_come_and_go() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let deploy = ["--host", "www.localhost", "-e", "A=1", "-e", "B=2", "--memory", "256m", "--cpus", "0.5"];
    host.deploy(&image, &deploy).expect(0, "created");
    let limits = || host.inspect(&host.running()[0], "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}");
    assert_eq!(limits(), format!("{} 500000000", 256 << 20));

    let plan = |args: &[&str]| host.json(&[&["plan", "--name", "app", "--detailed-exitcode"], args].concat());
    let everything = || (host.containers(), host.once(&["show", "app", "--json"]).json()[0]["revision"].clone());
    let before = everything();
    assert_eq!(plan(&[]).code, 0);
    let pending = plan(&["-e", "A=2"]);
    assert_eq!(pending.code, 10, "{pending:#?}");
    let planned = pending.json().into_iter().find(|e| e["event"] == "planned").unwrap();
    assert_eq!(
        (&planned["plan"]["action"], &planned["plan"]["changes"][0]["field"]),
        (&"swap".into(), &"env.A".into())
    );
    assert_eq!(host.deploy(&image, &["-e", "A=2", "--dry-run"]).code, 0);
    assert_eq!(host.json(&["plan", &image, "--name", "fresh", "--detailed-exitcode"]).code, 10);
    assert_eq!(everything(), before, "looking changes nothing");
    assert_eq!(host.once(&["list", "--json"]).json().len(), 1);

    host.json(&["set", "app", "--unset", "env.A", "--unset", "memory", "--drop-host", "www.localhost"])
        .expect(0, "updated");
    assert_eq!(limits(), "0 500000000");
    assert_eq!(host.get("app.localhost", "/env?key=A").0, 404);
    assert_eq!(host.get("app.localhost", "/env?key=B").1, "2");
    assert_eq!(host.get("www.localhost", "/up").0, 421);

    // What is not said with `--exact` goes back to its default.
    host.json(&["deploy", &image, "--name", "app", "--host", "new.localhost", "-e", "C=3", "--exact"])
        .expect(0, "updated");
    assert_eq!(limits(), "0 0");
    assert_eq!(host.get("new.localhost", "/env?key=B").0, 404);
    assert_eq!(host.get("new.localhost", "/env?key=C").1, "3");
    assert_eq!(host.get("app.localhost", "/up").0, 421);
}

#[test]
fn a_setting_given_as_a_variable_is_asked_about() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    for (text, flag, variable) in
        [("memory=512m", "--memory 512m", "-e memory=512m"), ("note=hello", "--note hello", "-e note=hello")]
    {
        let finished = host.json(&["set", "app", text]).expect(2, "rejected");
        let told = finished.to_string();
        assert!(told.contains(flag) && told.contains(variable), "{finished:#}");
    }
    // Said with -e it is a variable.
    host.json(&["set", "app", "-e", "memory=512m"]).expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/env?key=memory").1, "512m");
    assert_eq!(host.inspect(&host.running()[0], "{{.HostConfig.Memory}}"), "0");
}

#[test]
fn a_proxy_that_is_restarted_knows_all_it_knew() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    host.json(&["deploy", &image, "--name", "closed"]).expect(0, "created");
    host.json(&["stop", "closed"]).expect(0, "updated");
    docker(&["restart", "-t", "5", &host.proxy()]);
    crate::host::eventually("the proxy answers again", Duration::from_secs(15), || {
        (host.get("app.localhost", "/version") == (200, "1".to_owned())).then_some(())
    });
    assert_eq!(host.get("closed.localhost", "/").0, 503);
    host.deploy(&image, &[]).expect(0, "unchanged");
}

#[test]
fn an_app_whose_requests_fail_is_failing_everywhere_and_somebody_should_look() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    assert_eq!(host.once(&["status"]).code, 0);
    for _ in 0..6 {
        assert_eq!(host.get("app.localhost", "/version").0, 200);
        assert_eq!(host.get("app.localhost", "/crash").0, 502);
    }
    let said = host.once(&["status", "app"]);
    assert_eq!(said.code, 10, "{said:#?}");
    assert!(said.stdout.contains("failing, 50% errors"), "{said:#?}");
    assert!(said.stderr.contains("app is failing: 50% errors: 6 of 12 answers in the last minute"), "{said:#?}");
    for command in [&["list", "--json"][..], &["show", "app", "--json"], &["status", "app", "--json"]] {
        let shown = &host.once(command).json()[0];
        assert_eq!((&shown["state"], &shown["finding"]), (&"failing".into(), &true.into()), "{command:?}: {shown:#}");
        assert_eq!((&shown["recent_answers"], &shown["recent_errors"]), (&12.into(), &6.into()), "{shown:#}");
        assert!(shown["reason"].as_str().unwrap().contains("6 of 12"), "{shown:#}");
    }
    let shown = host.once(&["show", "app"]);
    assert!(shown.stdout.contains("50% errors: 6 of 12"), "{shown:#?}");
    // What visitors get on purpose is nobody's error.
    host.json(&["maintenance", "app"]).expect(0, "updated");
    for _ in 0..20 {
        assert_eq!(host.get("app.localhost", "/version").0, 503);
    }
    let said = host.once(&["status", "app", "--json"]);
    let shown = &said.json()[0];
    assert_eq!(
        (said.code, &shown["state"], &shown["own_answers"]),
        (0, &"maintenance".into(), &20.into()),
        "{said:#?}"
    );
    assert_eq!((&shown["recent_answers"], &shown["failed"]), (&12.into(), &6.into()), "{said:#?}");
}

#[test]
fn each_end_says_what_visitors_see_and_how_to_take_it_back() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let last = |args: &[&str]| {
        let said = host.once(args);
        assert_eq!(said.code, 0, "{said:#?}");
        said.stderr.lines().last().unwrap_or_default().to_owned()
    };
    let maintained = "app under maintenance: visitors see a 503 page; `once maintenance app --off` ends it";
    assert_eq!(last(&["maintenance", "app"]), maintained);
    let text = last(&["set", "app", "A=1"]);
    assert!(text.starts_with("app updated, release 2, under maintenance: visitors see a 503 page"), "{text}");
    assert!(last(&["maintenance", "app", "--off"]).starts_with("app updated, release 2 at http://app.localhost"));
    let paused = "app paused: requests wait, each up to 30s; `once resume app` lets them go on";
    assert_eq!(last(&["pause", "app", "--max-wait", "30s"]), paused);
    last(&["resume", "app"]);
    let stopped = "app stopped: visitors see a 503 page; `once start app` lets it serve again";
    assert_eq!(last(&["stop", "app"]), stopped);
    assert_eq!(last(&["stop", "app"]), format!("app unchanged, release 2, {}", &stopped[4..]));
    last(&["start", "app"]);
    let text = last(&["set", "app", "A=2"]);
    assert!(text.ends_with("; `once rollback app` goes back to release 2"), "{text}");
    let finished = host.json(&["stop", "app"]).expect(0, "updated");
    assert_eq!(finished["visitors"]["state"], "stopped", "{finished:#}");
    let kept = format!("{}-app", host.namespace);
    let removed = format!("app removed; data kept: volume {kept}; `once deploy IMAGE --name app` takes them up again");
    assert_eq!(last(&["remove", "app", "--yes"]), removed);
    host.deploy(&image, &[]).expect(0, "created");
    let finished = host.json(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(finished["visitors"], serde_json::json!({ "state": "removed", "kept": [] }), "{finished:#}");
}
