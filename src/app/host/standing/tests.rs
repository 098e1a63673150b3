use jiff::Timestamp;

use super::*;
use crate::ledger::{Intent, Phase};
use crate::model::canary::Canary;
use crate::model::name::OpId;
use crate::model::release::Release;
use crate::model::traffic::Recent;
use crate::ports::engine::sample::of_release;
use crate::request::target::tests::app;
use crate::settings::Swap;

fn recent(answers: u64, errors: u64, failing: bool) -> AppTraffic {
    AppTraffic { recent: Some(Recent { answers, errors, failing }), ..AppTraffic::default() }
}

/// Word, and reason as a sentence.
fn told(record: &AppRecord, container: Option<&Container>, traffic: &AppTraffic) -> (String, String) {
    let standing = Standing::of(Seen { record, container, current: true, lock: None, traffic });
    (standing.state.to_string(), standing.reason.map(|reason| reason.to_string()).unwrap_or_default())
}

fn shop() -> AppRecord {
    app("shop", "acme/shop:1", &["shop.example.com"], false)
}

fn words(state: &str, reason: &str) -> (String, String) {
    (state.to_owned(), reason.to_owned())
}

#[test]
fn an_app_closed_on_purpose_is_that_whatever_its_errors_were() {
    let (container, bad) = (of_release("shop", 1), recent(10, 10, true));
    let closed = "visitors see a 503 page";
    for (state, word, reason) in [
        (RunState::Stopped, "stopped", closed),
        (RunState::Maintenance(<_>::default()), "maintenance", closed),
        (RunState::Paused { max_wait: Span::seconds(30) }, "paused", "requests wait, each up to 30s"),
    ] {
        let record = AppRecord { state, ..shop() };
        assert_eq!(told(&record, Some(&container), &bad), words(word, reason));
    }
}

#[test]
fn errors_are_mentioned_from_one_in_a_hundred_and_make_it_failing_by_the_proxys_window() {
    let container = of_release("shop", 1);
    let seen = |traffic: AppTraffic| told(&shop(), Some(&container), &traffic);
    let half = "50% errors: 12 of 24 answers in the last minute";
    assert_eq!(seen(recent(24, 12, true)), words("failing", half));
    assert_eq!(seen(recent(100, 1, false)), words("running", "1% errors: 1 of 100 answers in the last minute"));
    assert_eq!(seen(recent(101, 1, false)), words("running", ""));
    assert_eq!(seen(recent(0, 0, false)), words("running", ""));
    assert_eq!(seen(AppTraffic { failed: 9, ..AppTraffic::default() }), words("running", ""), "an older proxy");
    assert!(AppState::Failing.is_finding() && !AppState::Running.is_finding());
}

#[test]
fn a_container_that_does_not_run_is_down_also_under_maintenance() {
    let (running, calm) = (of_release("shop", 1), AppTraffic::default());
    let ended = Container { running: false, state: "exited".into(), ..running.clone() };
    let restarting = Container { state: "restarting".into(), ..running.clone() };
    let maintained = AppRecord { state: RunState::Maintenance(<_>::default()), ..shop() };
    for record in [shop(), maintained] {
        assert_eq!(told(&record, None, &calm), words("down", "its container is gone"));
        assert_eq!(told(&record, Some(&ended), &calm), words("down", "its container has ended"));
        assert_eq!(told(&record, Some(&restarting), &calm), words("down", "its container keeps restarting"));
    }
    let record = shop();
    let stale = Seen { record: &record, container: None, current: false, lock: None, traffic: &calm };
    assert_eq!(Standing::of(stale).state, AppState::Running, "an old list says nothing");
}

#[test]
fn what_the_image_and_the_kernel_say_of_a_container_is_told() {
    let calm = recent(100, 0, false);
    let unhealthy = Container { unhealthy: true, ..of_release("shop", 1) };
    assert_eq!(told(&shop(), Some(&unhealthy), &calm), words("failing", "the health check of its image fails"));
    let killed = Container { memory_kills: Some(3), ..of_release("shop", 1) };
    let why = "3 processes were killed for lack of memory since its container started";
    assert_eq!(told(&shop(), Some(&killed), &calm), words("running", why));
    let none = Container { memory_kills: Some(0), ..of_release("shop", 1) };
    assert_eq!(told(&shop(), Some(&none), &calm), words("running", ""));
}

#[test]
fn changes_canaries_and_first_deploys_have_their_own_words() {
    let (container, calm) = (of_release("shop", 1), AppTraffic::default());
    let mut record = shop();
    let intent = Intent {
        op: OpId("op".into()),
        release: ReleaseNumber(2),
        swap: Swap::Overlap,
        phase: Phase::Preparing,
        by: Caller::default(),
        since: Timestamp::UNIX_EPOCH,
        changed_before: None,
    };
    record.intent = Some(intent);
    let left = words("abandoned change", "a change was left behind by a process that died");
    assert_eq!(told(&record, Some(&container), &calm), left);
    let by = Caller { user: "mia".into(), host: "laptop".into(), command: "deploy".into() };
    let lock = LockView {
        app: record.name.clone(),
        by,
        since: Timestamp::UNIX_EPOCH,
        op: Some(OpId("op".into())),
        message: None,
    };
    let changing =
        Seen { record: &record, container: Some(&container), current: true, lock: Some(&lock), traffic: &calm };
    assert_eq!(Standing::of(changing).state, AppState::Changing);

    let mut record = shop();
    let tried = Release { number: ReleaseNumber(2), status: ReleaseStatus::Canary, ..record.releases[0].clone() };
    record.canary =
        Some(Box::new(Canary { release: tried, rule: "10%".parse().unwrap(), since: Timestamp::UNIX_EPOCH }));
    let standing =
        Standing::of(Seen { record: &record, container: Some(&container), current: true, lock: None, traffic: &calm });
    assert_eq!(standing.to_string(), "running, canary 10%");

    let mut record = shop();
    record.serving = None;
    record.releases[0].status = ReleaseStatus::Failed { why: "it never answered".into() };
    assert_eq!(told(&record, None, &calm), words("never served", "its first deploy failed: it never answered"));
}
