//! The ports that tests listen on are nobody else's.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::ports;

const ROLE: &str = "ONCE_TEST_PORTS";
/// So many that two processes which choose at random meet.
const COUNT: usize = 300;

#[test]
#[ignore = "started by the test below as another test's process"]
fn another_process() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let chosen: Vec<String> = (0..COUNT).map(|_| ports::free().unwrap().to_string()).collect();
    println!("\nports {}", chosen.join(" "));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn neither_another_test_nor_the_kernel_gets_a_port_that_was_given_out() {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["port_choice::another_process", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("ports ")).unwrap();
    let theirs: BTreeSet<u16> = line.split(' ').skip(1).map(|port| port.parse().unwrap()).collect();
    let ours: BTreeSet<u16> = (0..COUNT).map(|_| ports::free().unwrap()).collect();
    drop(other.stdin.take());
    // It has more to say, and ends only after it was read.
    lines.for_each(drop);
    assert!(other.wait().unwrap().success());

    assert_eq!((theirs.len(), ours.len()), (COUNT, COUNT), "each is given out once");
    assert_eq!(theirs.intersection(&ours).count(), 0);
    let (first, last) = ports::chosen_by_the_kernel();
    // A kernel may be set to choose from all ports.
    if first > 10000 || last < u16::MAX {
        assert!(ours.iter().chain(&theirs).all(|port| !(first..=last).contains(port)), "{first} to {last}: {ours:?}");
    }
    // Whoever asked for it can listen there.
    assert!(std::net::TcpListener::bind(("127.0.0.1", *ours.first().unwrap())).is_ok());
}
