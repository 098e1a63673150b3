//! What it costs the line it is looked at through: nothing while nothing changes, one write a frame.

use std::time::Duration;

use super::term::{Term, pause};

/// A console whose screen has come to rest: it waits for an engine that takes calls and never answers.
fn resting() -> (Term, tempfile::TempDir, std::os::unix::net::UnixListener) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = format!("unix://{}", path.display());
    let term = Term::spawn(100, 30, &[], &[("DOCKER_HOST", &address)]);
    term.wait("Connecting to the container engine");
    term.wait("q quit");
    (term, folder, silent)
}

#[test]
fn an_idle_second_writes_no_byte() {
    let (mut term, _folder, _silent) = resting();
    // The clock in the header turns once a minute: of five seconds in a row at most one has it.
    let mut silent = 0;
    for _ in 0..3 {
        let before = term.raw().len();
        pause(Duration::from_secs(1));
        silent += usize::from(term.raw().len() == before);
    }
    assert!(silent >= 2, "{silent} of 3 seconds were silent");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn an_idle_console_needs_next_to_no_processor() {
    let (term, _folder, _silent) = resting();
    let before = term.ticks();
    pause(Duration::from_secs(3));
    let used = term.ticks() - before;
    assert!(used <= 15, "{used} of 300 ticks, in a build without optimisation");
}

#[test]
fn frames_are_synchronized_and_small() {
    let (mut term, _folder, _silent) = resting();
    let first = term.raw().len();
    assert!(first < 8 * 1024, "the first frame takes {first} bytes");
    term.send("?");
    term.wait("Keys of this screen");
    let frames = String::from_utf8_lossy(&term.raw()).matches("\x1b[?2026h").count();
    assert!(frames >= 2);
    term.send("\x1b");
    term.wait("Connecting to the container engine");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn without_colour_none_is_written_and_ascii_is_ascii() {
    let mut term = Term::spawn(100, 30, &["--ascii"], &[("NO_COLOR", "1")]);
    term.wait("docker is down");
    term.send("q");
    assert!(term.exit().success());
    let raw = term.raw();
    assert!(raw.is_ascii(), "{}", String::from_utf8_lossy(&raw));
    let text = String::from_utf8_lossy(&raw).into_owned();
    let looks = regex::Regex::new("\x1b\\[([0-9;]*)m").unwrap();
    for look in looks.captures_iter(&text) {
        for code in look[1].split(';') {
            assert!(matches!(code, "0" | "1" | "2" | "4" | "7"), "{:?}", &look[0]);
        }
    }
    assert!(!text.contains("\x1b[m"), "a bare reset would cancel bold and reverse");
}
