//! Which app is meant, and what may not be taken from another.

use serde_json::Value;

use crate::host::Host;

#[track_caller]
fn says(finished: &Value, code: &str, hints: &[&str]) {
    assert_eq!(finished["code"], code, "{finished:#}");
    let told = finished["hints"].to_string();
    for hint in hints {
        assert!(told.contains(hint), "{hint}: {finished:#}");
    }
}

#[test]
fn what_belongs_to_another_app_is_not_taken() {
    let host = Host::new();
    let image = host.image("1", &[]);
    // Each is about the demo image, whose own name gives `<namespace>-demo`.
    let derived = format!("{}-demo", host.namespace);
    host.json(&["deploy", &image, "--name", "shop", "--host", "shop.localhost"]).expect(0, "created");
    host.json(&["deploy", &image, "--name", "blog", "--host", "blog.localhost"]).expect(0, "created");
    host.json(&["deploy", &image]).expect(0, "created");
    let before = host.containers();

    let said = host.json(&["deploy", &image, "--name", "fresh", "--host", "shop.localhost"]);
    says(&said.expect(7, "refused"), "host-taken", &["--name shop", "--drop-host shop.localhost", "once remove shop"]);
    // Not after a candidate was tried and taken away again: that leaves no trace either, but for its steps.
    let begun = said.json().into_iter().filter(|e| e["event"] == "step-started" && e["step"] != "lock");
    assert_eq!(begun.collect::<Vec<_>>(), [] as [Value; 0], "nothing was begun");
    let taken = host.json(&["set", "blog", "--host", "shop.localhost"]).expect(7, "refused");
    says(&taken, "host-taken", &["--name shop"]);
    let name = host.json(&["deploy", &image, "--host", "fresh.localhost"]).expect(2, "rejected");
    says(&name, "name-taken", &[&format!("--name {derived}"), "name of its own"]);
    let two = host.json(&["deploy", &image, "--host", "shop.localhost", "--host", "blog.localhost"]);
    says(&two.expect(2, "rejected"), "hosts-of-two-apps", &["--name"]);
    let app = host.json(&["deploy", "shop"]).expect(2, "rejected");
    says(&app, "image-is-app", &["once set shop", "--name shop"]);
    let url = host.json(&["deploy", &image, "--host", "http://shop.localhost/"]).expect(2, "rejected");
    assert!(url.to_string().contains("shop.localhost"), "{url:#}");
    let none = host.json(&["set", "nope", "A=1"]).expect(2, "rejected");
    says(&none, "no-such-app", &["shop"]);

    assert_eq!(host.containers(), before, "none of them did anything");
    assert_eq!(host.once(&["list", "--json"]).json().len(), 3);
    // By any of its hostnames it is the app itself.
    host.json(&["deploy", &image, "--host", "shop.localhost"]).expect(0, "unchanged");
    host.json(&["deploy", "--host", "blog.localhost", "--note", "by its name"]).expect(0, "updated");
}

#[test]
fn data_is_kept_and_attached_again() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let visit = |host: &Host| host.get("app.localhost", "/");
    let key = |host: &Host| host.get("app.localhost", "/env?key=SECRET_KEY_BASE").1;
    for _ in 0..3 {
        assert_eq!(visit(&host).0, 200);
    }
    let (secret, volumes) = (key(&host), host.volumes());
    assert!(secret.len() >= 32 && volumes.len() == 1, "{volumes:?}");

    host.json(&["remove", "app", "--yes"]).expect(0, "updated");
    assert_eq!((host.containers().len(), host.volumes()), (0, volumes.clone()));
    assert_eq!(host.get("app.localhost", "/").0, 421);

    // Another app does not get the name it answered to without a word.
    let other = host.json(&["deploy", &image, "--name", "other", "--host", "app.localhost"]).expect(7, "refused");
    says(&other, "host-lately-owned", &["--name app", "once remove app --data"]);

    let again = host.deploy(&image, &[]).expect(0, "created");
    assert!(again["release"].as_u64() > Some(1), "numbers go on: {again:#}");
    assert_eq!(key(&host), secret, "the generated secret stays with its data");
    let page = visit(&host).1;
    assert!(page.contains("Visit 4."), "{page}");
    let mount = host.inspect(&host.running()[0], "{{range .Mounts}}{{.Name}} {{end}}");
    assert!(mount.contains(&volumes[0]), "{mount}");

    host.json(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(host.volumes(), [] as [String; 0]);
    host.deploy(&image, &[]).expect(0, "created");
    assert_ne!(key(&host), secret, "nothing of it is left");
    // Kept data of an app that was removed before can go later.
    host.json(&["remove", "app", "--yes"]).expect(0, "updated");
    host.json(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(host.volumes(), [] as [String; 0]);
    host.json(&["deploy", &image, "--name", "other", "--host", "app.localhost"]).expect(0, "created");
}

#[test]
fn instances_stand_beside_each_other() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.json(&["deploy", &image, "--name", "shop"]).expect(0, "created");
    host.json(&["deploy", &image, "--name", "shop.staging", "-e", "DEMO_VERSION=next"]).expect(0, "created");
    assert_eq!(host.get("shop.localhost", "/version").1, "1");
    assert_eq!(host.get("staging.shop.localhost", "/version").1, "next");
    host.json(&["set", "shop.staging", "A=1"]).expect(0, "updated");
    assert_eq!(host.get("shop.localhost", "/env?key=A").0, 404);
    host.json(&["remove", "shop.staging", "--yes"]).expect(0, "updated");
    assert_eq!(host.get("shop.localhost", "/version").0, 200);
}
