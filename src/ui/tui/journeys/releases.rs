//! Releases: all of them, two beside each other, one in full.

use once_app::event::Envelope;
use once_app::{Ask, OpId, ReleaseNumber};

use super::super::model::{Model, View};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed};
use super::super::snapshots::press;
use super::{asked, host, shown};

fn with_history() -> Model {
    let mut m = host();
    press(&mut m, "4");
    feed(&mut m, Msg::History("books".parse().unwrap(), Ok(sample::history())));
    m
}

#[test]
fn older_releases_than_the_record_has_are_asked_for_once_and_again_when_the_app_has_moved() {
    let loads = |effects: Vec<Effect>| effects.iter().filter(|e| matches!(e, Effect::History(..))).count();
    let mut m = host();
    assert_eq!(loads(press(&mut m, "4")), 1);
    assert!(!shown(&m).contains("1.1.0"), "not there yet");
    feed(&mut m, Msg::History("books".parse().unwrap(), Ok(sample::history())));
    assert!(shown(&m).contains("books:1.1.0"), "{}", shown(&m));
    assert_eq!(loads(feed(&mut m, Msg::Tick(sample::ago(-60)))), 0);
    let mut snapshot = sample::snapshot();
    snapshot.apps.iter_mut().for_each(|app| app.revision += 1);
    assert_eq!(loads(feed(&mut m, Msg::Snapshot(Box::new(snapshot)))), 1);
}

#[test]
fn a_history_that_could_not_be_had_is_told_and_asked_for_again() {
    let mut m = host();
    press(&mut m, "4");
    feed(&mut m, Msg::History("books".parse().unwrap(), Err(sample::problem())));
    assert!(shown(&m).contains("older ones are not known"), "{}", shown(&m));
    let effects = feed(&mut m, Msg::Tick(sample::ago(-11)));
    assert!(effects.iter().any(|e| matches!(e, Effect::History(..))), "{effects:?}");
}

#[test]
fn any_two_releases_are_compared_and_of_a_secret_only_that_it_changed() {
    let mut m = with_history();
    press(&mut m, "c down down down down down");
    let screen = shown(&m);
    for words in
        ["compared with release 7", "1.7.0 → 1.2.0", "env.SMTP_PASSWORD changed", "why: the day the mail moved"]
    {
        assert!(screen.contains(words), "no {words} in {screen}");
    }
    assert!(!screen.contains("hunter"), "{screen}");
    press(&mut m, "g c");
    press(&mut m, "down");
    assert!(!shown(&m).contains("compared with release 7"), "{}", shown(&m));
}

#[test]
fn a_release_is_shown_in_full_and_can_be_gone_back_to_from_there() {
    let mut m = with_history();
    let effects = press(&mut m, "down down down down down enter");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Follow(..))), "its events are no longer kept");
    let screen = shown(&m);
    for words in [
        "books.example.com release 2",
        "deploy from ci, with `deploy`",
        "the day the mail moved",
        "once-books-2, port 80",
        "no longer kept",
    ] {
        assert!(screen.contains(words), "no {words} in {screen}");
    }
    press(&mut m, "space space");
    let screen = shown(&m);
    assert!(screen.contains("RAILS_LOG_LEVEL") && !screen.contains("hunter"), "{screen}");
    assert_eq!(press(&mut m, "y"), [Effect::Copy("once show books --release 2".into())]);
    let effects = press(&mut m, "b right enter");
    let [Ask::Rollback { to, .. }] = asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(*to, Some(ReleaseNumber(2)), "older than the record");
}

#[test]
fn the_events_of_a_release_are_read_where_the_proxy_still_has_them() {
    let mut m = with_history();
    let mut snapshot = sample::snapshot();
    let op = OpId("op-books-7".into());
    snapshot.ops[0].op = op.clone();
    snapshot.ops[0].finished = true;
    snapshot.ops[0].started_at = sample::ago(5 * 3600);
    feed(&mut m, Msg::Snapshot(Box::new(snapshot)));
    let effects = press(&mut m, "g enter");
    assert_eq!(m.view, View::Release(ReleaseNumber(7)));
    assert!(effects.contains(&Effect::Follow(op.clone(), 0)), "{effects:?}");
    for envelope in sample::deploy("op-books-7", true) {
        feed(&mut m, Msg::Progress(Box::new(Envelope { app: Some("books".parse().unwrap()), ..envelope })));
    }
    let screen = shown(&m);
    assert!(screen.contains("4 of 9 layers, 128 MB (3.1 s)"), "{screen}");
    press(&mut m, "esc");
    assert_eq!(m.view, View::Main);
    assert!(!shown(&m).contains("deploying 7/7"), "what was read is no change under way");
}
