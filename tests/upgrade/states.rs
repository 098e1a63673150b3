//! Apps that are not just running: stopped, closed, paused, with a canary, never healthy, removed, renamed.

use crate::before::{Upgraded, bytes, holds, put, rows};
use crate::host::run;

#[test]
fn what_is_stopped_closed_or_paused_stays_so_until_it_is_ended() {
    let on = Upgraded::new();
    let image = on.host.image("1", &[]);
    for app in ["halted", "closed", "paused"] {
        on.before(&["deploy", &image, "--name", app]).expect(0, "created");
    }
    put(&on.serving("halted"), "/storage/bytes", &bytes(1));
    on.before(&["stop", "halted"]).expect(0, "updated");
    on.before(&["maintenance", "closed", "-m", "back at noon"]).expect(0, "updated");
    on.before(&["pause", "paused"]).expect(0, "updated");
    let named = |rows: Vec<(String, String)>| rows.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let known = rows(&run(on.command_before(&["list", "--json"])));
    assert_eq!(named(on.listed()), named(known));

    let upgraded = on.host.once(&["proxy", "upgrade", "--json"]);
    assert_eq!(upgraded.code, 0, "{upgraded:#?}");
    for app in ["halted", "closed"] {
        assert_eq!(on.version(app).0, 503, "{app}");
    }
    assert!(on.host.get("closed.localhost", "/").1.contains("back at noon"));

    // A change is made without ending it.
    on.host.json(&["deploy", "--name", "halted", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    on.host.json(&["deploy", "--name", "closed", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    for app in ["halted", "closed"] {
        assert_eq!(on.version(app).0, 503, "{app}");
    }
    on.host.json(&["start", "halted"]).expect(0, "updated");
    on.host.json(&["maintenance", "closed", "--off"]).expect(0, "updated");
    on.host.json(&["resume", "paused"]).expect(0, "updated");
    on.host.json(&["deploy", "--name", "paused", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    for app in ["halted", "closed", "paused"] {
        assert_eq!(on.version(app), (200, "2".to_owned()), "{app}");
        on.host.json(&["rollback", app]).expect(0, "updated");
        assert_eq!(on.version(app), (200, "1".to_owned()), "{app}");
    }
    holds(&on.serving("halted"), "/storage/bytes", &bytes(1));
}

#[test]
fn canaries_failures_removals_and_renames_are_gone_on_with() {
    let on = Upgraded::new();
    let image = on.host.image("1", &[]);
    let deploy = |app: &str, more: &[&str]| on.before(&[&["deploy", &image, "--name", app][..], more].concat());
    deploy("tried", &[]).expect(0, "created");
    deploy("tried", &["-e", "DEMO_VERSION=2", "--canary", "cookie:beta"]).expect(0, "updated");
    deploy("broken", &["-e", "DEMO_MODE=exit", "--volume", "data:/data"]).expect(5, "failed");
    deploy("gone", &[]).expect(0, "created");
    put(&on.serving("gone"), "/storage/bytes", &bytes(1));
    on.before(&["remove", "gone", "--yes"]).expect(0, "updated");
    deploy("old", &[]).expect(0, "created");
    put(&on.serving("old"), "/storage/bytes", &bytes(2));
    on.before(&["rename", "old", "new"]).expect(0, "updated");

    // The canary is still one, and becomes what serves.
    assert_eq!(on.host.once(&["canary", "tried", "--json"]).json()[0]["rule"], "cookie:beta");
    assert_eq!(on.version("tried"), (200, "1".to_owned()));
    on.host.json(&["promote", "tried"]).expect(0, "updated");
    assert_eq!(on.version("tried"), (200, "2".to_owned()));
    on.host.json(&["rollback", "tried"]).expect(0, "updated");
    assert_eq!(on.version("tried"), (200, "1".to_owned()));

    // What never served does.
    let fixed = on.host.json(&["deploy", &image, "--name", "broken", "--unset", "env.DEMO_MODE"]);
    assert_eq!((fixed.code, on.version("broken").0), (0, 200), "{fixed:#?}");

    // What was removed finds its data.
    on.host.json(&["deploy", &image, "--name", "gone"]).expect(0, "created");
    holds(&on.serving("gone"), "/storage/bytes", &bytes(1));
    on.host.json(&["remove", "gone", "--yes"]).expect(0, "updated");
    on.host.json(&["deploy", &image, "--name", "gone"]).expect(0, "created");
    holds(&on.serving("gone"), "/storage/bytes", &bytes(1));

    // The alias means the app, which has its data.
    on.host.json(&["deploy", &image, "--name", "old", "-e", "DEMO_VERSION=2"]).expect(0, "updated");
    assert_eq!(on.version("old"), (200, "2".to_owned()));
    holds(&on.serving("new"), "/storage/bytes", &bytes(2));
    on.host.json(&["rollback", "new"]).expect(0, "updated");
    on.host.json(&["rename", "new", "newer"]).expect(0, "updated");
    holds(&on.serving("old"), "/storage/bytes", &bytes(2));
    on.host.json(&["remove", "newer", "--yes"]).expect(0, "updated");
    on.host.json(&["deploy", &image, "--name", "newer"]).expect(0, "created");
    holds(&on.serving("newer"), "/storage/bytes", &bytes(2));
}
