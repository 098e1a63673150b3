//! A shell in the app's container, opened from the console: whose keys are whose.

use std::path::Path;
use std::process::Command;

use super::host::{Host, docker};
use super::term::{ESC, Term};

/// The demo app's image with this machine's shell in it.
fn image_with_shell(host: &Host) -> String {
    let plain = host.image("1", &[]);
    let root = tempfile::tempdir().unwrap();
    let output = Command::new("ldd").arg("/bin/sh").output().unwrap();
    let libraries = String::from_utf8(output.stdout).unwrap();
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/bin/sh"]) {
        let to = root.path().join(Path::new(file).strip_prefix("/").unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(file, to).unwrap();
    }
    let container = docker(&["create", &plain]).trim().to_owned();
    docker(&["cp", &format!("{}/.", root.path().display()), &format!("{container}:/")]);
    let tag = format!("{}-demo:shell", host.namespace);
    host.adopt_image(&tag);
    docker(&["commit", &container, &tag]);
    docker(&["rm", &container]);
    tag
}

#[test]
fn keys_for_the_shell_never_reach_the_console() {
    let host = Host::new();
    let image = image_with_shell(&host);
    host.deploy(&image, &[]).expect(0, "created");
    let mut term = Term::with_app(&host);
    term.send("s");
    term.wait_until("a prompt", |term| !term.text().contains("app.localhost") && term.text().contains(['#', '$']));
    // Each of these letters would do something in the console.
    term.send("echo nedqr-$((40+2))\r");
    term.wait("nedqr-42");
    term.send("exit 0\r");
    term.wait("● app.localhost");
    term.wait("q quit");
    assert!(!term.text().contains("no shell"), "{}", term.text());
    term.send("?");
    term.wait("Keys of this screen");
    term.send(ESC);
    term.wait("q quit");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn an_image_without_a_shell_is_said_to_have_none() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut term = Term::with_app(&host);
    term.send("s");
    term.wait("! the image of app has no shell");
    term.send("!");
    term.wait("`once exec app -- PROGRAM` runs a program that it has");
    term.send(ESC);
    term.send("q");
    assert!(term.exit().success());
    let said = host.once(&["shell", "app"]);
    assert_eq!(said.code, 125, "{said:#?}");
    assert!(said.stderr.contains("the image of app has no shell"), "{said:#?}");
}
