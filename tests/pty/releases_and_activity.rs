//! Releases and the audit log: read, compared, filtered and gone back to by keys, on a real engine.

use super::host::Host;
use super::term::{DOWN, ENTER, ESC, RIGHT, Term};

/// An app with two releases and a change that was refused.
fn host() -> Host {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["-e", "DEMO_VERSION=one"]).expect(0, "created");
    host.json(&["set", "app", "DEMO_VERSION=two", "--note", "the mail moved"]).expect(0, "updated");
    host.json(&["set", "nobody", "A=1"]).expect(2, "rejected");
    host
}

#[test]
fn two_releases_are_compared_one_is_shown_in_full_and_is_gone_back_to() {
    let host = host();
    let mut term = Term::with_app(&host);
    term.send("4");
    term.wait("the mail moved");
    term.send("c");
    term.send(DOWN);
    term.wait("compared with release 2");
    term.wait("env.DEMO_VERSION");
    term.wait("two → one");
    term.send(ENTER);
    term.wait("app.localhost release 1");
    term.wait("with `deploy`");
    assert_eq!(host.version(), "two");
    term.send("b");
    term.wait("Roll app.localhost back to release 1?");
    term.send(RIGHT);
    term.send(ENTER);
    term.wait("release 3 serves");
    assert_eq!(host.version(), "one");
    term.send(ESC);
    term.wait("app.localhost release 1");
    term.send(ESC);
    term.wait("● app.localhost");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn of_all_that_happened_what_was_refused_is_found() {
    let host = host();
    let mut term = Term::with_app(&host);
    term.send("A");
    term.wait("rejected");
    term.wait("deploy release 2");
    term.send("f");
    term.wait_until("only what failed", |term| !term.text().contains("deploy release 2"));
    assert!(term.text().contains("there is no app `nobody`"), "{}", term.text());
    term.send("f");
    term.wait("deploy release 2");
    term.send("/");
    term.send("nobody");
    term.send(ENTER);
    term.wait_until("only what was looked for", |term| !term.text().contains("deploy release 2"));
    assert!(term.text().contains("there is no app `nobody`"), "{}", term.text());
    term.send(ESC);
    term.wait("deploy release 2");
    term.send(ESC);
    term.wait("Overview");
    term.send("q");
    assert!(term.exit().success());
}
