//! What is shown, and what is never shown.

use once_app::Span;
use once_app::ledger::RunState;
use once_app::traffic::Recent;

use super::super::console::ConsoleOptions;
use super::super::model::{LogSource, Overlay, Pane, RowKey};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed, select};
use super::super::screen;
use super::super::snapshots::press;
use super::{host, shown};

#[test]
fn a_dead_engine_keeps_the_list_and_an_empty_one_says_how_to_begin() {
    let mut m = host();
    feed(&mut m, Msg::EngineDown(sample::problem(), sample::ago(-4)));
    let screen = shown(&m);
    assert!(screen.contains("books.example.com") && screen.contains("next try in 4 s"), "{screen}");
    feed(&mut m, Msg::Tick(sample::ago(-2)));
    assert!(shown(&m).contains("next try in 2 s"));

    let mut m = sample::fresh(100, 30, ConsoleOptions::default());
    feed(&mut m, Msg::EngineDown(sample::problem(), sample::ago(-4)));
    assert!(!shown(&m).contains("No app here yet"), "a failure is not an empty host");
    feed(&mut m, sample::engine_up());
    feed(&mut m, Msg::ProxyAbsent);
    assert!(shown(&m).contains("No app here yet"));
}

#[test]
fn errors_stay_until_they_were_seen() {
    let mut m = host();
    feed(&mut m, Msg::Problem(sample::problem()));
    for _ in 0..100 {
        feed(&mut m, Msg::Tick(sample::now()));
    }
    assert!(shown(&m).contains("press ! to see it"));
    press(&mut m, "! esc");
    assert!(!shown(&m).contains("press ! to see it"));
    press(&mut m, "!");
    assert!(shown(&m).contains("Connection refused"), "and can be seen again");
}

#[test]
fn logs_belong_to_the_app_that_is_shown() {
    let mut m = host();
    let effects = press(&mut m, "l");
    let request =
        |effects: &[Effect]| effects.iter().find_map(|e| if let Effect::Logs(r) = e { Some(r.clone()) } else { None });
    let first = request(&effects).unwrap();
    assert_eq!((first.app.as_str(), first.source), ("books", LogSource::App));
    select(&mut m, "chat");
    let second = request(&feed(&mut m, Msg::Tick(sample::now()))).unwrap();
    assert_eq!(second.app.as_str(), "chat");
    feed(&mut m, Msg::Log(first.generation, sample::log_lines()));
    assert_eq!(m.logs.lines().0.len(), 0, "lines of the log before are dropped");
    feed(&mut m, Msg::Log(second.generation, sample::log_lines()));
    assert_eq!(m.logs.lines().0.len(), 10);
    let access = request(&press(&mut m, "p")).unwrap();
    assert_eq!((access.app.as_str(), access.source), ("chat", LogSource::Access));
    let effects = press(&mut m, "y");
    assert!(effects.is_empty(), "there is no line to copy yet");
}

#[test]
fn the_log_before_is_read_to_its_end_and_left_again() {
    let mut m = host();
    press(&mut m, "l");
    let request =
        |effects: &[Effect]| effects.iter().find_map(|e| if let Effect::Logs(r) = e { Some(r.clone()) } else { None });
    let before = request(&press(&mut m, "P")).unwrap();
    assert_eq!((before.app.as_str(), before.source), ("books", LogSource::Before));
    assert!(shown(&m).contains("log of books, the run before · reading"), "{}", shown(&m));
    feed(&mut m, Msg::Log(before.generation, sample::log_lines()));
    feed(&mut m, Msg::LogEnded(before.generation, None));
    assert!(shown(&m).contains("the run before · all there is"), "{}", shown(&m));
    let again = request(&press(&mut m, "P")).unwrap();
    assert_eq!(again.source, LogSource::App, "the same key leads back");
    press(&mut m, "p");
    assert_eq!(request(&press(&mut m, "P")).unwrap().source, LogSource::Before, "from the access log, too");
    assert_eq!(request(&press(&mut m, "p")).unwrap().source, LogSource::Access);
}

#[test]
fn a_notice_over_the_keys_of_a_form_goes_with_the_next_key() {
    for (columns, rows) in [(80, 24), (40, 15)] {
        let mut m = sample::fresh(columns, rows, ConsoleOptions::default());
        feed(&mut m, sample::engine_up());
        feed(&mut m, Msg::ProxyAbsent);
        press(&mut m, "n");
        let keys = shown(&m).lines().last().map(str::to_owned).unwrap();
        m.notice = Some(("copied".into(), sample::ago(-4)));
        assert_eq!(shown(&m).lines().last().map(str::trim), Some("copied"));
        press(&mut m, "x");
        assert_eq!(shown(&m).lines().last(), Some(keys.as_str()), "{}", shown(&m));
    }
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let mut m = host();
    press(&mut m, "l");
    let generation = m.logs.generation;
    let line = once_app::engine::LogLine { at: None, stderr: false, text: "a\u{1b}[2Jb\u{202e}c\u{7}".into() };
    feed(&mut m, Msg::Log(generation, vec![line]));
    let mut problem = sample::problem();
    problem.message = "x\u{1b}]52;c;AAAA\u{7}\u{9b}31m".into();
    feed(&mut m, Msg::Problem(problem));
    let drawn = screen::draw(&m);
    for cell in &drawn.buffer.content {
        assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
    }
    let effects = press(&mut m, "y");
    let [Effect::Copy(text)] = &effects[..] else { panic!("{effects:?}") };
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn the_filter_narrows_and_the_palette_goes_anywhere() {
    let mut m = host();
    press(&mut m, "/cha enter");
    assert_eq!(m.rows(), [RowKey::App("chat".parse().unwrap())]);
    press(&mut m, "esc");
    assert!(m.rows().len() > 5);
    press(&mut m, ":old enter");
    assert_eq!((m.selected.clone(), m.pane), (Some(RowKey::App("old".parse().unwrap())), Pane::Detail));
    press(&mut m, ":restart enter");
    assert!(matches!(m.overlays.last(), Some(Overlay::Confirm(_))));
}

#[test]
fn an_app_is_shown_as_it_is_and_each_state_has_a_word_and_a_glyph_of_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    // Its errors are those of a minute ago, and say nothing of an app that is closed on purpose.
    let failing = Some(Recent { answers: 24, errors: 12, failing: true });
    let calm = Some(Recent { answers: 24, errors: 0, failing: false });
    let wait = RunState::Paused { max_wait: Span::seconds(30) };
    for (state, recent, running, row, sentence) in [
        (RunState::Running, calm, true, "● books", "serving"),
        (RunState::Running, failing, true, "! books", "50% errors: 12 of 24 answers in the last minute"),
        (RunState::Running, calm, false, "✕ books", "its container has ended"),
        (RunState::Stopped, failing, false, "○ books", "stopped: visitors see a 503 page · a starts it"),
        (RunState::Maintenance(<_>::default()), failing, true, "◇ books", "maintenance: visitors see a 503 page"),
        (wait, failing, true, "= books", "paused: requests wait, each up to 30s"),
    ] {
        let (mut m, mut snapshot, mut containers) = (host(), sample::snapshot(), sample::containers());
        snapshot.apps[0].state = state;
        snapshot.traffic[0].1.recent = recent;
        containers[0].running = running;
        if !running {
            containers[0].state = "exited".into();
        }
        feed(&mut m, Msg::Snapshot(Box::new(snapshot)));
        feed(&mut m, Msg::Containers(containers));
        let screen = shown(&m);
        assert!(screen.contains(row) && screen.contains(sentence), "{row}, {sentence}:\n{screen}");
        let word = m.standing(m.app().unwrap()).state;
        assert!(seen.insert(word) && seen.len() <= 6, "{word} twice");
    }
}

#[test]
fn an_older_list_of_containers_makes_no_app_one_without() {
    let mut m = host();
    feed(&mut m, Msg::Containers(Vec::new()));
    assert!(shown(&m).contains("its container is gone"));
    feed(&mut m, Msg::EngineDown(sample::problem(), sample::ago(-4)));
    feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
    assert!(!shown(&m).contains("its container is gone"), "{}", shown(&m));
}
