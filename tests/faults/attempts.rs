//! Canaries and watches on the engine in memory, with a fault at every call, and without one.

use std::time::Duration;

use once_app::event::{Event, Outcome, Step};
use once_app::proxy::Proxy;
use once_app::{Ask, Deploy, Draft, ReleaseNumber, ReleaseStatus, Selector, Swap};

use crate::steps::{Bed, Change, SECRETS, faults_everywhere, name};
use crate::support::fake_engine::When;

fn app() -> Selector {
    Selector("shop".into())
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_a_canarys_life() {
    for change in [Change::Canary, Change::Promote, Change::Abort] {
        faults_everywhere(change, When::Nth, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_fault_in_a_watched_switch() {
    faults_everywhere(Change::Watched, When::Nth, false).await;
}

#[tokio::test(start_paused = true)]
async fn one_fault_on_the_way_back() {
    faults_everywhere(Change::Back, When::Nth, false).await;
    faults_everywhere(Change::BackInHandover, When::Nth, true).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_went_back_from_is_told_in_figures() {
    for change in [Change::Back, Change::BackInHandover] {
        let bed = Bed::new(change).await;
        let finished = bed.act().await.finished.unwrap();
        assert_eq!((finished.release, finished.serving), (Some(ReleaseNumber(2)), Some(ReleaseNumber(1))));
        let problem = finished.problem.unwrap();
        assert_eq!(problem.code, "watch-more-errors");
        assert!(problem.message.contains("(50.0%)"), "{problem:#?}");
        let record = bed.record().await.unwrap();
        let expected = ReleaseStatus::Failed { why: problem.message };
        assert_eq!(record.release(ReleaseNumber(2)).unwrap().status, expected);
        assert_eq!((record.intent, bed.containers()), (None, (vec!["steps-shop-1".to_owned()], vec![])));
    }
}

/// Killed while it watches: the next command keeps the new release, and says so.
#[tokio::test(start_paused = true)]
async fn a_killed_watch_keeps_the_new_release() {
    let bed = Bed::new(Change::Watched).await;
    let switched = async {
        while bed.record().await.is_none_or(|r| r.serving != Some(ReleaseNumber(2))) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Dropped where it stands.
    tokio::select! {
        told = bed.act() => panic!("it ended: {:?}", told.finished),
        () = switched => {}
    }
    let (running, _) = bed.containers();
    assert_eq!(running.len(), 2, "the old one still runs: {running:?}");
    let told = bed.ask(Ask::Start { app: app() }).await;
    let tidied = told.events.iter().find_map(|e| match &e.event {
        Event::Tidied { text } => Some(text.clone()),
        _ => None,
    });
    assert!(tidied.is_some_and(|text| text.contains("watch")), "{:#?}", told.events);
    assert_eq!(bed.record().await.unwrap().serving, Some(ReleaseNumber(2)));
    assert_eq!(bed.containers().0, ["steps-shop-2"]);
    bed.mends().await;
}

#[tokio::test(start_paused = true)]
async fn every_command_knows_a_canary() {
    let deploy = |draft| Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, ..Deploy::default() }));
    let image = |tag: &str| deploy(Draft { image: Some(tag.parse().unwrap()), ..Draft::default() });
    let note = deploy(Draft { note: Some("x".into()), ..Draft::default() });
    // What is asked, whether the canary goes on, what runs in the end.
    let cases: [(Ask, bool, &[&str]); 7] = [
        (Ask::Canary { app: app(), rule: "25%".parse().unwrap() }, true, &["steps-shop-1", "steps-shop-2"]),
        (Ask::Restart { app: app() }, true, &["steps-shop-2", "steps-shop-3"]),
        (Ask::Start { app: app() }, true, &["steps-shop-1", "steps-shop-2"]),
        (Ask::Stop { app: app() }, false, &[]),
        (image("shop:1"), false, &["steps-shop-1"]),
        (note, false, &["steps-shop-1"]),
        (image("shop:3"), false, &["steps-shop-3"]),
    ];
    for (ask, goes_on, running) in cases {
        let bed = Bed::new(Change::Promote).await;
        let what = format!("{ask:?}");
        let told = bed.ask(ask).await;
        let finished = told.finished.clone().unwrap();
        assert!(finished.outcome.is_success(), "{what}: {finished:#?}");
        let record = bed.record().await.unwrap();
        assert_eq!((record.canary.is_some(), finished.canary.is_some()), (goes_on, goes_on), "{what}");
        assert_eq!(bed.containers().0, running, "{what}");
        assert_eq!(record.intent, None, "{what}");
    }
    let bed = Bed::new(Change::Promote).await;
    let told = bed.ask(Ask::Remove { app: app(), data: false }).await;
    assert!(told.finished.unwrap().outcome.is_success());
    assert_eq!((bed.containers(), bed.target()), ((vec![], vec![]), None));
}

#[tokio::test(start_paused = true)]
async fn a_canary_asked_for_twice_is_one() {
    let bed = Bed::new(Change::Promote).await;
    let told = bed.ask(bed.wish("shop:2", Some("10%"))).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Unchanged);
    let told = bed.ask(bed.wish("shop:2", Some("cookie:beta"))).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Updated);
    let canary = bed.record().await.unwrap().canary.unwrap();
    assert_eq!((canary.release.number, canary.rule.to_string()), (ReleaseNumber(2), "cookie:beta".to_owned()));
    // Another image takes its place.
    let told = bed.ask(bed.wish("shop:3", Some("10%"))).await;
    assert_eq!(told.finished.unwrap().outcome, Outcome::Updated);
    assert_eq!(bed.containers(), (vec!["steps-shop-1".to_owned(), "steps-shop-3".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_canarys_secrets_are_masked_too() {
    let bed = Bed::new(Change::Promote).await;
    let record = bed.record().await.unwrap();
    assert!(serde_json::to_string(&record.canary).unwrap().contains(SECRETS[0]), "it has one");
    let shown = serde_json::to_string(&bed.service.snapshot().await.unwrap()).unwrap();
    assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
}

/// Two must never share the volume, so the canary goes before the release that takes over starts.
#[tokio::test(start_paused = true)]
async fn a_handover_ends_a_canary_first() {
    let bed = Bed::new(Change::Promote).await;
    let draft = Draft { image: Some("shop:3".parse().unwrap()), swap: Some(Swap::Handover), ..Draft::default() };
    let told = bed.ask(Ask::Deploy(Box::new(Deploy { name: Some(name()), draft, ..Deploy::default() }))).await;
    assert_eq!(told.finished.as_ref().unwrap().outcome, Outcome::Updated, "{told:#?}");
    assert_eq!(bed.containers(), (vec!["steps-shop-3".to_owned()], vec!["steps-shop-1".to_owned()]));
    let at = |wanted: fn(&Event) -> bool| told.events.iter().position(|e| wanted(&e.event)).unwrap();
    let ended = at(|e| matches!(e, Event::Warning { code, .. } if code == "canary-ended"));
    let started = at(|e| matches!(e, Event::StepStarted { step: Step::Start }));
    assert!(ended < started, "{told:#?}");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_have_a_canary_is_told_why() {
    let refused = async |bed: &Bed, image: &str, code: &str, outcome: Outcome| {
        let before = bed.containers();
        let finished = bed.ask(bed.wish(image, Some("10%"))).await.finished.unwrap();
        assert_eq!((finished.outcome, finished.problem.unwrap().code.as_str()), (outcome, code));
        assert_eq!(bed.containers(), before, "nothing was made");
    };
    refused(&Bed::new(Change::First).await, "shop:2", "nothing-serves", Outcome::Rejected).await;
    refused(&Bed::new(Change::Handover).await, "shop:2", "canary-handover", Outcome::Refused).await;
    let stopped = Bed::new(Change::Canary).await;
    stopped.ask(Ask::Stop { app: app() }).await;
    refused(&stopped, "shop:2", "stopped", Outcome::Refused).await;
    let same = Bed::new(Change::Canary).await;
    refused(&same, "shop:1", "nothing-to-try", Outcome::Rejected).await;
    for ask in [Ask::Promote { app: app() }, Ask::Abort { app: app() }] {
        let finished = same.ask(ask).await.finished.unwrap();
        assert_eq!(finished.problem.unwrap().code, "no-canary");
    }
}
