//! kill -9 of the command while a release is tried out: in its watch, and as a canary.

use once_demo::load::Mix;

use crate::doomed::{Doomed, tidied};
use crate::host::Host;

const ONE: &str = "DEMO_VERSION=1";
const TWO: &str = "DEMO_VERSION=2";

#[test]
fn a_killed_watch_keeps_the_new_release() {
    let host = Host::new();
    let image = host.image("0", &[]);
    host.deploy(&image, &["-e", ONE, "--drain-timeout", "2", "--watch-time", "600s"]).expect(0, "created");
    let load = host.load(8, Mix::ALL);
    let mut doomed = Doomed::deploy(&host, &image, &["-e", TWO]);
    doomed.until("step-started", Some("watch"));
    doomed.kill_both();
    assert_eq!((host.version().as_str(), host.running().len()), ("2", 2), "the old one still runs");
    let said = host.json(&["start", "app"]);
    said.expect(0, "unchanged");
    let told = said.json().into_iter().find(|e| e["event"] == "tidied").unwrap();
    assert!(told["text"].as_str().unwrap().contains("watch"), "{told:#}");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!((host.version().as_str(), host.running().len()), ("2", 1));
}

#[test]
fn a_canarys_commands_can_be_killed_at_each_step() {
    let host = Host::new();
    let image = host.image("0", &[]);
    host.deploy(&image, &["-e", ONE, "--drain-timeout", "2"]).expect(0, "created");
    let load = host.load(8, Mix::ALL);
    for step in ["start", "healthy", "switch"] {
        let mut doomed = Doomed::deploy(&host, &image, &["-e", TWO, "--canary", "50%"]);
        doomed.until("step-started", Some(step));
        doomed.kill_both();
        let said = host.deploy(&image, &["-e", TWO, "--canary", "50%"]);
        assert_eq!(said.code, 0, "{step}: {said:#?}");
        assert_eq!(host.running().len(), 2, "{step}: {:?}", host.containers());
        // Killed with the canary in place: whoever comes next ends it in the middle, or makes it serve.
        let mut doomed = Doomed::start(host.command(&["abort", "app", "--json"]));
        doomed.until("step-finished", Some("switch"));
        doomed.kill_both();
        let said = host.json(&["start", "app"]);
        assert_eq!(said.code, 0, "{step}: {said:#?}");
        assert!(tidied(&said) || host.containers().len() == 1, "{step}: {said:#?}");
        assert_eq!(host.running().len(), 1, "{step}: {:?}", host.containers());
        assert_eq!(host.version(), "1", "{step}");
    }
    host.deploy(&image, &["-e", TWO, "--canary", "50%"]).expect(0, "updated");
    let mut doomed = Doomed::start(host.command(&["promote", "app", "--json"]));
    doomed.until("step-finished", Some("switch"));
    doomed.kill_both();
    let said = host.json(&["start", "app"]);
    said.expect(0, "unchanged");
    let report = load.stop();
    assert_eq!(report.failed, 0, "{report:?}");
    assert_eq!((host.version().as_str(), host.running().len()), ("2", 1));
}
