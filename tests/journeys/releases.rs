//! The history: what a release was, how two of them differ, and the way back to any of them.

use serde_json::Value;

use crate::host::{Host, Said, docker};

fn plan(said: &Said) -> Value {
    said.json().into_iter().find(|e| e["event"] == "planned").unwrap()["plan"].clone()
}

/// `once deploy … --secret TOKEN`, the value in the environment.
fn deploy(host: &Host, image: &str, token: &str, more: &[&str]) {
    let args = [&["deploy", image, "--name", "app", "--host", "app.localhost", "--secret", "TOKEN", "--json"], more];
    let mut command = host.command(&args.concat());
    command.env("TOKEN", token);
    let said = Said::of(&command.output().unwrap());
    assert_eq!(said.code, 0, "{said:#?}");
}

#[test]
fn the_history_tells_what_who_why_and_how() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    deploy(&host, &images[0], "hunter-one", &["--note", "the first", "--revision", "3f2a91c"]);
    deploy(&host, &images[1], "hunter-two", &["--memory", "256m", "-e", "A=1", "--note", "faster"]);

    let releases = host.once(&["releases", "app", "--json"]).json();
    let told: Vec<_> = releases.iter().map(|r| (r["release"].as_u64(), r["note"].as_str())).collect();
    assert_eq!(told, [(Some(2), Some("faster")), (Some(1), Some("the first"))]);
    let shown = host.once(&["show", "app", "--release", "1", "--json"]).json().remove(0);
    assert_eq!((shown["source_revision"].as_str(), shown["status"].as_str()), (Some("3f2a91c"), Some("replaced")));
    assert!(shown["took_ms"].as_u64() > Some(0) && shown["by"].is_string(), "{shown:#}");
    let steps: Vec<_> = shown["steps"].as_array().unwrap().iter().filter(|s| s["state"] == "done").collect();
    assert!(steps.iter().any(|s| s["step"] == "healthy") && steps.iter().any(|s| s["step"] == "switch"), "{shown:#}");
    let words = host.once(&["show", "app", "--release", "2"]);
    assert!(words.stdout.contains("faster") && words.stdout.contains("switch done"), "{words:#?}");

    let diff = host.once(&["diff", "app", "1", "2", "--json"]);
    let fields: Vec<_> = diff.json().iter().map(|d| d["field"].as_str().unwrap().to_owned()).collect();
    assert_eq!(fields, ["digest", "image", "env.A", "env.TOKEN", "memory", "note"], "{diff:#?}");
    let words = host.once(&["diff", "app", "1"]);
    assert!(words.stdout.contains("~ env.TOKEN  changed"), "{words:#?}");
    let said = [diff, words, host.once(&["releases", "app"]), host.once(&["show", "app", "--release", "1"])];
    assert!(said.iter().all(|s| !format!("{s:?}").contains("hunter")), "{said:#?}");
    assert_eq!(host.once(&["show", "app", "--release", "9"]).code, 2);
}

#[test]
fn the_plan_tells_what_each_change_costs_and_no_secret() {
    let host = Host::new();
    let image = host.image("1", &[]);
    deploy(&host, &image, "hunter-one", &[]);
    let args = ["plan", &image, "--name", "app", "--secret", "TOKEN", "--note", "x", "--health-timeout", "9s"];
    let mut command = host.command(&args);
    command.env("TOKEN", "hunter-two");
    let said = Said::of(&command.output().unwrap());
    for line in ["~ env.TOKEN  changed  [swap]", "+ note  x  [costs nothing]", "[re-route]"] {
        assert!(said.stderr.contains(line), "{line}: {said:#?}");
    }
    assert!(!format!("{said:?}").contains("hunter"), "{said:#?}");
}

#[test]
fn what_is_kept_is_a_setting_and_every_release_can_be_gone_back_to() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["-e", "N=1", "--keep-containers", "1"]).expect(0, "created");
    for n in 2..=4 {
        host.deploy(&image, &["-e", &format!("N={n}")]).expect(0, "updated");
    }
    assert_eq!((host.running().len(), host.containers().len()), (1, 2), "one is kept beside the serving one");
    let back = host.json(&["rollback", "app", "1"]);
    back.expect(0, "updated");
    assert_eq!(host.get("app.localhost", "/env?key=N").1, "1");
    assert!(plan(&back)["remarks"].to_string().contains("data stays as it is"), "{back:#?}");
    // Its container is kept: the very same one serves again.
    let kept = docker(&["inspect", "-f", "{{.Id}}", &format!("{}-app-4", host.namespace)]);
    host.json(&["rollback", "app", "4"]).expect(0, "updated");
    assert_eq!(docker(&["inspect", "-f", "{{.Id}}", &host.running()[0]]), kept);
    assert_eq!(host.get("app.localhost", "/env?key=N").1, "4");

    let told = host.deploy(&image, &["--keep-containers", "21"]);
    told.expect(2, "rejected");
    host.deploy(&image, &["--keep-containers", "0"]).expect(0, "updated");
    host.deploy(&image, &["-e", "N=9"]).expect(0, "updated");
    assert_eq!(host.containers().len(), 1);
}

#[test]
fn a_revision_is_recorded_also_where_the_image_stays() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--revision", "abc"]).expect(0, "created");
    host.deploy(&image, &["--revision", "abc"]).expect(0, "unchanged");
    let planned = plan(&host.json(&["plan", &image, "--name", "app", "--revision", "def"]));
    assert_eq!((&planned["action"], &planned["changes"][0]["field"]), (&"record".into(), &"revision".into()));
    host.deploy(&image, &["--revision", "def"]).expect(0, "updated");
    let releases = host.json(&["releases", "app"]).json();
    assert_eq!((releases.len(), &releases[0]["source_revision"]), (1, &"def".into()), "{releases:#?}");
}
