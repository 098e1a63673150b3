//! Starting, leaving, dying: whatever happens, the terminal is as it was before.

use rustix::process::Signal;

use super::term::Term;

/// What turns each mode off that was turned on.
const LEFT: [&str; 5] = ["\x1b[?1049l", "\x1b[?25h", "\x1b[?2004l", "\x1b[?1000l", "\x1b[23;2t"];

fn assert_clean(term: &Term) {
    for sequence in LEFT {
        assert!(term.wrote(sequence), "{sequence:?} is missing at the end");
    }
    let all = String::from_utf8_lossy(&term.raw()).into_owned();
    let last = |sequence: &str| all.rfind(sequence).unwrap();
    assert!(last("\x1b[?1049l") > last("\x1b[?1049h"), "the alternate screen is left last");
    assert_eq!(
        all.matches("\x1b[?2026h").count(),
        all.matches("\x1b[?2026l").count() - all.matches("\x1b[?2026l\x1b[0m").count()
    );
}

#[test]
fn a_dead_engine_is_shown_and_q_quits() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down: there is no engine at unix:///nonexistent/docker.sock");
    term.wait("next try in");
    assert!(!term.text().contains("No app here yet"), "a failure is not an empty host");
    term.send("q");
    assert!(term.exit().success());
    assert_clean(&term);
}

#[test]
fn the_first_frame_does_not_wait_for_the_engine() {
    // An engine that takes calls and never answers.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let _silent = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let address = format!("unix://{}", path.display());
    let mut term = Term::spawn(100, 30, &[], &[("DOCKER_HOST", &address)]);
    term.wait("Connecting to the container engine");
    term.send("q");
    assert!(term.exit().success());
    assert_clean(&term);
}

#[test]
fn ctrl_c_quits_and_an_end_of_input_too() {
    let mut term = Term::console(80, 24);
    term.wait("docker is down");
    term.send("\x03");
    assert!(term.exit().success());
    assert_clean(&term);
}

#[test]
fn signals_end_it_and_leave_the_terminal_clean() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut term = Term::console(80, 24);
        term.wait("docker is down");
        term.signal(signal);
        term.exit();
        assert_clean(&term);
    }
}

#[test]
fn it_is_suspended_and_goes_on_with_a_whole_frame() {
    let mut term = Term::console(80, 24);
    term.wait("docker is down");
    term.send("\x1a");
    term.wait_until("stop", |term| term.state() == 'T');
    term.wait_until("clean terminal", |term| term.wrote("\x1b[?1049l"));
    let before = term.raw().len();
    term.resize(100, 30);
    term.signal(Signal::CONT);
    term.wait_until("second entry", |term| String::from_utf8_lossy(&term.raw()[before..]).contains("\x1b[?1049h"));
    term.wait("docker is down");
    term.wait("q quit");
    term.send("?");
    term.wait("Keys of this screen");
    term.send("\x1b");
    term.wait("q quit");
    term.send("q");
    assert!(term.exit().success());
    assert_clean(&term);
}

#[test]
fn a_new_size_is_drawn_whole() {
    let mut term = Term::console(120, 36);
    term.wait("docker is down");
    for (columns, rows) in [(60, 20), (40, 15), (100, 30)] {
        term.resize(columns, rows);
        term.wait_until("frame of the new size", |term| {
            let text = term.text();
            let lines: Vec<&str> = text.lines().collect();
            lines.len() == usize::from(rows) && lines.last().is_some_and(|l| l.contains("q quit"))
        });
    }
    term.resize(39, 10);
    term.wait("at least 40 x 15");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn a_paste_triggers_no_key() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down");
    term.send("\x1b[200~q\n\x1b[201~");
    term.send("?");
    term.wait("Keys of this screen");
    term.send("\x1b");
    term.wait("q quit");
    term.send("q");
    assert!(term.exit().success());
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_is_refused_with_a_hint() {
    for dumb in [&[("TERM", "dumb")][..], &[("TERM", "")][..]] {
        let mut term = Term::spawn(80, 24, &[], dumb);
        let status = term.exit();
        assert_eq!(status.exit_code(), 2);
        assert!(term.text().contains("once list"), "{}", term.text());
        assert!(!term.wrote("\x1b[?1049h"));
    }
}
