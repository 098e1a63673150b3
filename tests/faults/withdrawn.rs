//! A change that waits for its turn and whose asker is killed withdraws; one that was left on purpose is carried out.

use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::Signal;
use serde_json::Value;

use crate::doomed::{Doomed, send};
use crate::host::{Host, ONCE, eventually};

const LIMIT: Duration = Duration::from_secs(60);

/// An app that is being changed: its new release boots for some seconds, and others wait meanwhile.
fn busy(host: &Host) -> Doomed {
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let mut first = Doomed::deploy(host, &image, &["-e", "DEMO_BOOT_MS=6000"]);
    first.until("step-started", Some("healthy"));
    first
}

/// What activity tells of changes by `once set`.
fn told(host: &Host) -> Vec<Value> {
    let said = host.once(&["activity", "--json"]).json();
    said.into_iter().filter(|entry| entry["command"] == "set").collect()
}

/// Whether the change that came late was carried out.
fn carried_out(host: &Host) -> bool {
    host.once(&["env", "app", "--json"]).json().iter().any(|variable| variable["key"] == "LATE")
}

#[test]
fn a_change_that_waits_goes_with_whoever_asked_for_it() {
    let host = Host::new();
    let mut first = busy(&host);
    let mut late = Doomed::start(host.command(&["set", "app", "LATE=1", "--json"]));
    late.until("waiting", None);
    late.send(Signal::KILL);
    late.child.wait().unwrap();
    let told = eventually("the word in the activity", LIMIT, || told(&host).pop());
    assert_eq!(told["outcome"], "interrupted", "{told:#}");
    assert!(told["text"].as_str().unwrap().contains("withdrawn before it began"), "{told:#}");
    first.end(LIMIT).expect(0, "updated");
    host.json(&["set", "app", "NEXT=1", "--wait", "30"]).expect(0, "updated");
    assert!(!carried_out(&host), "it came late all the same");
}

#[test]
fn a_change_that_waits_outlives_its_terminal() {
    let host = Host::new();
    let mut first = busy(&host);
    let pty = native_pty_system().openpty(PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(ONCE);
    command.args(["set", "app", "LATE=1"]);
    command.env("ONCE_NAMESPACE", &host.namespace);
    command.env("ONCE_HTTP_PORT", host.port.to_string());
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut screen = pty.master.try_clone_reader().unwrap();
    let (said, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = std::io::Read::read(&mut screen, &mut bytes) {
            said.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).ok();
        }
    });
    let mut shown = String::new();
    eventually("the wait", LIMIT, || {
        shown.extend(heard.try_iter());
        shown.contains("is being changed").then_some(())
    });
    send(child.process_id().unwrap(), Signal::HUP);
    drop(pty.master);
    eventually("the command's end", LIMIT, || child.try_wait().unwrap());
    first.end(LIMIT).expect(0, "updated");
    eventually("the change", LIMIT, || carried_out(&host).then_some(()));
    eventually("its entry", LIMIT, || told(&host).pop().filter(|t| t["outcome"] == "updated"));
}
