//! What changes an app asks first.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

use once_app::event::LockView;
use once_app::ledger::RunState;
use once_app::traffic::{Compared, ReleaseTraffic};
use once_app::{Ask, Canary, Notice, OpId, ReleaseNumber, ReleaseStatus, Span};

use super::super::console::ConsoleOptions;
use super::super::model::{Model, Overlay, Stage, View};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed, select};
use super::super::snapshots::press;
use super::{asked, host, shown};

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
    let key = |code| Msg::Typed(vec![Event::Key(KeyEvent::new(code, KeyModifiers::NONE))]);
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
    let to_the_end = "a G enter";
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
    assert!(press(&mut m, "4 down y").contains(&Effect::Copy("once rollback books 6".into())));
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
fn l_takes_a_lock_with_a_reason_and_lifts_it() {
    let mut m = host();
    assert!(press(&mut m, "L enter").is_empty(), "an enter alone goes to the button, and does not press it");
    press(&mut m, "esc L");
    press(&mut m, "l o a d space t e s t");
    let question = shown(&m);
    assert!(question.contains("once lock books --message 'load test'"), "{question}");
    let effects = press(&mut m, "enter enter");
    let [Effect::Hold(app, op, by, why)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((app.as_str(), by.command.as_str(), why.as_deref()), ("books", "console", Some("load test")));
    assert!(!op.0.is_empty());

    select(&mut m, "chat");
    press(&mut m, "L");
    let question = shown(&m);
    for words in ["Lift the lock of chat?", "mia@laptop took it 66 minutes ago", "load test", "once unlock chat"] {
        assert!(question.contains(words), "no {words} in {question}");
    }
    assert_eq!(press(&mut m, "right enter"), [Effect::Lift("chat".parse().unwrap(), m.by.clone(), false)]);
    feed(&mut m, Msg::Locked(Ok("chat is unlocked".into())));
    assert!(shown(&m).contains("chat is unlocked"));
    feed(&mut m, Msg::Locked(Err(sample::problem())));
    assert!(shown(&m).contains("press ! to see it"), "a refusal stays until it was seen");
}

#[test]
fn the_lock_of_a_change_under_way_is_taken_away_only_by_the_apps_name() {
    let mut snapshot = sample::snapshot();
    let held = LockView { app: "books".parse().unwrap(), op: Some(OpId("dead".into())), ..snapshot.locks[0].clone() };
    snapshot.locks.push(held);
    let mut m = host();
    feed(&mut m, Msg::Snapshot(Box::new(snapshot)));
    select(&mut m, "books");
    press(&mut m, "L");
    assert!(shown(&m).contains("change under way"), "{}", shown(&m));
    assert!(press(&mut m, "right enter").is_empty());
    let effects = press(&mut m, "books enter enter");
    assert_eq!(effects, [Effect::Lift("books".parse().unwrap(), m.by.clone(), true)]);
}

#[test]
fn who_holds_a_lock_is_told_in_the_list_and_on_the_app() {
    let mut m = host();
    assert!(shown(&m).contains("locked by mia"), "{}", shown(&m));
    select(&mut m, "chat");
    let screen = shown(&m);
    for words in ["locked by mia@laptop (lock)", "66 minutes ago: load test", "L lifts it"] {
        assert!(screen.contains(words), "no {words} in {screen}");
    }
}

#[test]
fn a_rename_is_typed_reviewed_and_then_done() {
    let mut m = host();
    press(&mut m, "a");
    let Some(Overlay::Menu(menu)) = m.overlays.last() else { panic!("no menu") };
    let at = menu.items.iter().position(|item| item.label == "Rename…").unwrap();
    press(&mut m, &"down ".repeat(at));
    press(&mut m, "enter");
    assert!(asked(&press(&mut m, "^s")).is_empty(), "its own name is nothing new");
    press(&mut m, "^u");
    assert!(asked(&press(&mut m, "^s")).is_empty(), "a name is needed");
    let effects = press(&mut m, "library ^s");
    let Some(Ask::Rename { app, to, dry_run: true }) = asked(&effects).pop() else { panic!("{effects:?}") };
    assert_eq!((app.0.as_str(), to.as_str()), ("books", "library"));
    let Some(Stage::Planning(op)) = m.form.as_ref().map(|f| f.stage.clone()) else { panic!("{:?}", m.form) };
    for envelope in sample::planned(&op, sample::renaming()) {
        feed(&mut m, Msg::Progress(Box::new(envelope)));
    }
    let review = shown(&m);
    for words in ["nothing restarts", "books → library", "goes on meaning this app", "once rename books library"] {
        assert!(review.contains(words), "no {words} in {review}");
    }
    let effects = press(&mut m, "enter");
    assert!(matches!(asked(&effects)[..], [Ask::Rename { dry_run: false, .. }]), "{effects:?}");
    assert!(matches!(m.view, View::Deploy(_)) && shown(&m).contains("Rename books"), "{}", shown(&m));
}

#[test]
fn an_alias_is_dropped_from_the_menu_where_there_is_one() {
    let mut m = host();
    let entry = |m: &mut Model| {
        press(m, "a");
        let Some(Overlay::Menu(menu)) = m.overlays.last() else { panic!("no menu") };
        menu.items.iter().position(|item| item.label == "Drop an alias…")
    };
    assert_eq!(entry(&mut m), None);
    press(&mut m, "esc");
    let app = m.apps.get_mut(&"books".parse().unwrap()).unwrap();
    app.record.aliases = vec!["library".parse().unwrap(), "shelf".parse().unwrap()];
    let at = entry(&mut m).unwrap();
    press(&mut m, &"down ".repeat(at));
    let menu = shown(&m);
    for words in ["library means this app no longer", "once rename --drop-alias library"] {
        assert!(menu.contains(words), "no {words} in {menu}");
    }
    assert!(asked(&press(&mut m, "enter")).is_empty(), "it is asked first");
    let effects = press(&mut m, "right enter");
    let Some(Ask::DropAlias { alias, dry_run: false }) = asked(&effects).pop() else { panic!("{effects:?}") };
    assert_eq!(alias.as_str(), "library");
}
