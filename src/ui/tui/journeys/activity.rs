//! The audit log in the console.

use super::super::model::{RowKey, View};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed};
use super::super::snapshots::press;
use super::{host, shown};

#[test]
fn what_was_refused_and_what_is_of_apps_that_are_gone_is_there_and_can_be_found() {
    let mut m = host();
    assert_eq!(press(&mut m, "A"), [Effect::Activity(None)]);
    feed(&mut m, Msg::Activity(sample::activity()));
    let screen = shown(&m);
    for words in ["rejected", "there is no app `shpo`", "gone", "mia@laptop"] {
        assert!(screen.contains(words), "no {words} in {screen}");
    }
    press(&mut m, "f");
    let screen = shown(&m);
    assert!(screen.contains("never answered") && screen.contains("shpo") && !screen.contains("1.7.0"), "{screen}");
    press(&mut m, "/ mia enter");
    let screen = shown(&m);
    assert!(screen.contains("never answered") && !screen.contains("shpo"), "{screen}");
    let [Effect::Copy(text)] = &press(&mut m, "y")[..] else { panic!() };
    assert!(text.contains("wiki failed mia@laptop"), "{text}");
    press(&mut m, "esc");
    assert!(shown(&m).contains("1.7.0"), "esc drops the filter first");
    assert!(m.filter.is_empty(), "the list of apps has a filter of its own");
    press(&mut m, "esc");
    assert_eq!(m.view, View::Main);
}

#[test]
fn an_entry_leads_to_its_app_or_the_report_of_its_change_and_back() {
    let mut m = host();
    press(&mut m, "A");
    let mut entries = sample::activity();
    entries[0].op = Some(once_app::OpId("f00d".into()));
    feed(&mut m, Msg::Activity(entries));
    press(&mut m, "enter");
    assert!(matches!(m.view, View::Deploy(_)));
    press(&mut m, "esc");
    assert_eq!(m.view, View::Activity);
    press(&mut m, "down enter");
    assert_eq!((m.view.clone(), m.selected.clone()), (View::Main, Some(RowKey::App("wiki".parse().unwrap()))));
}

#[test]
fn it_is_loaded_again_while_it_is_shown_and_only_then() {
    let loads = |effects: Vec<Effect>| effects.iter().filter(|e| matches!(e, Effect::Activity(_))).count();
    let mut m = host();
    assert_eq!(loads(feed(&mut m, Msg::Tick(sample::ago(-20)))), 0);
    press(&mut m, "A");
    assert_eq!(loads(feed(&mut m, Msg::Tick(sample::ago(-25)))), 0);
    assert_eq!(loads(feed(&mut m, Msg::Tick(sample::ago(-31)))), 1);
}
