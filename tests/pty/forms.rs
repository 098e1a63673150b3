//! The form of an app's settings, and what comes of it on a real engine.

use super::host::Host;
use super::term::{DOWN, ENTER, ESC, REVIEW, Term};

/// The mount of the app's container at this path: where from, and whether it can be written to.
fn mount(host: &Host, target: &str) -> (String, bool) {
    let containers = host.running();
    let [container] = containers.as_slice() else { panic!("{containers:?}") };
    let text = host.inspect(container, "{{json .Mounts}}");
    let mounts: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mount = mounts.as_array().unwrap().iter().find(|m| m["Destination"] == target).unwrap();
    (mount["Source"].as_str().unwrap().to_owned(), mount["RW"].as_bool().unwrap())
}

/// Where the cursor is, and what stands in its line.
fn focus(screen: &vt100::Screen) -> ((u16, u16), String) {
    let at = screen.cursor_position();
    (at, screen.rows(0, screen.size().1.into()).nth(at.0.into()).unwrap_or_default())
}

/// Moves the cursor down to the row that begins with these words.
fn to_row(term: &mut Term, words: &str) {
    for _ in 0..120 {
        let before = term.look(focus);
        if before.1.contains(words) {
            return;
        }
        term.send(DOWN);
        term.wait_frame("cursor elsewhere", |screen| !screen.hide_cursor() && focus(screen) != before);
    }
    panic!("no row {words:?} on:\n{}", term.text());
}

#[test]
fn a_read_only_mount_is_shown_kept_and_edited() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (first, second) = (path("first"), path("firstx"));
    host.deploy(&image, &["--volume", &format!("{first}:/data:ro")]).expect(0, "created");
    assert_eq!(mount(&host, "/data"), (first.clone(), false));

    let mut term = Term::with_app(&host);
    term.send("e");
    term.wait("Settings app.localhost");
    to_row(&mut term, "/data");
    term.wait(&format!("{first}:ro"));
    // From the name to the end of the text, over `:ro`, and a letter before it.
    term.send("\t\x1b[F\x1b[D\x1b[D\x1b[Dx");
    term.wait(&format!("{second}:ro"));
    term.send(REVIEW);
    term.wait("new container");
    term.wait(":ro");
    term.send(ENTER);
    term.wait("release 2 serves");
    term.wait("esc back");
    term.send(ESC);
    term.wait("● app.localhost");
    assert_eq!(mount(&host, "/data"), (second.clone(), false), "it is read-only still");

    // Writable by taking three characters away, which is said and meant.
    term.send("e");
    term.wait("Settings app.localhost");
    to_row(&mut term, "/data");
    term.send("\t\x1b[F\x7f\x7f\x7f");
    term.wait_until("mount without :ro", |term| !term.text().contains(&format!("{second}:ro")));
    term.send(REVIEW);
    term.wait("new container");
    term.send(ENTER);
    term.wait("release 3 serves");
    assert_eq!(mount(&host, "/data"), (second, true));
}

#[test]
fn a_change_that_failed_can_be_tried_again_and_edited() {
    let host = Host::new();
    let (good, bad) = (host.image("1", &[]), host.image("2", &[("DEMO_MODE", "exit")]));
    host.deploy(&good, &[]).expect(0, "created");
    let mut term = Term::with_app(&host);
    term.send("d");
    term.wait("Deploy app.localhost");
    // The image's text anew.
    term.send("\x15");
    term.send(&bad);
    term.send(REVIEW);
    term.wait("new container");
    term.send(ENTER);
    term.wait("serves on, untouched");
    term.send("r");
    term.wait("release 1 → 3");
    term.wait("serves on, untouched");
    assert!(!term.text().contains("somebody else"), "{}", term.text());
    term.send("e");
    term.wait("Deploy app.localhost");
    term.send("\x15");
    let better = host.image("3", &[]);
    term.send(&better);
    term.send(REVIEW);
    term.wait("new container");
    term.send(ENTER);
    term.wait("release 4 serves");
    assert_eq!(host.version(), "3");
}

#[test]
fn what_another_person_changed_meanwhile_is_not_overwritten() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut term = Term::with_app(&host);
    term.send("e");
    term.wait("Settings app.localhost");
    host.json(&["set", "app", "--note", "theirs"]).expect(0, "updated");
    to_row(&mut term, "Note");
    term.send("mine");
    term.send(REVIEW);
    term.wait("was changed by somebody else since the form was opened");
}
