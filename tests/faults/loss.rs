//! The loss bench in short: swaps, upgrades of the proxy and kills of the app's container under a mixed load. What fails
//! was inside of a killed container; who comes after that waits for it.

use std::time::SystemTime;

use once_demo::load::Mix;

use crate::host::{Host, docker};
use crate::support::newer::newer;
use crate::upgrades::upgrade_by;

fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

#[test]
fn only_what_was_inside_of_a_killed_container_fails() {
    let host = Host::new();
    let images = [host.image("1", &[]), host.image("2", &[])];
    host.deploy(&images[0], &["--drain-timeout", "2"]).expect(0, "created");
    let load = host.load(16, Mix::ALL);
    let mut kills = Vec::new();
    for round in 0..12 {
        host.deploy(&images[(round + 1) % 2], &[]).expect(0, "updated");
        if round % 4 == 1 {
            upgrade_by(&host, &newer(&format!("round {round}"))).expect(0, "updated");
        }
        if round % 4 == 3 {
            let container = host.running().pop().unwrap();
            let began = now_ms();
            let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &container]);
            // The engine says so when it is dead.
            docker(&["kill", "-s", "KILL", &container]);
            kills.push((began, now_ms(), container.clone()));
            docker(&["start", &container]);
            assert_eq!(host.get("app.localhost", "/version").0, 200, "it is waited for");
            assert_ne!(docker(&["inspect", "--format", "{{.State.Pid}}", &container]), pid);
        }
    }
    let report = load.stop();
    let at_a_kill = |began: u64, ended: u64| kills.iter().any(|(from, dead, _)| began <= *dead && ended >= *from);
    let unexplained: Vec<_> = report.failed_at.iter().filter(|f| !at_a_kill(f.began, f.ended)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?} {kills:?} {:#?}", report.failures);
    assert_eq!(report.failed, report.failed_at.len() as u64, "each is accounted for");
    assert!(report.requests > 500, "{report}");
}
