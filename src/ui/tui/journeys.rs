//! Keys through `update`, then sentences about the state: what a person does and what comes of it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use crate::app::event::Outcome;
use crate::app::ledger::RunState;
use crate::app::traffic::{Compared, ReleaseTraffic};
use crate::app::{Ask, Canary, Notice, OpId, Problem, ReleaseNumber, ReleaseStatus, Span};

use super::console::ConsoleOptions;
use super::model::{FormKind, Model, Overlay, Pane, RowKey, Stage, Tab, View};
use super::msg::{Effect, Msg};
use super::sample::{self, feed, select};
use super::screen;
use super::snapshots::{press, text};

fn host() -> Model {
    sample::host(120, 36, ConsoleOptions::default())
}

fn asked(effects: &[Effect]) -> Vec<&Ask> {
    effects.iter().filter_map(|e| if let Effect::Run(job) = e { Some(&job.ask) } else { None }).collect()
}

fn shown(m: &Model) -> String {
    text(&screen::draw(m))
}

#[test]
fn nothing_changes_an_app_without_a_yes() {
    for keys in ["r", "r enter", "r esc", "b enter", "a down down enter enter", "d", "e", "n", "r y", "a y"] {
        let mut m = host();
        let effects = press(&mut m, keys);
        assert!(asked(&effects).is_empty(), "{keys}");
    }
    let mut m = host();
    assert_eq!(asked(&press(&mut m, "r right enter")).len(), 1);
    assert!(matches!(m.view, View::Deploy(_)), "the change opens by itself");
}

#[test]
fn keys_typed_before_a_question_was_painted_never_reach_it() {
    let mut m = host();
    let key = |code| Msg::Key(KeyEvent::new(code, KeyModifiers::NONE));
    let mut effects = Vec::new();
    for code in [KeyCode::Char('r'), KeyCode::Right, KeyCode::Enter] {
        effects.extend(feed(&mut m, key(code)));
    }
    assert!(asked(&effects).is_empty());
    assert!(matches!(m.overlays.last(), Some(Overlay::Confirm(c)) if !c.armed));
    feed(&mut m, Msg::Painted(Vec::new()));
    assert_eq!(asked(&press(&mut m, "right enter")).len(), 1);
}

#[test]
fn an_app_is_removed_only_by_its_name_and_keeps_its_data() {
    let to_the_end = "a down down down down down down down down down down enter";
    let mut m = host();
    let effects = press(&mut m, &format!("{to_the_end} right enter enter"));
    assert!(asked(&effects).is_empty(), "without its name nothing happens");
    let mut m = host();
    let effects = press(&mut m, &format!("{to_the_end} books enter enter"));
    assert!(matches!(asked(&effects)[..], [Ask::Remove { data: false, .. }]), "{effects:?}");
    let mut m = host();
    let effects = press(&mut m, &format!("{to_the_end} ^d books enter enter"));
    assert!(matches!(asked(&effects)[..], [Ask::Remove { data: true, .. }]), "{effects:?}");
}

#[test]
fn a_read_only_console_changes_nothing() {
    for keys in ["r", "b", "d", "e", "n", "s", "a down enter", "5 enter", ": restart enter", "4 enter"] {
        let mut m = sample::host(120, 36, ConsoleOptions { read_only: true, ..ConsoleOptions::default() });
        let effects = press(&mut m, keys);
        assert!(!effects.iter().any(|e| matches!(e, Effect::Run(_) | Effect::Shell(_) | Effect::Cancel(_))), "{keys}");
        assert!(m.form.is_none(), "{keys}");
        assert!(!m.overlays.iter().any(|o| matches!(o, Overlay::Confirm(_))), "{keys}");
    }
}

#[test]
fn a_deploy_is_left_running_and_found_again() {
    let mut m = host();
    select(&mut m, "shop");
    for leave in ["esc", "q", "^c"] {
        press(&mut m, "enter");
        assert!(matches!(m.view, View::Deploy(_)));
        let effects = press(&mut m, leave);
        assert_eq!(m.view, View::Main, "{leave} leaves it running");
        assert!(!effects.iter().any(|e| matches!(e, Effect::Quit | Effect::Cancel(_))), "{leave}: {effects:?}");
        assert!(shown(&m).contains("deploying 5/7"));
    }
    press(&mut m, "enter c");
    assert!(m.overlays.is_empty(), "past the switch there is nothing to cancel");
    assert!(shown(&m).contains("nothing to undo"), "{}", shown(&m));
}

#[test]
fn a_deploy_of_somebody_else_is_followed_from_its_start() {
    let mut m = sample::fresh(120, 36, ConsoleOptions::default());
    feed(&mut m, sample::engine_up());
    let effects = feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
    assert!(effects.contains(&Effect::Follow(OpId("f00d".into()), 0)), "{effects:?}");
    let again = feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
    assert!(!again.iter().any(|e| matches!(e, Effect::Follow(..))), "once");
    let gone = Problem::new(Outcome::Environment, "x", "the connection broke");
    feed(&mut m, Msg::Progress(Box::new(sample::deploy("f00d", true)[0].clone())));
    feed(&mut m, Msg::Lost(OpId("f00d".into()), gone));
    let effects = feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
    assert!(effects.contains(&Effect::Follow(OpId("f00d".into()), 1)), "goes on where it was: {effects:?}");
}

#[test]
fn a_cancel_before_the_switch_asks_and_then_asks_the_change() {
    let mut m = sample::fresh(120, 36, ConsoleOptions::default());
    feed(&mut m, sample::engine_up());
    feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
    for envelope in sample::deploy("f00d", true).into_iter().take(6) {
        feed(&mut m, Msg::Progress(Box::new(envelope)));
    }
    select(&mut m, "shop");
    let effects = press(&mut m, "enter c right enter");
    assert_eq!(effects, [Effect::Cancel(OpId("f00d".into()))]);
}

#[test]
fn only_what_was_changed_is_sent_and_masks_never() {
    let mut m = host();
    let effects = press(&mut m, "e down down x ^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(deploy.dry_run);
    assert_eq!(deploy.existing.as_ref().unwrap().0, "books");
    assert_eq!(deploy.expected_revision, Some(20));
    let json = serde_json::to_value(&deploy.draft).unwrap();
    let given: Vec<_> = json
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, v)| !(v.is_null() || **v == serde_json::json!([]) || **v == serde_json::json!({}) || **v == false))
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(given, ["health_path=\"/upx\""]);
}

#[test]
fn variables_are_added_taken_away_and_kept_secret() {
    let mut m = host();
    let effects = press(&mut m, "e ^n TOKEN tab ^t hunter2 ^s");
    assert!(!shown(&m).contains("hunter2"));
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    let value = &deploy.draft.env[&"TOKEN".parse().unwrap()];
    assert!(value.secret);
    assert_eq!(value.value.expose(), "hunter2");
    assert_eq!(deploy.draft.env.len(), 1, "masked ones stay at home");

    let mut m = host();
    press(&mut m, "e");
    let form = m.form.as_mut().unwrap();
    form.cursor = form.rows.iter().position(|r| r.key.value() == "SMTP_PASSWORD").unwrap();
    let effects = press(&mut m, "^d ^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(deploy.draft.unset.contains(&"env.SMTP_PASSWORD".parse().unwrap()));
    assert!(deploy.draft.env.is_empty());
}

#[test]
fn hostnames_are_added_and_dropped() {
    let mut m = host();
    press(&mut m, "e");
    let form = m.form.as_mut().unwrap();
    form.cursor = form.rows.iter().position(|r| r.value.value() == "books.example.com").unwrap();
    feed(&mut m, Msg::Paste(" www.example.com".into()));
    // The paste is trimmed: a space has to be typed.
    assert!(m.form.as_ref().unwrap().rows.iter().any(|r| r.value.value() == "books.example.comwww.example.com"));
    press(&mut m, "^u");
    feed(&mut m, Msg::Paste("books.example.com b.example.com".into()));
    let effects = press(&mut m, "^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(deploy.draft.hosts, ["b.example.com".parse().unwrap()]);
    assert!(deploy.draft.drop_hosts.is_empty());
}

#[test]
fn a_new_app_needs_an_image_and_says_so() {
    let mut m = sample::fresh(100, 30, ConsoleOptions::default());
    feed(&mut m, sample::engine_up());
    feed(&mut m, Msg::ProxyAbsent);
    press(&mut m, "n");
    assert_eq!(m.form.as_ref().unwrap().kind, FormKind::New);
    assert!(asked(&press(&mut m, "down x ^s")).is_empty());
    assert_eq!(m.form.as_ref().unwrap().cursor, 0, "the focus goes to what is missing");
    feed(&mut m, Msg::Paste("ghcr.io/acme/wiki:2.0\nrm -rf".into()));
    assert!(m.form.as_ref().unwrap().rows[0].error.is_some(), "a paste of two lines does not submit");
    press(&mut m, "^u");
    feed(&mut m, Msg::Paste("ghcr.io/acme/wiki:2.0".into()));
    let effects = press(&mut m, "^s");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((deploy.name.as_ref().unwrap().as_str(), deploy.dry_run, deploy.existing.is_none()), ("x", true, true));
    assert!(matches!(m.form.as_ref().unwrap().stage, Stage::Planning(_)));
    assert!(m.rows().is_empty(), "a dry run is no deploy");
}

#[test]
fn a_review_is_sent_off_as_it_was_shown() {
    let scene = super::snapshots::SCENES.iter().find(|(name, _)| *name == "review").unwrap().1;
    let mut m = scene(100, 30, ConsoleOptions::default());
    let effects = press(&mut m, "enter");
    let [Ask::Deploy(deploy)] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert!(!deploy.dry_run);
    assert_eq!(deploy.draft.image.as_ref().unwrap().to_string(), "ghcr.io/acme/books:1.7.9");
    assert!(matches!(m.view, View::Deploy(_)));
}

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
    assert_eq!((first.container.as_str(), first.access.is_none()), ("books-7", true));
    select(&mut m, "chat");
    let second = request(&feed(&mut m, Msg::Tick(sample::now()))).unwrap();
    assert_eq!(second.container, "chat-41");
    feed(&mut m, Msg::Log(first.generation, sample::log_lines()));
    assert_eq!(m.logs.lines().0.len(), 0, "lines of the log before are dropped");
    feed(&mut m, Msg::Log(second.generation, sample::log_lines()));
    assert_eq!(m.logs.lines().0.len(), 10);
    let access = request(&press(&mut m, "p")).unwrap();
    assert_eq!((access.container.as_str(), access.access.is_some()), ("once-proxy", true));
    let effects = press(&mut m, "y");
    assert!(effects.is_empty(), "there is no line to copy yet");
}

#[test]
fn hostile_text_never_reaches_a_cell() {
    let mut m = host();
    press(&mut m, "l");
    let generation = m.logs.generation;
    let line = crate::app::engine::LogLine { at: None, stderr: false, text: "a\u{1b}[2Jb\u{202e}c\u{7}".into() };
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
fn every_action_has_a_command_that_can_be_copied() {
    let mut m = host();
    press(&mut m, "a");
    let Some(Overlay::Menu(menu)) = m.overlays.last() else { panic!() };
    assert!(menu.items.iter().all(|i| i.command.starts_with("once ")));
    let effects = press(&mut m, "down down y");
    assert_eq!(effects, [Effect::Copy("once restart books".into())]);
    press(&mut m, "esc");
    assert_eq!(press(&mut m, "o"), [Effect::Copy("http://books.example.com".into())]);
    select(&mut m, "books");
    assert_eq!(press(&mut m, "4 down y"), [Effect::Copy("once rollback books 6".into())]);
}

#[test]
fn a_canary_is_shown_with_both_sides_and_can_be_promoted_or_aborted() {
    let mut snapshot = sample::snapshot();
    let books = snapshot.apps.iter_mut().find(|r| r.name.as_str() == "books").unwrap();
    let mut release = books.releases.last().unwrap().clone();
    (release.number, release.status, release.container) =
        (ReleaseNumber(8), ReleaseStatus::Canary, "once-books-8".into());
    let since = release.created_at;
    books.canary = Some(Box::new(Canary { release, rule: "10%".parse().unwrap(), since }));
    let compared = Some(Compared { requests: 200, errors: 3, p95_ms: Some(12.0), ..Compared::default() });
    let seen = ReleaseTraffic { requests: 200, errors: 3, compared, ..ReleaseTraffic::none(ReleaseNumber(8)) };
    snapshot.traffic.iter_mut().find(|(id, _)| id.0 == "id-books").unwrap().1.releases = vec![seen];
    let with_canary = || {
        let mut m = host();
        feed(&mut m, Msg::Snapshot(Box::new(snapshot.clone())));
        select(&mut m, "books");
        m
    };
    let screen = shown(&with_canary());
    assert!(screen.contains("release 8, 200 requests, 1.5% errors") && screen.contains("beside"), "{screen}");
    let mut m = with_canary();
    assert!(matches!(asked(&press(&mut m, "a enter right enter"))[..], [Ask::Promote { .. }]));
    let mut m = with_canary();
    press(&mut m, "a down enter");
    assert!(shown(&m).contains("1.5% errors"), "who decides sees the figures: {}", shown(&m));
    assert!(matches!(asked(&press(&mut m, "right enter"))[..], [Ask::Abort { .. }]));
}

#[test]
fn an_app_is_closed_with_a_message_and_opened_again_paused_and_resumed() {
    let state = |state: RunState| {
        let mut snapshot = sample::snapshot();
        snapshot.apps.iter_mut().find(|r| r.name.as_str() == "books").unwrap().state = state;
        let mut m = host();
        feed(&mut m, Msg::Snapshot(Box::new(snapshot)));
        select(&mut m, "books");
        m
    };
    let choose = |m: &mut Model, label: &str| {
        press(m, "a");
        let Some(Overlay::Menu(menu)) = m.overlays.last() else { panic!("no menu") };
        let at = menu.items.iter().position(|item| item.label == label).unwrap_or_else(|| panic!("no {label}"));
        assert_eq!(menu.items[at].off, None, "{label}");
        press(m, &"down ".repeat(at));
        press(m, "enter");
    };
    let mut m = state(RunState::Running);
    choose(&mut m, "Maintenance…");
    press(&mut m, "B a c k space a t space 9");
    assert!(shown(&m).contains("once maintenance books --message 'Back at 9'"), "{}", shown(&m));
    let effects = press(&mut m, "enter enter");
    let asked_for = asked(&effects);
    let [Ask::Maintenance { notice: Some(notice), .. }] = &asked_for[..] else { panic!("{asked_for:?}") };
    assert_eq!(notice.message.as_deref(), Some("Back at 9"));
    let mut m = state(RunState::Maintenance(Notice::default()));
    choose(&mut m, "Restart");
    press(&mut m, "esc");
    choose(&mut m, "End maintenance");
    assert!(matches!(asked(&press(&mut m, "right enter"))[..], [Ask::Maintenance { notice: None, .. }]));
    let mut m = state(RunState::Running);
    choose(&mut m, "Pause");
    assert!(matches!(asked(&press(&mut m, "right enter"))[..], [Ask::Pause { .. }]));
    let mut m = state(RunState::Paused { max_wait: Span::seconds(30) });
    choose(&mut m, "Resume");
    assert!(matches!(asked(&press(&mut m, "right enter"))[..], [Ask::Resume { .. }]));
}

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mut m = host();
    let drawn = screen::draw(&m);
    let row = RowKey::App("chat".parse().unwrap());
    let (area, _) = drawn.hits.iter().find(|(_, h)| *h == super::msg::Hit::Row(row.clone())).unwrap().clone();
    feed(&mut m, Msg::Painted(drawn.hits));
    let mouse = |kind, column, row| Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    feed(&mut m, mouse(MouseEventKind::Down(MouseButton::Left), area.x + 5, area.y));
    assert_eq!((m.selected.clone(), m.pane), (Some(row), Pane::List));
    feed(&mut m, mouse(MouseEventKind::ScrollDown, area.x + 5, area.y));
    assert_eq!(m.selected, Some(RowKey::App("old".parse().unwrap())));
}

#[test]
fn tabs_and_panes_are_reached_by_keys_alone() {
    let mut m = host();
    press(&mut m, "3");
    assert_eq!((m.tab, m.pane), (Tab::Logs, Pane::Detail));
    press(&mut m, "] ]");
    assert_eq!(m.tab, Tab::Settings);
    press(&mut m, "] [");
    assert_eq!(m.tab, Tab::Settings);
    press(&mut m, "esc");
    assert_eq!(m.pane, Pane::List);
    assert_eq!(press(&mut m, "q"), [Effect::Quit]);
    assert_eq!(press(&mut m, "^c"), [Effect::Quit]);
    assert_eq!(press(&mut m, "^z"), [Effect::Suspend]);
}

#[test]
fn esc_and_a_key_that_arrive_as_one_are_two() {
    let mut m = host();
    press(&mut m, "?");
    let effects = feed(&mut m, Msg::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)));
    assert_eq!(effects, [Effect::Quit]);
}

fn any_msg() -> impl Strategy<Value = Msg> {
    let letters = prop_oneof![
        proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageDown,
            KeyCode::PageUp,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::Char('ü'),
            KeyCode::Char('語'),
        ]),
    ];
    let key = (letters, any::<bool>()).prop_map(|(code, ctrl)| {
        Msg::Key(KeyEvent::new(code, if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE }))
    });
    let mouse = (0u16..250, 0u16..80, 0usize..3).prop_map(|(column, row, kind)| {
        let kind =
            [MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollUp, MouseEventKind::ScrollDown][kind];
        Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    let other = (0usize..15).prop_map(|n| match n {
        0 => Msg::Snapshot(Box::new(sample::snapshot())),
        1 => Msg::Snapshot(Box::new({
            let mut s = sample::snapshot();
            s.apps.truncate(1);
            s
        })),
        2 => Msg::ProxyAbsent,
        3 => Msg::EngineDown(sample::problem(), sample::ago(-3)),
        4 => Msg::ProxyDown(sample::problem(), sample::ago(-3)),
        5 => sample::engine_up(),
        6 => Msg::Containers(sample::containers()),
        7 => Msg::Containers(Vec::new()),
        8 => sample::usage(7),
        9 => Msg::Problem(sample::problem()),
        10 => Msg::Log(1, sample::log_lines()),
        11 => Msg::Activity(sample::activity()),
        12 => Msg::Tick(sample::ago(-5)),
        13 => Msg::Lost(OpId("f00d".into()), sample::problem()),
        _ => Msg::Paste("ghcr.io/a/b:1\n日本".into()),
    });
    let step = (0usize..20, any::<bool>()).prop_map(|(n, good)| {
        let all = sample::deploy("f00d", good);
        Msg::Progress(Box::new(all[n % all.len()].clone()))
    });
    let size = (1u16..=250, 1u16..=80).prop_map(|(w, h)| Msg::Resize(w, h));
    prop_oneof![8 => key, 2 => mouse, 2 => other, 1 => step, 1 => size]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_message_at_any_size_breaks_it(
        size in (1u16..=250, 1u16..=80),
        ascii in any::<bool>(),
        msgs in proptest::collection::vec(any_msg(), 1..60),
    ) {
        let mut m = sample::host(size.0, size.1, ConsoleOptions { ascii, ..ConsoleOptions::default() });
        for msg in msgs {
            feed(&mut m, msg);
            let drawn = screen::draw(&m);
            prop_assert_eq!((drawn.buffer.area().width, drawn.buffer.area().height), m.size);
            if let Some(at) = drawn.cursor {
                prop_assert!(drawn.buffer.area().contains(at), "{:?} on {:?}", at, m.size);
            }
            let row = m.selected.clone();
            prop_assert!(row.is_none_or(|r| m.rows().contains(&r)));
            feed(&mut m, Msg::Painted(drawn.hits));
        }
    }
}
