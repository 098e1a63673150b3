//! The host's screen on a real engine: what is wrong is found, told, and mended by a key and a yes.

use super::host::{Host, docker};
use super::term::{ENTER, RIGHT, Term};

#[test]
fn a_container_that_is_gone_is_found_and_made_again() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    docker(&["rm", "-f", &host.running().remove(0)]);
    let mut term = Term::on(&host, 120, 36, &[], &[]);
    term.wait("its container is gone");
    term.send("H");
    term.wait("serves by the ledger, and its container is gone");
    term.wait("once restart app");
    let engine = docker(&["info", "--format", "{{.ID}}"]);
    term.wait(engine.trim());
    // Others' containers are found too: the ghost is the one with the key.
    term.wait("f mends it");
    term.send("f");
    term.wait("Mend this on");
    term.send(ENTER);
    term.wait_until("no question", |term| !term.text().contains("Mend this on"));
    assert!(host.running().is_empty(), "the safe button does nothing");
    term.send("f");
    term.wait("Mend this on");
    term.send(RIGHT);
    term.send(ENTER);
    term.wait("mending");
    term.wait_until("nothing to mend", |term| {
        let text = term.text();
        text.contains("looked") && !text.contains("its container is gone") && !text.contains("mending")
    });
    assert_eq!(host.version(), "1");
    term.send("q");
    term.wait("● app.localhost");
    term.send("q");
    assert!(term.exit().success());
}
