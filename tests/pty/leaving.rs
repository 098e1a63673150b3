//! A change that waits for its turn: Esc leaves it waiting, the console's death withdraws it.

use std::time::Duration;

use rustix::process::Signal;

use super::host::{Host, eventually};
use super::term::{ENTER, ESC, RIGHT, Term};

const LIMIT: Duration = Duration::from_secs(60);

/// A console in which a restart was asked for that waits for somebody's lock.
fn waiting(host: &Host) -> Term {
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut term = Term::with_app(host);
    assert_eq!(host.once(&["lock", "app"]).code, 0);
    term.send("r");
    term.wait("Restart app.localhost?");
    term.send(RIGHT);
    term.send(ENTER);
    term.wait("waiting:");
    term.wait("leave it running");
    term
}

/// What activity tells of the restart.
fn told(host: &Host) -> Option<serde_json::Value> {
    let said = host.once(&["activity", "app", "--json"]).json();
    said.into_iter().find(|entry| entry["text"].as_str().is_some_and(|text| text.starts_with("restart")))
}

#[test]
fn a_change_that_waits_is_left_with_esc_and_carried_out() {
    let host = Host::new();
    let mut term = waiting(&host);
    term.send(ESC);
    term.wait_until("the list", |term| !term.text().contains("leave it running"));
    term.signal(Signal::KILL);
    term.exit();
    assert_eq!(host.once(&["unlock", "app"]).code, 0);
    let told = eventually("the restart", LIMIT, || told(&host));
    assert_eq!(told["outcome"], "updated", "{told:#}");
}

#[test]
fn a_change_that_waits_goes_when_the_console_is_killed() {
    let host = Host::new();
    let mut term = waiting(&host);
    term.signal(Signal::KILL);
    term.exit();
    let told = eventually("the word in the activity", LIMIT, || told(&host));
    assert!(told["text"].as_str().unwrap().contains("withdrawn before it began"), "{told:#}");
    assert_eq!(host.once(&["unlock", "app"]).code, 0);
    host.json(&["set", "app", "A=1"]).expect(0, "updated");
    assert_eq!(host.running(), [format!("{}-app-2", host.namespace)], "nothing was restarted besides");
}

#[test]
fn a_change_that_waits_goes_on_when_the_console_is_left() {
    let host = Host::new();
    let mut term = waiting(&host);
    term.signal(Signal::HUP);
    term.exit();
    assert_eq!(host.once(&["unlock", "app"]).code, 0);
    let told = eventually("the restart", LIMIT, || told(&host));
    assert_eq!(told["outcome"], "updated", "{told:#}");
}
