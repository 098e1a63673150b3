//! Another name for an app, and its lock: by keys, on a real engine, seen by the command.

use super::host::Host;
use super::term::{ENTER, ESC, REVIEW, RIGHT, Term};

const CLEAR: &str = "\x15";

#[test]
fn a_lock_is_taken_with_a_reason_keeps_others_out_and_is_lifted() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut term = Term::with_app(&host);
    term.send("L");
    term.wait("others read why:");
    term.send("moving the database");
    term.wait("once lock app --message 'moving the database'");
    term.send(ENTER);
    assert!(host.once(&["locks", "--json"]).json().is_empty(), "the first enter goes to the button");
    term.send(ENTER);
    term.wait("app is locked");
    term.wait("locked by mia");
    term.wait("moving the database");
    let locks = host.once(&["locks", "--json"]).json();
    assert_eq!(
        (locks[0]["by"].as_str(), locks[0]["command"].as_str(), locks[0]["message"].as_str()),
        (Some("mia"), Some("console"), Some("moving the database")),
        "{locks:#?}"
    );
    host.json(&["set", "app", "A=1", "--wait", "0"]).expect(4, "locked");
    term.send("L");
    term.wait("Lift the lock of app?");
    term.wait("Why: moving the database");
    term.send(RIGHT);
    term.send(ENTER);
    term.wait("app is unlocked");
    term.wait_until("no lock", |term| !term.text().contains("locked by mia"));
    host.json(&["set", "app", "A=1", "--wait", "0"]).expect(0, "updated");
    let told: Vec<String> =
        host.once(&["activity", "app", "--json"]).json().iter().map(|a| a["text"].to_string()).collect();
    assert!(told.iter().any(|t| t.contains("locked on purpose: moving the database")), "{told:#?}");
    assert!(told.iter().any(|t| t.contains("lock lifted")), "{told:#?}");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn an_app_gets_another_name_and_goes_by_the_old_one_too() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let serving = host.running();
    let mut term = Term::with_app(&host);
    term.send(":");
    term.wait("Command");
    term.send("rename");
    term.wait("rename the app");
    term.send(ENTER);
    term.wait("Rename app");
    term.send(CLEAR);
    term.send("shop");
    term.send(REVIEW);
    term.wait("goes on meaning this app");
    term.wait("once rename app shop");
    assert_eq!(host.once(&["list", "--json"]).json()[0]["name"], "app", "a review changes nothing");
    term.send(ENTER);
    term.wait("esc back");
    term.send(ESC);
    term.wait("● app.localhost");
    let listed = host.once(&["list", "--json"]).json();
    assert_eq!((listed[0]["name"].as_str(), listed[0]["aliases"][0].as_str()), (Some("shop"), Some("app")));
    assert_eq!(host.once(&["show", "app", "--json"]).json()[0]["name"], "shop", "the old name means it still");
    assert_eq!((host.running(), host.version().as_str()), (serving, "1"), "nothing restarted");
    term.wait("shop · also app");
    term.send("q");
    assert!(term.exit().success());
}
