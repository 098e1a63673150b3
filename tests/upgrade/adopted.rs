//! A container of others with an anonymous volume, which the version before took over.

use std::process::Command;

use crate::before::{Theirs, Upgraded, bytes, holds, put, volume_at};
use crate::host::docker;

#[test]
fn an_adopted_container_keeps_its_anonymous_volume() {
    let on = Upgraded::new();
    let (image, next) = (on.host.image("1", &[]), on.host.image("2", &[]));
    let wiki = format!("{}-wiki", on.host.namespace);
    let mut theirs = Theirs { containers: vec![wiki.clone()], volumes: vec![] };
    let started = Command::new("docker").args(["run", "-d", "--name", &wiki, "-v", "/pages", &image]).output().unwrap();
    assert!(started.status.success(), "{started:?}");
    let pages = volume_at(&wiki, "/pages");
    theirs.volumes.push(pages.clone());
    put(&wiki, "/pages/bytes", &bytes(1));
    on.before(&["adopt", &wiki, "--name", "app", "--host", "app.localhost", "--yes"]).expect(0, "created");
    let there = |version: &str| {
        assert_eq!(on.version("app"), (200, version.to_owned()));
        let container = on.serving("app");
        assert_eq!(volume_at(&container, "/pages"), pages, "{container}");
        holds(&container, "/pages/bytes", &bytes(1));
    };

    there("1");
    assert_eq!(on.listed(), [("app".to_owned(), "running".to_owned())]);
    on.host.json(&["deploy", &next, "--name", "app", "--change-image"]).expect(0, "updated");
    there("2");
    on.host.json(&["rollback", "app"]).expect(0, "updated");
    there("1");
    on.host.json(&["restart", "app"]).expect(0, "updated");
    on.host.json(&["rename", "app", "wiki"]).expect(0, "updated");
    there("1");
    on.host.json(&["remove", "wiki", "--yes"]).expect(0, "updated");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name=^{pages}$")]).trim(), pages);
    on.host.json(&["deploy", &next, "--name", "wiki", "--host", "app.localhost"]).expect(0, "created");
    // What it was, it is again.
    on.host.json(&["rollback", "wiki"]).expect(0, "updated");
    there("1");
}
