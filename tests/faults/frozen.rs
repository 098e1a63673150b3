//! A control connection over which no packet comes any more, and nobody says so.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::doomed::{Doomed, send};
use crate::host::{Host, ONCE, pause};

/// A network namespace with one way out: to a relay in front of the engine's socket.
struct Island {
    name: String,
    link: String,
    address: String,
}

fn tool(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Island {
    fn new(host: &Host) -> Self {
        let mut bytes = [0; 2];
        getrandom::fill(&mut bytes).unwrap();
        let net = format!("10.233.{}", bytes[0]);
        let last = bytes[1] & 0xfc;
        let (gateway, guest) = (format!("{net}.{}", last + 1), format!("{net}.{}/30", last + 2));
        let name = host.namespace.clone();
        let (link, peer) = (format!("{name}a"), format!("{name}b"));
        let mut island = Self { name, link, address: String::new() };
        tool("ip", &["netns", "add", &island.name]);
        tool("ip", &["link", "add", &island.link, "type", "veth", "peer", "name", &peer]);
        tool("ip", &["link", "set", &peer, "netns", &island.name]);
        tool("ip", &["addr", "add", &format!("{gateway}/30"), "dev", &island.link]);
        tool("ip", &["link", "set", &island.link, "up"]);
        island.inside(&["ip", "addr", "add", &guest, "dev", &peer]);
        island.inside(&["ip", "link", "set", &peer, "up"]);
        island.inside(&["ip", "link", "set", "lo", "up"]);
        let listener = TcpListener::bind((gateway.as_str(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || relay(&listener));
        island.address = format!("tcp://{gateway}:{port}");
        island
    }

    fn inside(&self, args: &[&str]) {
        tool("ip", &[&["netns", "exec", &self.name], args].concat());
    }

    /// From now on packets vanish, or no longer.
    fn freeze(&self, how: &str) {
        for chain in ["INPUT", "OUTPUT"] {
            self.inside(&["iptables", how, chain, "-j", "DROP"]);
        }
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        // Its processes first: they would keep it alive.
        let inside = Command::new("ip").args(["netns", "pids", &self.name]).output();
        for pid in inside.iter().flat_map(|o| {
            String::from_utf8_lossy(&o.stdout).into_owned().lines().map(str::to_owned).collect::<Vec<_>>()
        }) {
            if let Ok(pid) = pid.trim().parse() {
                send(pid, Signal::KILL);
            }
        }
        let _ = Command::new("ip").args(["link", "del", &self.link]).output();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

fn relay(listener: &TcpListener) {
    for stream in listener.incoming() {
        let (Ok(client), Ok(engine)) = (stream, UnixStream::connect("/var/run/docker.sock")) else { continue };
        let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
        let (mut from_engine, mut to_engine) = (engine.try_clone().unwrap(), engine);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from_client, &mut to_engine);
            let _ = to_engine.shutdown(Shutdown::Write);
        });
        std::thread::spawn(move || {
            let _ = io::copy(&mut from_engine, &mut to_client);
            let _ = TcpStream::shutdown(&to_client, Shutdown::Write);
        });
    }
}

/// Since when somebody holds the app's lock.
fn holder(host: &Host) -> Option<String> {
    let said = host.json(&["locks"]);
    assert_eq!(said.code, 0, "{said:#?}");
    said.json().first().map(|lock| lock["by"].to_string())
}

#[test]
fn a_frozen_connection_gives_up_its_lock_within_35_seconds() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let island = Island::new(&host);
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &island.name, ONCE, "deploy", &image, "--name", "app", "--json"]);
    command.args(["--health-timeout", "300", "-e", "DEMO_BOOT_MS=200000"]);
    for (key, value) in host.command(&[]).get_envs() {
        command.env(key, value.unwrap());
    }
    command.env("DOCKER_HOST", &island.address);
    let mut doomed = Doomed::start(command);
    doomed.until("step-started", Some("healthy"));
    assert!(holder(&host).is_some());

    island.freeze("-A");
    let start = Instant::now();
    // It is neither asked nor told anything; not even its end is seen out here.
    while holder(&host).is_some() {
        assert!(start.elapsed() < Duration::from_secs(35), "the lock is still held after {:?}", start.elapsed());
        pause(Duration::from_millis(200));
    }
    let free_after = start.elapsed();
    eprintln!("the lock was free after {free_after:?}");
    assert!(free_after > Duration::from_secs(10), "packets went through after all: {free_after:?}");
    assert_eq!(host.version(), "1");

    let said = host.deploy(&image, &["-e", "DEMO_VERSION=3"]);
    said.expect(0, "updated");
    assert!(crate::doomed::tidied(&said), "{said:#?}");
    assert_eq!(host.version(), "3");
    assert_eq!(host.running().len(), 1);

    // What was frozen thaws, and must not touch what is no longer its own.
    island.freeze("-D");
    let late = doomed.end(Duration::from_secs(60));
    assert_ne!(late.code, 0, "{late:#?}");
    assert_eq!(host.version(), "3");
    assert_eq!(host.running().len(), 1);
}
