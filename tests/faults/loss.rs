//! The loss bench in short: swaps, upgrades of the proxy and kills of the app's container under a mixed load. What fails
//! was under way at a killed container, or came before it was there again.

use std::time::{Duration, SystemTime};

use once::demo::load::Mix;

use crate::host::{Host, docker, eventually};
use crate::upgrades::{newer, upgrade_by};

const LIMIT: Duration = Duration::from_secs(60);

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
            docker(&["kill", "-s", "KILL", &container]);
            docker(&["start", &container]);
            eventually("it is back", LIMIT, || (host.get("app.localhost", "/version").0 == 200).then_some(()));
            kills.push((began, now_ms(), container));
        }
    }
    let report = load.stop();
    let at_a_kill = |began: u64, ended: u64| kills.iter().any(|(from, to, _)| began <= *to && ended >= *from);
    let unexplained: Vec<_> = report.failed_at.iter().filter(|f| !at_a_kill(f.began, f.ended)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?} {kills:?} {:#?}", report.failures);
    assert_eq!(report.failed, report.failed_at.len() as u64, "each is accounted for");
    assert!(report.requests > 500, "{report}");
}
