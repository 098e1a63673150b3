//! The watch after a switch: a release that turns out bad gives way again by itself.

use once_demo::load::Mix;

use crate::host::{Host, Said};

const ONE: &str = "DEMO_VERSION=1";
const TWO: &str = "DEMO_VERSION=2";

/// How a release can turn bad after it was healthy: mode, codes, words of the message. One that ends is noticed by its
/// end, or by what it costs its visitors, whichever is looked at first.
const WAYS: [(&str, &[&str], &str); 3] = [
    ("sour", &["watch-more-errors"], "release 2 failed"),
    ("sicken", &["watch-unhealthy"], "503"),
    ("collapse", &["watch-exited", "watch-more-errors", "watch-unhealthy"], "release 2"),
];

#[test]
fn a_release_that_turns_bad_gives_way_again() {
    for swap in ["overlap", "handover"] {
        for (mode, codes, words) in WAYS {
            if swap == "handover" && mode != "sour" {
                continue;
            }
            let host = Host::new();
            let image = host.image("0", &[]);
            let first = ["-e", ONE, "--swap", swap, "--drain-timeout", "3", "--watch-time", "90s"];
            host.deploy(&image, &first).expect(0, "created");
            let load = host.load(8, Mix::KEEP_ALIVE);
            let mode_variable = format!("DEMO_MODE={mode}");
            let said = host.deploy(&image, &["-e", TWO, "-e", &mode_variable, "-e", "DEMO_MODE_AFTER_MS=4000"]);
            let finished = said.expect(5, "failed");
            assert!(codes.contains(&finished["code"].as_str().unwrap()), "{swap} {mode}: {finished:#}");
            assert!(finished["message"].as_str().unwrap().contains(words), "{swap} {mode}: {finished:#}");
            assert_eq!((&finished["release"], &finished["serving"]), (&2.into(), &1.into()), "{finished:#}");
            let steps: Vec<_> = said.json().iter().filter_map(|e| e["step"].as_str().map(str::to_owned)).collect();
            assert!(steps.iter().any(|s| s == "watch") && steps.iter().any(|s| s == "return"), "{steps:?}");
            assert_eq!(host.version(), "1", "{swap} {mode}");
            let report = load.stop();
            // Only what the bad release itself answered, or had under way when it ended, went wrong.
            assert_eq!(report.versions.len(), 2, "{swap} {mode}: {report:?}");
            if mode == "sicken" {
                assert_eq!(report.failed, 0, "{report:?}");
            } else if mode == "sour" {
                assert!(report.failures.iter().all(|f| f.contains("500")), "{report:?}");
            }
            assert_eq!(host.containers().len(), 1, "{swap} {mode}: {:?}", host.containers());
            let releases = host.once(&["releases", "app", "--json"]).json();
            let failed = releases.iter().find(|r| r["release"] == 2).unwrap();
            assert_eq!((&failed["status"], &failed["why"]), (&"failed".into(), &finished["message"]), "{failed:#}");
        }
    }
}

#[test]
fn a_good_release_is_watched_and_stays() {
    let host = Host::new();
    let image = host.image("0", &[]);
    host.deploy(&image, &["-e", ONE, "--drain-timeout", "3", "--watch-time", "3s"]).expect(0, "created");
    let load = host.load(8, Mix::ALL);
    let said = host.deploy(&image, &["-e", TWO]);
    said.expect(0, "updated");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    let watched = said.json().into_iter().find(|e| e["event"] == "step-finished" && e["step"] == "watch").unwrap();
    assert!(watched["detail"].as_str().unwrap().starts_with("3s: release 2 failed 0 of"), "{watched:#}");
    assert_eq!((host.version().as_str(), host.running().len()), ("2", 1));
    let planned = |said: &Said| said.json().into_iter().find(|e| e["event"] == "planned").unwrap()["steps"].to_string();
    assert!(planned(&said).contains("watch"), "{said:#?}");
    // A rollback is a way back already: it is not watched, and nobody is told that it will be.
    let said = host.json(&["rollback", "app"]);
    said.expect(0, "updated");
    assert!(said.json().iter().all(|e| e["step"] != "watch"), "{said:#?}");
    assert!(!planned(&said).contains("watch"), "{said:#?}");
}
