//! Bytes through `once exec`: what a command writes and reads arrives as it was, whatever is at the other end.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::host::{Host, docker, eventually, pause};
use crate::relay::Relay;
use crate::support::probe;

/// Larger than every buffer on the way.
const LARGE: usize = 16 << 20;

/// A host with one app, in whose container the probe is `/probe`.
fn host() -> Host {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    let container = host.running().pop().unwrap();
    let copied = Command::new("docker").arg("cp").arg(probe::path()).arg(format!("{container}:/probe")).status();
    assert!(copied.unwrap().success());
    host
}

fn exec(host: &Host, words: &[&str]) -> Command {
    let mut command = host.command(&[&["exec", "app", "--", "/probe"], words].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// As the probe makes it.
fn sample(length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    bytes.extend(b"\x1b[31mred\x1b[0m\x1b]0;title\x07\x04\x04");
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[track_caller]
fn same(what: &str, received: &[u8], sent: &[u8]) {
    let differs = received.iter().zip(sent).position(|(one, other)| one != other);
    assert!(
        received == sent,
        "{what}: {} of {} bytes, the first other one at {differs:?}, which begin with {:?}",
        received.len(),
        sent.len(),
        String::from_utf8_lossy(&received[..received.len().min(200)])
    );
}

/// Kilobytes of memory a process has used at most.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Output, errors and input of an engine that is reached in some way.
fn both_ways(host: &Host, way: &str, with: impl Fn(&mut Command)) {
    let whole = sample(LARGE);
    let mut command = exec(host, &["pour", &LARGE.to_string()]);
    with(&mut command);
    let poured = command.output().unwrap();
    same(&format!("{way}, output"), &poured.stdout, &whole);
    assert_eq!((poured.status.code(), poured.stderr.len()), (Some(0), 0), "{way}");

    let mut command = exec(host, &["pour", "3000000", "both"]);
    with(&mut command);
    let poured = command.output().unwrap();
    same(&format!("{way}, output beside errors"), &poured.stdout, &whole[..3_000_000]);
    same(&format!("{way}, errors"), &poured.stderr, &whole[..3_000_000]);

    // Both ways at once: it answers while more is written than all buffers on the way hold.
    let mut command = exec(host, &["echo"]);
    with(command.stdin(Stdio::piped()));
    let mut echo = command.spawn().unwrap();
    let mut stdin = echo.stdin.take().unwrap();
    let sent = whole.clone();
    let writing = std::thread::spawn(move || {
        stdin.write_all(&sent).unwrap();
        // The echo may be slower than we are: its end is ours to say, by closing.
        drop(stdin);
    });
    let echoed = echo.wait_with_output().unwrap();
    writing.join().unwrap();
    same(&format!("{way}, there and back"), &echoed.stdout, &whole);
    assert_eq!((echoed.status.code(), echoed.stderr.as_slice()), (Some(0), b"bye\n".as_slice()), "{way}");
}

#[test]
fn bytes_arrive_untouched_from_this_engine() {
    let host = host();
    both_ways(&host, "socket", |_| {});

    // The end of input is passed on, also where nothing came before it, and where nobody has a standard input.
    for stdin in [Stdio::null(), Stdio::piped()] {
        let child = exec(&host, &["count"]).stdin(stdin).spawn().unwrap();
        let counted = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&counted.stdout), "0 true\n");
    }
    // A command that takes no input ends when it wants to, with its own code.
    let mut child = exec(&host, &["leave", "7"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(&sample(LARGE)).is_err());
    let left = child.wait_with_output().unwrap();
    assert_eq!((left.status.code(), left.stdout.as_slice()), (Some(7), b"left\n".as_slice()));
    assert!(writing.join().unwrap(), "nobody took 16 MiB");
}

#[test]
fn bytes_arrive_untouched_from_a_remote_engine() {
    let host = host();
    let relay = Relay::tcp();
    both_ways(&host, "tcp", |command| {
        command.env("DOCKER_HOST", &relay.address);
    });
    assert!(relay.requests() > 0);

    // A stand-in for ssh that does what the server would.
    let directory = tempfile::tempdir().unwrap();
    let ssh = directory.path().join("ssh");
    std::fs::write(&ssh, "#!/bin/sh\nunset DOCKER_HOST\nexec docker system dial-stdio\n").unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    both_ways(&host, "ssh", |command| {
        command.env("DOCKER_HOST", "ssh://shop.example").env("PATH", &path);
    });
}

#[test]
fn a_slow_reader_gets_every_byte_and_the_command_waits_for_it() {
    let host = host();
    let length = 4 * LARGE;
    let mut child = exec(&host, &["pour", &length.to_string()]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut received = Vec::with_capacity(length);
    let mut buffer = vec![0; 64 << 10];
    let mut most = 0;
    while let Ok(count @ 1..) = stdout.read(&mut buffer) {
        received.extend_from_slice(&buffer[..count]);
        // Slow for the first megabyte, during which the rest could pile up.
        if received.len() < 1 << 20 {
            pause(Duration::from_millis(50));
            most = most.max(peak(&child));
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    same("slow", &received, &sample(length));
    // A debug build with all that it links has some 60 MB to begin with.
    assert!(most < 120_000, "{most} kB");
}

#[test]
fn a_reader_that_leaves_ends_it() {
    let host = host();
    let mut child = exec(&host, &["endless"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut first = [0; 10];
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(first, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    drop(stdout);
    let mut ended = None;
    eventually("its end", Duration::from_secs(20), || {
        ended = child.try_wait().unwrap();
        ended
    });
    assert_eq!(ended.unwrap().code(), Some(141), "as a shell says of a command without a reader");
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!(words, "");
    // The disk is full: our own failure.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = exec(&host, &["pour", "100000"]);
    let full = command.stdout(full).output().unwrap();
    assert_eq!(full.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&full.stderr).contains("the command's output cannot be written"), "{full:?}");
}

#[test]
fn on_a_terminal_bytes_are_the_terminals_only() {
    let host = host();
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, ..PtySize::default() }).unwrap();
    let mut command = CommandBuilder::new(crate::host::ONCE);
    command.args(["exec", "app", "--", "/probe", "pour", "1000000"]);
    command.env("ONCE_NAMESPACE", &host.namespace);
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut received, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            received.extend_from_slice(&buffer[..count]);
        }
        let _ = done.send(received);
    });
    let received = ended.recv_timeout(Duration::from_secs(60));
    if received.is_err() {
        child.kill().unwrap();
    }
    let received = received.expect("the terminal's output ends");
    // The terminal in the container puts a carriage return before each line's end, as every terminal does.
    let mut expected = Vec::new();
    for byte in sample(1_000_000) {
        if byte == b'\n' {
            expected.push(b'\r');
        }
        expected.push(byte);
    }
    same("terminal", &received, &expected);
    assert_eq!(child.wait().unwrap().exit_code(), 0);
}

#[test]
fn a_program_that_is_not_there() {
    let host = host();
    let said = host.once(&["exec", "app", "--", "nosuch"]);
    assert!([126, 127].contains(&said.code), "{said:#?}");
    assert_eq!(said.stdout, "");
    let words: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(words[0], "error: `nosuch` cannot be started in the container of app");
    assert!(words[1].starts_with("cause: exec: \"nosuch\": executable file not found"), "{said:#?}");
    assert!(words[2].starts_with("hint: ") && words.len() == 3, "{said:#?}");
    // Its own code and words are a command's own.
    let said = host.once(&["exec", "app", "--", "/probe", "fail", "gone", "126"]);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (126, "", "gone\n"));
    // Without a container it is our failure.
    docker(&["stop", "-t", "1", &host.running().pop().unwrap()]);
    assert_eq!(host.once(&["exec", "app", "--", "/probe"]).code, 125);
}
