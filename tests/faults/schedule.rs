//! What is ordered of an authority stays counted, whichever of the proxy's processes orders.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::doomed::{children, send};
use crate::host::{Said, eventually, run};
use crate::site::Site;
use crate::support::newer::{Newer, newer};
use crate::support::pebble::Wish;

const LIMIT: Duration = Duration::from_secs(60);

/// So many that there is always one being renewed.
const NAMES: usize = 24;

fn upgrade(site: &Site, newer: &Newer) -> std::thread::JoinHandle<Said> {
    let mut command = Command::new(&newer.path);
    command.args(["proxy", "upgrade", "--json"]).env("ONCE_NAMESPACE", &site.host.namespace);
    command.env("ONCE_HTTP_PORT", site.host.port.to_string()).stdin(Stdio::null());
    let command = site.ported(command);
    std::thread::spawn(move || run(command))
}

/// Orders that the proxy has on disk, of all names.
fn counted(site: &Site) -> usize {
    // A file that is just being replaced breaks the copy off; the next one finds it.
    let schedule = eventually("the schedule", LIMIT, || {
        let copy = format!("docker cp {}:/state/acme - | tar -xOf - --wildcards '*/schedule.json'", site.host.proxy());
        let copied = Command::new("sh").args(["-c", &copy]).stderr(Stdio::null()).output().unwrap();
        serde_json::from_slice::<Value>(&copied.stdout).ok()
    });
    let names = schedule["budget"]["names"].as_object().unwrap();
    names.values().map(|orders| orders.as_array().unwrap().len()).sum()
}

fn workers(site: &Site) -> Vec<u32> {
    children(site.host.inspect(&site.host.proxy(), "{{.State.Pid}}").parse().unwrap())
}

/// Certificates of a quarter of a minute, renewed all the time by a worker that is relieved, relieved and killed, or killed
/// while it is relieved. Each order is on disk before it is placed, and no other process writes over it: what the authority
/// has seen is never more than what is counted.
#[test]
fn no_order_is_forgotten_over_upgrades_and_kills() {
    let site = Site::with(Wish { validity: 15, ..Wish::default() });
    let names: Vec<String> = (0..NAMES).map(|n| format!("shop.once-{n}.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    site.lead_here(&names);
    let more: Vec<&str> = names[1..].iter().flat_map(|name| ["--host", name]).collect();
    site.deploy(names[0], &more).expect(0, "created");
    for round in ["relieved", "killed as soon as it is relieved", "killed meanwhile"] {
        let before = site.pebble.orders();
        eventually("an order", LIMIT, || (site.pebble.orders() > before).then_some(()));
        let old = workers(&site);
        let newer = newer(round);
        let upgrade = upgrade(&site, &newer);
        if round == "killed meanwhile" {
            // The newer one runs: it reads what the old one lets go of, or has just done so.
            eventually("the newer worker", LIMIT, || (workers(&site).len() > old.len()).then_some(()));
            send(*old.iter().min().unwrap(), Signal::KILL);
        }
        let said = upgrade.join().unwrap();
        if round == "killed as soon as it is relieved" {
            said.expect(0, "updated");
            for pid in workers(&site) {
                send(pid, Signal::KILL);
            }
        }
        let placed = site.pebble.orders();
        let on_disk = counted(&site);
        println!("{round}: {placed} placed, {on_disk} counted");
        assert!(on_disk >= placed, "{round}: the authority saw {placed} orders, {on_disk} are counted");
        eventually("an answer", LIMIT, || (site.host.get(names[0], "/up").0 < 500).then_some(()));
    }
    // With the account of before.
    assert_eq!(site.pebble.accounts(), 1);
}
