//! Changes under way, one's own and others'.

use once_app::event::Outcome;
use once_app::{OpId, Problem};

use super::super::console::ConsoleOptions;
use super::super::model::{Model, Stage, View};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed, select};
use super::super::snapshots::press;
use super::{host, shown};

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
fn what_was_typed_for_a_change_is_kept_until_the_change_has_ended() {
    let mut m = host();
    select(&mut m, "books");
    press(&mut m, "e x ^s");
    let Some(Stage::Planning(op)) = m.form.as_ref().map(|form| form.stage.clone()) else { panic!("{}", shown(&m)) };
    for envelope in sample::planned(&op, sample::plan()) {
        feed(&mut m, Msg::Progress(Box::new(envelope)));
    }
    press(&mut m, "enter");
    let View::Deploy(op) = m.view.clone() else { panic!("{}", shown(&m)) };
    let typed = |m: &Model| m.form.as_ref().unwrap().rows[0].value.value().to_owned();
    let before = typed(&m);
    press(&mut m, "e");
    assert_eq!((&m.view, typed(&m)), (&View::Deploy(op), before), "{}", shown(&m));
    assert!(shown(&m).contains("under way"), "{}", shown(&m));
}
