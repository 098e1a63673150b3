//! From an empty host to a deployed app, a settings change and back, by keys alone, on a real engine.

use super::host::Host;
use super::term::{DOWN, ENTER, ESC, REVIEW, RIGHT, Term};

const ADD_ROW: &str = "\x0e";

fn paste(text: &str) -> String {
    format!("\x1b[200~{text}\x1b[201~")
}

/// Leaves the deploy view once the change has ended well.
fn ended(term: &mut Term, words: &str) {
    term.wait(words);
    term.wait("esc back");
    term.send(ESC);
    term.wait("● app.localhost");
}

#[test]
fn from_an_empty_host_to_an_app_that_was_changed_and_rolled_back() {
    let host = Host::new();
    let image = host.image("1", &[]);
    let mut term = Term::on(&host, 120, 36, &[], &[]);
    term.wait("No app here yet");

    term.send("n");
    term.wait("New app");
    term.send(&paste(&image));
    term.send(DOWN);
    term.send("app");
    term.send(DOWN);
    term.send("app.localhost");
    term.wait("app.localhost");
    term.send(REVIEW);
    term.wait("a new app, reachable once it is healthy");
    term.wait("the same as:");
    assert!(host.running().is_empty(), "a review makes nothing");
    term.send(ENTER);
    term.wait("Deploy app.localhost");
    ended(&mut term, "release 1 serves");
    assert_eq!(host.version(), "1");

    term.send("e");
    term.wait("Settings app.localhost");
    term.send(ADD_ROW);
    term.wait("= empty");
    term.send("GREETING\thello");
    term.wait("1 change");
    term.send(REVIEW);
    term.wait("new container");
    term.wait("--env GREETING=hello");
    assert_eq!(host.running().len(), 1, "a review makes nothing");
    term.send(ENTER);
    ended(&mut term, "release 2 serves");
    assert_eq!(host.get("app.localhost", "/env?key=GREETING").1.trim(), "hello");

    term.send("4");
    term.wait("STATE");
    term.wait_until("both releases", |term| term.text().contains("serving") && term.text().contains("kept"));
    term.send(DOWN);
    term.wait("the first release");
    term.send("b");
    term.wait("Roll app.localhost back to release 1?");
    term.send(RIGHT);
    term.send(ENTER);
    ended(&mut term, "release 3 serves");
    assert_eq!(host.get("app.localhost", "/env?key=GREETING").1.trim(), "not set");

    term.send("3");
    term.wait("following");
    term.send("p");
    term.wait("proxy access log");
    term.wait("GET /env");
    term.send("q");
    assert!(term.exit().success());
}
