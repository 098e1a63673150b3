//! An app gets another name; what it is stays as it was.

use std::time::Duration;

use once_demo::load::Mix;

use crate::host::{Host, docker, eventually};

fn shown(host: &Host, app: &str) -> serde_json::Value {
    host.once(&["show", app, "--json"]).json().pop().unwrap()
}

#[test]
fn a_rename_touches_nothing_but_the_name() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    let mut first = host.command(&["deploy", &images[0], "--name", "app", "--secret", "TOKEN", "--json"]);
    first.env("TOKEN", "planted");
    crate::host::run(first).expect(0, "created");
    host.json(&["deploy", &images[0], "--name", "blog"]).expect(0, "created");
    let key = host.get("app.localhost", "/env?key=SECRET_KEY_BASE").1;
    let container = format!("{}-app-1", host.namespace);
    let touched = |host: &Host| host.inspect(&container, "{{.Id}} {{.State.StartedAt}} {{.Name}}");
    let (before, id, volume) = (touched(&host), shown(&host, "app")["id"].clone(), format!("{}-app", host.namespace));

    // The preview says what changes and what does not, and does nothing.
    let said = host.once(&["rename", "app", "store", "--dry-run"]);
    for part in ["name  app → store", "+ alias  app", "no container is touched", &volume, "app.localhost", "history"]
    {
        assert!(format!("{said:?}").contains(part), "{part}: {said:#?}");
    }
    assert_eq!(shown(&host, "app")["name"], "app");

    let load = host.load(8, Mix::ALL);
    host.json(&["rename", "app", "store"]).expect(0, "updated");
    host.json(&["rename", "app", "store"]).expect(0, "unchanged");
    assert_eq!(touched(&host), before, "no container was touched");
    let app = shown(&host, "app");
    assert_eq!((&app["name"], &app["id"], &app["aliases"][0]), (&"store".into(), &id, &"app".into()), "{app:#}");
    assert_eq!(shown(&host, "store")["id"], id, "both names mean it");
    // The pipeline that knows only the old name goes on; nothing differs, so nothing happens.
    let mut again = host.command(&["deploy", &images[0], "--name", "app", "--secret", "TOKEN", "--json"]);
    again.env("TOKEN", "planted");
    assert_eq!(crate::host::run(again).expect(0, "unchanged")["app"], "store");
    host.json(&["deploy", &images[1], "--name", "app"]).expect(0, "updated");
    host.json(&["rollback", "store"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");

    assert_eq!(host.get("app.localhost", "/env?key=SECRET_KEY_BASE").1, key, "its secrets stay");
    let mounts = host.inspect(&format!("{}-store-2", host.namespace), "{{range .Mounts}}{{.Name}} {{end}}");
    assert_eq!(mounts.split_whitespace().collect::<Vec<_>>(), [&volume, &volume], "its data stays");
    let history = host.once(&["activity", "store", "--json"]).json();
    assert!(history.iter().any(|a| a["text"] == "deploy release 1"), "history goes on: {history:#?}");
    assert_eq!(host.once(&["releases", "store", "--json"]).json().len(), 3);

    // Names of others are not taken, and an alias is one.
    for (args, code) in [
        (&["rename", "store", "blog"][..], "name-taken"),
        (&["rename", "blog", "app"], "name-taken"),
        (&["rename", "blog", "proxy"], "bad-arguments"),
        (&["rename", "nope", "new"], "no-such-app"),
        (&["rename", "--drop-alias", "blog"], "no-such-alias"),
    ] {
        assert_eq!(host.json(args).expect(2, "rejected")["code"], code, "{args:?}");
    }

    host.json(&["rename", "--drop-alias", "app"]).expect(0, "updated");
    host.json(&["deploy", "--name", "app", "--note", "none"]).expect(2, "rejected");
    // Whoever takes the free name now gets neither the data nor the hostname.
    let taken = host.json(&["deploy", &images[0], "--name", "app", "--host", "new.localhost"]).expect(7, "refused");
    assert_eq!(taken["code"], "volume-of-another-app", "{taken:#}");
    host.json(&["rename", "store", "shop.staging"]).expect(0, "updated");
    assert_eq!(shown(&host, "shop.staging")["id"], id, "an instance is a part of the name");
}

#[test]
fn a_renamed_app_comes_back_under_its_new_name_when_the_ledger_is_lost() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    host.json(&["rename", "app", "store"]).expect(0, "updated");
    host.json(&["rename", "store", "kiosk"]).expect(0, "updated");
    host.json(&["rename", "--drop-alias", "store"]).expect(0, "updated");
    let (id, notes) = (shown(&host, "kiosk")["id"].clone(), host.volumes().len());
    assert_eq!(notes, 2, "its data, and one note of its names: {:?}", host.volumes());

    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
    host.once(&["doctor", "--fix"]);
    eventually("the route", Duration::from_secs(30), || {
        (host.get("app.localhost", "/version").1.trim() == "1").then_some(())
    });
    let app = shown(&host, "kiosk");
    assert_eq!((&app["id"], &app["aliases"], &app["name"]), (&id, &serde_json::json!(["app"]), &"kiosk".into()));
    host.json(&["deploy", &image, "--name", "app", "--force"]).expect(0, "updated");
    let mounts = host.inspect(&format!("{}-kiosk-2", host.namespace), "{{range .Mounts}}{{.Name}} {{end}}");
    assert!(mounts.contains(&format!("{}-app", host.namespace)), "{mounts}");

    // Without the note the labels of the newest container tell, and what is a guess is said to be one.
    for volume in host.volumes().iter().filter(|v| v.contains("-name-")) {
        docker(&["volume", "rm", volume]);
    }
    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
    let adopted = host.json(&["adopt", &format!("{}-kiosk-2", host.namespace), "--yes"]).expect(0, "created");
    assert!(adopted["warnings"].to_string().contains("made under app is now of kiosk"), "{adopted:#}");
    assert_eq!(shown(&host, "kiosk")["aliases"], serde_json::json!(["app"]));
    host.json(&["remove", "kiosk", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(host.volumes(), [] as [String; 0], "the note goes with the data");
}
