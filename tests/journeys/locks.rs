//! Locks that people take on purpose.

use crate::host::{Host, docker};

#[test]
fn a_lock_on_purpose_keeps_others_out_until_it_is_lifted() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    host.json(&["lock", "app", "--message", "moving the database"]).expect(0, "updated");

    // It is a record of the proxy's, so it is still there after a restart.
    docker(&["restart", "-t", "5", &host.proxy()]);
    for args in [
        &["deploy", &image, "--name", "app", "-e", "A=1", "--wait", "0"][..],
        &["set", "app", "A=1", "--wait", "1"],
        &["rollback", "app", "--wait", "0"],
        &["remove", "app", "--yes", "--wait", "0"],
    ] {
        let finished = host.json(args).expect(4, "locked");
        let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
        let text = finished.to_string();
        assert!(finished["message"].as_str().unwrap().contains("app is"), "{finished:#}");
        assert!(text.contains(&user), "by whom: {finished:#}");
        assert!(text.contains("moving the database"), "why: {finished:#}");
        assert!(text.contains("once unlock app"), "what to do: {finished:#}");
        assert_eq!(finished["serving"], 1, "{finished:#}");
    }
    let locks = host.once(&["locks", "--json"]).json();
    assert_eq!(locks.len(), 1, "{locks:#?}");
    assert_eq!(
        (locks[0]["app"].as_str(), locks[0]["message"].as_str(), locks[0]["on_purpose"].as_bool()),
        (Some("app"), Some("moving the database"), Some(true)),
    );
    assert!(host.once(&["locks"]).stdout.contains("moving the database"));
    assert_eq!(host.once(&["show", "app", "--json"]).json()[0]["locked"], true);
    host.json(&["lock", "app"]).expect(4, "locked");

    host.json(&["unlock", "app"]).expect(0, "updated");
    host.json(&["unlock", "app"]).expect(0, "unchanged");
    assert!(host.once(&["locks", "--json"]).json().is_empty());
    host.deploy(&image, &["-e", "A=1", "--wait", "0"]).expect(0, "updated");
}
