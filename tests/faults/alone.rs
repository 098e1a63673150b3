//! The command goes, or is told to stop; the detached process that does the work goes on, or undoes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::Signal;

use crate::doomed::{Doomed, send};
use crate::host::{Host, ONCE, docker, eventually};

const LIMIT: Duration = Duration::from_secs(30);

fn locked(host: &Host) -> bool {
    let said = host.json(&["locks"]);
    assert_eq!(said.code, 0, "{said:#?}");
    !said.json().is_empty()
}

/// It boots for so long that the command is gone before it is there.
const SLOW: &str = "DEMO_BOOT_MS=4000";

#[track_caller]
fn goes_on(host: &Host, version: &str) {
    let watched = host.json(&["watch", "app"]);
    watched.expect(0, "updated");
    assert!(watched.json().iter().any(|event| event["event"] == "started"), "from its beginning: {watched:#?}");
    assert_eq!(host.version(), version);
    assert_eq!(host.running().len(), 1);
}

#[test]
fn a_deploy_outlives_its_command() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");

    let mut doomed = Doomed::deploy(&host, &image, &["-e", SLOW, "-e", "DEMO_VERSION=2"]);
    doomed.until("step-started", Some("healthy"));
    doomed.send(Signal::KILL);
    doomed.child.wait().unwrap();
    goes_on(&host, "2");

    let mut doomed = Doomed::deploy(&host, &image, &["-e", "DEMO_VERSION=3"]);
    doomed.until("step-started", Some("healthy"));
    doomed.close_output();
    goes_on(&host, "3");
    let _ = doomed.end(LIMIT);
}

#[test]
fn a_deploy_outlives_its_terminal() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let pty = native_pty_system().openpty(PtySize { rows: 30, cols: 100, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(ONCE);
    command.args(["deploy", &image, "--name", "app", "-e", SLOW, "-e", "DEMO_VERSION=2"]);
    command.env("ONCE_NAMESPACE", &host.namespace);
    command.env("ONCE_HTTP_PORT", host.port.to_string());
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut screen = pty.master.try_clone_reader().unwrap();
    std::thread::spawn(move || screen.read_to_end(&mut Vec::new()));
    eventually("the candidate's start", LIMIT, || (host.running().len() == 2).then_some(()));
    // As when a window is closed or a connection to a server ends: the terminal is hung up and its leader told so.
    send(child.process_id().unwrap(), Signal::HUP);
    drop(pty.master);
    eventually("the command's end", LIMIT, || child.try_wait().unwrap());
    assert_eq!(host.running().len(), 2, "it went before the deploy was done");
    goes_on(&host, "2");
}

#[test]
fn ctrl_c_before_the_switch_undoes() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let before = host.containers();
    let volumes = || docker(&["volume", "ls", "-q", "--filter", &format!("label=once.namespace={}", host.namespace)]);
    let volumes_before = volumes();
    let mut doomed = Doomed::deploy(&host, &image, &["--health-timeout", "90", "-e", "DEMO_BOOT_MS=60000"]);
    doomed.until("step-started", Some("healthy"));
    doomed.send(Signal::INT);
    let finished = doomed.end(LIMIT).expect(130, "interrupted");
    assert_eq!(finished["serving"].as_u64(), Some(1));
    assert_eq!(host.containers(), before);
    assert_eq!(volumes(), volumes_before);
    assert_eq!(host.version(), "1");
    assert!(!locked(&host));
    host.deploy(&image, &["-e", "DEMO_VERSION=3"]).expect(0, "updated");
    assert_eq!(host.version(), "3");
}

#[test]
fn ctrl_c_while_draining_changes_nothing() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &["--drain-timeout", "20"]).expect(0, "created");
    let mut slow = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
    slow.set_read_timeout(Some(LIMIT)).unwrap();
    slow.write_all(b"GET /stream?chunks=40&ms=100 HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = vec![0; 12];
    slow.read_exact(&mut answer).unwrap();
    assert_eq!(answer, b"HTTP/1.1 200");
    let mut doomed = Doomed::deploy(&host, &image, &["-e", "DEMO_VERSION=2"]);
    doomed.until("step-started", Some("drain"));
    doomed.send(Signal::INT);
    slow.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(b"0\r\n\r\n"), "cut short: {}", String::from_utf8_lossy(&answer));
    doomed.end(LIMIT).expect(0, "updated");
    assert_eq!(host.version(), "2");
    assert_eq!(host.running().len(), 1);
}
