//! kill -9 of the command and of the detached process that does the work, at random moments.

use std::time::{Duration, Instant};

use once_demo::load::Mix;

use crate::doomed::{Dice, Doomed, tidied};
use crate::host::{Host, Said, pause};

/// The kept ones and the serving one.
const MOST: usize = 3;

/// Versions of one image: each image takes the engine seconds.
const ONE: &str = "DEMO_VERSION=1";
const TWO: &str = "DEMO_VERSION=2";

#[track_caller]
fn one_runs(host: &Host, said: &Said) {
    let all = host.containers();
    assert!(all.len() <= MOST, "{all:?} {said:#?}");
    assert_eq!(host.running().len(), 1, "{all:?} {said:#?}");
}

/// Containers of the namespace that are neither the proxy nor a release.
fn strays(host: &Host) -> String {
    let filter = format!("label=once.namespace={}", host.namespace);
    let all =
        crate::host::docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}} {{.Label \"once.role\"}}"]);
    all.lines().filter(|line| !line.ends_with(" web") && !line.ends_with(" proxy")).collect()
}

#[test]
fn in_overlap_the_app_always_serves() {
    let mut dice = Dice::new("overlap");
    let host = Host::new();
    let image = host.image("0", &[("DEMO_BOOT_MS", "300")]);
    host.deploy(&image, &["-e", ONE, "--drain-timeout", "3"]).expect(0, "created");
    let load = host.load(10, Mix::ALL);
    let start = Instant::now();
    host.deploy(&image, &["-e", TWO]).expect(0, "updated");
    let whole = start.elapsed();
    let (mut found, mut cut_short) = (0, 0);
    for round in 0..20 {
        let moment = dice.below(whole);
        let mut doomed = Doomed::deploy(&host, &image, &["--force", "-e", [ONE, TWO][round % 2]]);
        pause(moment);
        cut_short += usize::from(doomed.child.try_wait().unwrap().is_none());
        doomed.kill_both();
        let said = host.deploy(&image, &["-e", [TWO, ONE][round % 2]]);
        assert_eq!(said.code, 0, "round {round}, killed after {moment:?}: {said:#?}");
        found += usize::from(tidied(&said));
        assert_eq!(host.version(), ["2", "1"][round % 2], "round {round}, killed after {moment:?}");
        one_runs(&host, &said);
    }
    let report = load.stop();
    eprintln!("a deploy took {whole:?}; {cut_short} of 20 were cut short, {found} were tidied up after; {report}");
    assert_eq!(report.failed, 0, "{report:#?}");
    assert!(report.requests > 500, "{report:?}");
    assert!(found > 0, "no kill fell inside of a change");
    assert_eq!(strays(&host), "");
}

#[test]
fn in_handover_the_next_command_restores_service() {
    let mut dice = Dice::new("handover");
    let host = Host::new();
    let image = host.image("0", &[("DEMO_BOOT_MS", "300")]);
    host.deploy(&image, &["-e", ONE, "--swap", "handover", "--drain-timeout", "1"]).expect(0, "created");
    let mut doomed = Doomed::deploy(&host, &image, &["-e", TWO]);
    doomed.until("step-started", Some("hold"));
    let start = Instant::now();
    doomed.until("finished", None);
    let span = start.elapsed();
    let _ = doomed.end(Duration::from_secs(10));
    let (mut found, mut down, mut rounds) = (0, 0, 0);
    // The dice may miss the gap ten times.
    while rounds < 10 || (down == 0 && rounds < 30) {
        let round = rounds;
        rounds += 1;
        let moment = dice.below(span);
        let mut doomed = Doomed::deploy(&host, &image, &["--force", "-e", [ONE, TWO][round % 2]]);
        // Two kills anywhere, the others where the old one is on its way out and the new one on its way in.
        if round >= 2 {
            doomed.until("step-started", Some("hold"));
        }
        pause(moment);
        doomed.kill_both();
        down += usize::from(host.running().is_empty());
        // A command that brings nothing of its own, and one that does.
        let said = match round % 2 {
            0 => host.json(&["start", "app"]),
            _ => host.deploy(&image, &["-e", ONE]),
        };
        assert_eq!(said.code, 0, "round {round}, killed after {moment:?}: {said:#?}");
        found += usize::from(tidied(&said));
        let version = host.version();
        assert!(["1", "2"].contains(&version.as_str()), "round {round}: {version}");
        one_runs(&host, &said);
    }
    eprintln!("the handover took {span:?}; {down} of {rounds} left nothing running, {found} were tidied up after");
    assert!(found > 0, "no kill fell inside of a change");
    assert!(down > 0, "no kill fell between the old release's end and the new one's start");
    assert_eq!(strays(&host), "");
}
