//! What was refused is in the audit log too, also where no app was found that it could be about.

use crate::host::Host;

#[test]
fn a_change_that_was_refused_before_any_app_was_known_stands_in_the_activity() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    for args in [
        &["stop", "nowhere"][..],
        &["rollback", "nowhere"],
        &["set", "nowhere", "A=1"],
        &["rename", "nowhere", "else"],
        &["remove", "nowhere"],
        &["lock", "nowhere"],
        &["unlock", "nowhere"],
        &["adopt", "nowhere", "--yes"],
    ] {
        let said = host.json(args);
        assert_ne!(said.code, 0, "{said:#?}");
        let newest = host.once(&["activity", "--json", "-n", "1"]).json().remove(0);
        assert!(newest["app"].is_null(), "{args:?}: {newest:#}");
        assert_eq!(newest["outcome"], "rejected", "{args:?}: {newest:#}");
        let text = newest["text"].as_str().unwrap();
        assert!(text.contains("nowhere"), "{args:?}: {newest:#}");
        assert!(newest["command"].as_str().is_some_and(|c| !c.is_empty()), "{args:?}: {newest:#}");
    }
    let before = host.once(&["activity", "--json"]).json().len();
    host.json(&["rename", "nowhere", "else", "--dry-run"]);
    assert_eq!(host.once(&["activity", "--json"]).json().len(), before, "what was only looked at is no change");

    host.json(&["lock", "app", "--message", "load test"]).expect(0, "updated");
    host.json(&["lock", "app"]).expect(4, "locked");
    let newest = host.once(&["activity", "app", "--json", "-n", "1"]).json().remove(0);
    assert_eq!((newest["outcome"].as_str(), newest["app"].as_str()), (Some("locked"), Some("app")), "{newest:#}");
    assert!(newest["text"].as_str().unwrap().contains("load test"), "{newest:#}");
}
