//! From a key to the frame that answers it, and input faster than anybody types.

use std::time::{Duration, Instant};

use once_demo::load::Mix;

use super::host::Host;
use super::term::{ESC, Term, pause};

/// Keys that are measured.
const KEYS: usize = 200;

/// Half of the keys are answered within this, in a build without optimisation on a machine that does other things too.
/// The release build (`ONCE_BINARY`) is held to 16 ms by whoever measures it (`ONCE_KEYS_P50_MS`).
const P50: Duration = Duration::from_millis(50);

/// All but one in a hundred within this (`ONCE_KEYS_P99_MS`).
const P99: Duration = Duration::from_millis(150);

/// Bytes that come without a pause between them.
const FLOOD: usize = 200_000;

/// A key is answered within this behind such a flood.
const ANSWERED: Duration = Duration::from_secs(1);

fn bound(name: &str, otherwise: Duration) -> Duration {
    std::env::var(name).ok().and_then(|ms| ms.parse().ok()).map_or(otherwise, Duration::from_millis)
}

/// How long each of [`KEYS`] letters in the search line takes until the cursor stands behind it.
fn answers(term: &mut Term) -> Vec<Duration> {
    term.send("/");
    term.wait("search");
    let mut random = 1_u64;
    let mut took = Vec::new();
    for n in 0..KEYS {
        // 20 to 83 ms apart: in step with neither frames nor ticks.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        pause(Duration::from_millis(20 + (random >> 58)));
        let (key, by) = if n % 32 < 16 { ("x", 1) } else { ("\x7f", -1) };
        let (row, column) = term.look(vt100::Screen::cursor_position);
        let to = (row, column.checked_add_signed(by).unwrap());
        let sent = Instant::now();
        term.send(key);
        term.wait_frame("cursor behind the letter", |screen| !screen.hide_cursor() && screen.cursor_position() == to);
        took.push(sent.elapsed());
    }
    took.sort();
    took
}

#[test]
fn a_key_is_answered_at_once_beside_ten_apps_and_a_busy_log() {
    let host = Host::new();
    let image = host.image("1", &[]);
    host.deploy(&image, &[]).expect(0, "created");
    for n in 1..10 {
        let (name, address) = (format!("app-{n}"), format!("app-{n}.localhost"));
        let said = host.json(&["deploy", &image, "--name", &name, "--host", &address, "--beside", "app"]);
        said.expect(0, "created");
    }
    let mut term = Term::with_app(&host);
    term.wait("app-9.localhost");
    let load = host.load(2, Mix::KEEP_ALIVE);
    term.send("G");
    term.wait("╭ ● app.localhost");
    term.send("3p");
    term.wait("proxy access log");
    term.wait("GET /");
    let took = answers(&mut term);
    load.stop();
    let (p50, p99) = (took[KEYS / 2], took[KEYS * 99 / 100]);
    println!("from key to frame: p50 {p50:?}, p99 {p99:?}, longest {:?}, of {KEYS} keys", took[KEYS - 1]);
    assert!(p50 <= bound("ONCE_KEYS_P50_MS", P50), "p50 {p50:?}, p99 {p99:?}");
    assert!(p99 <= bound("ONCE_KEYS_P99_MS", P99), "p50 {p50:?}, p99 {p99:?}");
}

/// Sends so much without a pause, then a key, and waits for its answer.
fn behind(term: &mut Term, flood: &[u8], key: &str) -> Duration {
    let bytes: Vec<u8> = flood.iter().copied().cycle().take(FLOOD - FLOOD % flood.len()).collect();
    assert!(term.flood(bytes, Duration::from_secs(30)), "not all is read:\n{}", term.text());
    let sent = Instant::now();
    term.send(key);
    assert!(term.exit().success());
    sent.elapsed()
}

#[test]
fn q_is_heard_behind_a_flood_of_arrows_and_wheels() {
    for flood in [&b"\x1b[B"[..], b"\x1b[<65;10;10M", b"j", b"jk", b"\x1b[<64;10;10M\x1b[<65;80;10M"] {
        let mut term = Term::console(100, 30);
        term.wait("docker is down");
        let took = behind(&mut term, flood, "q");
        assert!(took <= ANSWERED, "{took:?} behind {:?}", String::from_utf8_lossy(flood));
    }
}

#[test]
fn a_long_paste_without_brackets_is_taken_as_text() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down");
    term.send("/");
    term.wait("filter");
    let took = behind(&mut term, b"Lorem ipsum, q and Q; ", "\x03\x03");
    assert!(took <= ANSWERED, "{took:?}");
}

#[test]
fn a_paste_that_never_ends_makes_nobody_deaf() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down");
    term.send("\x1b[200~half a paste");
    term.wait("q quit");
    pause(Duration::from_secs(3));
    term.send("?");
    term.wait("Keys of this screen");
}

#[test]
fn esc_and_the_key_behind_it_are_two_keys_in_a_line_of_text_too() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down");
    term.send("/");
    term.wait("filter");
    term.send("abc\x1bq");
    assert!(term.exit().success());
}

#[test]
fn a_slow_line_may_take_an_arrow_apart() {
    let mut term = Term::spawn(80, 16, &["--escape-wait", "2000"], &[]);
    term.wait("docker is down");
    term.send("?");
    term.wait("Keys of this screen");
    let before = term.look(page);
    term.send(ESC);
    pause(Duration::from_millis(300));
    term.send("[B");
    // Were it Esc and two letters, the page would be gone.
    term.wait_until("page that was scrolled", |term| term.look(page) != before);
    assert!(term.text().contains("Keys of this screen"), "{}", term.text());
    term.send(ESC);
    term.wait("q quit");
    term.send("q");
    assert!(term.exit().success());
}

/// The rows of the screen that the header and its clock are not in.
fn page(screen: &vt100::Screen) -> Vec<String> {
    screen.rows(0, screen.size().1.into()).skip(3).collect()
}

#[test]
fn keys_typed_before_a_question_was_painted_are_no_answer() {
    let mut term = Term::console(100, 30);
    term.wait("docker is down");
    term.send("n");
    term.wait("New app");
    // In one go: a letter, away from the form, and yes to whatever is asked.
    term.send("shop\x1b\x1b[C\r\x1b[C\r");
    term.wait("What was typed here is forgotten.");
    pause(Duration::from_millis(300));
    term.wait("What was typed here is forgotten.");
    term.send("\x1b[C\r");
    term.wait_until("closed form", |term| !term.text().contains("New app"));
    term.send("q");
    assert!(term.exit().success());
}
