//! The host's findings, and what mends them.

use once_app::event::{Envelope, Event, Finished, Outcome};
use once_app::{Ask, Fix, OpId};

use super::super::console::ConsoleOptions;
use super::super::model::{Model, Overlay, Progress, RowKey, View};
use super::super::msg::{Effect, Msg};
use super::super::sample::{self, feed};
use super::super::snapshots::press;
use super::{asked, host, shown};

fn found() -> Model {
    let mut m = host();
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
    m
}

/// The change ends like this.
fn end(m: &mut Model, op: &OpId, outcome: Outcome) -> Vec<Effect> {
    let problem = (!outcome.is_success()).then(sample::problem);
    let finished = Finished {
        outcome,
        release: None,
        serving: None,
        canary: None,
        visitors: None,
        url: None,
        warnings: Vec::new(),
        retryable: false,
        release_command_ran: None,
        problem,
    };
    let event = Event::Finished(finished);
    feed(m, Msg::Progress(Box::new(Envelope { op: op.clone(), app: None, seq: 9, at: sample::now(), event })))
}

fn running(m: &Model) -> Vec<OpId> {
    let all = m.host_view.mending.iter();
    all.filter_map(|x| if let Progress::Running(op) = &x.progress { Some(op.clone()) } else { None }).collect()
}

#[test]
fn what_is_wrong_is_counted_at_the_top_and_shown_with_why_and_what_mends_it() {
    let m = found();
    assert!(shown(&m).contains("3 problems H"), "{}", shown(&m));
    let mut m = found();
    press(&mut m, "H down");
    let screen = shown(&m);
    for words in ["3 problems, 1 remark", "its container is gone", "visitors get errors", "once restart shop", "E ·"] {
        assert!(screen.contains(words), "no {words} in {screen}");
    }
    assert_eq!(press(&mut m, "y"), [Effect::Copy("once restart shop".into())]);
    press(&mut m, "enter");
    assert_eq!((m.view.clone(), m.selected.clone()), (View::Main, Some(RowKey::App("shop".parse().unwrap()))));
}

#[test]
fn an_examination_that_failed_is_not_a_clean_host() {
    let mut m = sample::fresh(120, 36, ConsoleOptions::default());
    press(&mut m, "H");
    assert!(shown(&m).contains("Not examined yet"), "{}", shown(&m));
    feed(&mut m, Msg::Examined(Err(sample::problem())));
    assert!(shown(&m).contains("It is not known what is wrong"), "{}", shown(&m));
    assert!(!shown(&m).contains("all is well"));
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::clean()))));
    assert!(shown(&m).contains("all is well"), "{}", shown(&m));
}

#[test]
fn mending_asks_says_what_it_does_and_goes_one_by_one() {
    let mut m = found();
    assert!(asked(&press(&mut m, "H F enter")).is_empty(), "the safe button is the marked one");
    press(&mut m, "F");
    let question = shown(&m);
    for words in
        ["Mend 2 findings on web-1", "adopt once-lost-2", "restart shop", "no data is removed", "once doctor --fix"]
    {
        assert!(question.contains(words), "no {words} in {question}");
    }
    let effects = press(&mut m, "right enter");
    assert!(matches!(asked(&effects)[..], [Ask::Adopt { .. }]), "one at a time: {effects:?}");
    assert!(shown(&m).contains("mending") && shown(&m).contains("waits its turn"), "{}", shown(&m));
    let first = running(&m).remove(0);
    let effects = end(&mut m, &first, Outcome::Created);
    assert!(matches!(asked(&effects)[..], [Ask::Restart { .. }]), "{effects:?}");
    let second = running(&m).remove(0);
    let effects = end(&mut m, &second, Outcome::Failed);
    assert!(effects.contains(&Effect::Examine), "what is left is looked for: {effects:?}");
    press(&mut m, "down");
    let screen = shown(&m);
    assert!(screen.contains("not mended") && screen.contains("does not answer"), "{screen}");
    let mut left = sample::examined();
    left.findings.remove(0);
    feed(&mut m, Msg::Examined(Ok(Box::new(left))));
    assert_eq!(m.host_view.mending.len(), 1, "what is mended is forgotten, what is not is told with its reason");
    press(&mut m, "g enter");
    assert_eq!(m.view, View::Deploy(second), "its report is a key away");
    press(&mut m, "esc");
    assert_eq!(m.view, View::Host, "and leads back");
}

#[test]
fn what_needs_a_person_is_never_mended_by_a_key_and_a_read_only_console_mends_nothing() {
    let mut m = found();
    press(&mut m, "H down down f");
    assert!(m.overlays.is_empty(), "a lost volume");
    let mut m = sample::host(120, 36, ConsoleOptions { read_only: true, ..ConsoleOptions::default() });
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
    for keys in ["H f", "F"] {
        press(&mut m, keys);
        assert!(!m.overlays.iter().any(|o| matches!(o, Overlay::Confirm(_))), "{keys}");
    }
}

#[test]
fn the_host_is_looked_at_once_then_every_half_minute_while_it_is_shown() {
    let mut m = sample::fresh(120, 36, ConsoleOptions::default());
    feed(&mut m, sample::engine_up());
    let looks = |effects: Vec<Effect>| effects.iter().filter(|e| **e == Effect::Examine).count();
    assert_eq!(looks(feed(&mut m, Msg::ProxyAbsent)), 1);
    assert_eq!(looks(feed(&mut m, Msg::Tick(sample::ago(-400)))), 0, "one look at a time");
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::clean()))));
    assert_eq!(looks(feed(&mut m, Msg::Tick(sample::ago(-450)))), 0);
    assert_eq!(looks(feed(&mut m, Msg::Tick(sample::ago(-700)))), 1, "that was long ago");
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::clean()))));
    assert_eq!(looks(feed(&mut m, Msg::Tick(sample::ago(-740)))), 0);
    assert_eq!(looks(press(&mut m, "H")), 1, "shown: of 40 s ago is too old");
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::clean()))));
    assert_eq!(looks(press(&mut m, "r")), 1, "and when asked");
}

#[test]
fn a_fix_is_the_change_that_doctor_makes() {
    let fixes = sample::examined().findings.into_iter().filter_map(|f| f.fix);
    let asks: Vec<Ask> = fixes.map(|fix: Fix| fix.ask()).collect();
    assert!(matches!(&asks[..], [Ask::Adopt { container, .. }, Ask::Restart { app }]
        if container == "once-lost-2" && app.0 == "shop"));
}
