//! Apps with data: below `/storage`, on volumes with names, on the host, on a volume of the engine; and kept containers.

use crate::before::{Theirs, Upgraded, bytes, holds, put};
use crate::host::docker;

#[test]
fn kept_containers_are_gone_back_to_and_requests_are_answered_all_the_way() {
    let on = Upgraded::new();
    let image = on.host.image("0", &[]);
    for version in ["1", "2", "3"] {
        let made = on.before(&["deploy", &image, "--name", "app", "-e", &format!("DEMO_VERSION={version}")]);
        assert_eq!(made.code, 0, "{made:#?}");
    }
    let kept = on.host.inspect(&format!("{}-app-1", on.host.namespace), "{{.Id}}");
    put(&on.serving("app"), "/storage/bytes", &bytes(1));

    let load = on.host.load(2, once_demo::load::Mix::ALL);
    on.host.json(&["rollback", "app", "1"]).expect(0, "updated");
    assert_eq!((on.version("app"), on.host.inspect(&on.serving("app"), "{{.Id}}")), ((200, "1".to_owned()), kept));
    on.host.json(&["deploy", &image, "--name", "app", "-e", "DEMO_VERSION=4"]).expect(0, "updated");
    let upgraded = on.host.once(&["proxy", "upgrade", "--json"]);
    assert_eq!(upgraded.code, 0, "{upgraded:#?}");
    on.host.json(&["restart", "app"]).expect(0, "updated");
    let report = load.stop();
    assert_eq!((on.version("app").1.as_str(), report.failed), ("4", 0), "{report:?}");
    holds(&on.serving("app"), "/storage/bytes", &bytes(1));
    let releases = on.host.once(&["releases", "app", "--json"]).json();
    assert_eq!(releases.len(), 6, "{releases:#?}");
}

#[test]
fn every_kind_of_volume_keeps_its_bytes_through_every_change() {
    let on = Upgraded::new();
    let image = on.host.image("0", &[]);
    let folder = tempfile::tempdir().unwrap();
    let external = format!("{}_external", on.host.namespace);
    let theirs = Theirs { containers: vec![], volumes: vec![external.clone()] };
    docker(&["volume", "create", &external]);
    let (mount, existing) = (format!("{}:/host", folder.path().display()), format!("docker:{external}:/existing"));
    let volumes = ["--volume", "data:/data", "--volume", &mount, "--volume", &existing];
    let deploy = ["deploy", &image, "--name", "store", "--swap", "handover", "--memory", "256m"];
    let made = on.before(&[&deploy[..], &volumes, &["-e", "DEMO_VERSION=1"]].concat());
    made.expect(0, "created");
    let places = ["/storage/bytes", "/data/bytes", "/host/bytes", "/existing/bytes"];
    let write = |seed: u8| {
        let container = on.serving("store");
        places.iter().zip(seed..).for_each(|(path, seed)| put(&container, path, &bytes(seed)));
    };
    let all_there = |name: &str, seed: u8| {
        let container = on.serving(name);
        places.iter().zip(seed..).for_each(|(path, seed)| holds(&container, path, &bytes(seed)));
    };
    write(1);
    assert_eq!(on.listed(), [("store".to_owned(), "running".to_owned())]);

    on.host.json(&["deploy", "--name", "store", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    assert_eq!(on.version("store"), (200, "2".to_owned()));
    all_there("store", 1);
    on.host.json(&["rollback", "store"]).expect(0, "updated");
    assert_eq!(on.version("store"), (200, "1".to_owned()));
    all_there("store", 1);
    write(11);
    on.host.json(&["restart", "store"]).expect(0, "updated");
    all_there("store", 11);
    on.host.json(&["rename", "store", "shelf"]).expect(0, "updated");
    on.host.json(&["set", "store", "A=1"]).expect(0, "updated");
    all_there("shelf", 11);

    on.host.json(&["remove", "shelf", "--yes"]).expect(0, "updated");
    assert_eq!(on.listed(), []);
    on.host.json(&[&["deploy", &image, "--name", "shelf"][..], &volumes].concat()).expect(0, "created");
    all_there("shelf", 11);
    on.host.json(&["rollback", "shelf"]).expect(0, "updated");
    all_there("shelf", 11);
    drop(theirs);
}
