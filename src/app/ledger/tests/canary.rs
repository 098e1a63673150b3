//! Canaries, and the way back.

use super::*;
use crate::model::canary::CanaryRule;
use crate::model::route::RouteState;

fn rule(text: &str) -> CanaryRule {
    text.parse().unwrap()
}

fn canary(app: &str, number: u64, change: &str) -> Transaction {
    Transaction::Canary { app: id(app), release: Box::new(release(app, number, change)), rule: rule("10%"), at: EPOCH }
}

fn promote(app: &str, change: &str) -> Transaction {
    Transaction::Promote { app: id(app), op: op(change), by: Caller::default(), at: EPOCH }
}

fn abort(app: &str, change: &str) -> Transaction {
    Transaction::Abort { app: id(app), op: op(change), by: Caller::default(), at: EPOCH, why: "no good".to_owned() }
}

fn back(app: &str, change: &str, to: u64) -> Transaction {
    Transaction::Return { app: id(app), op: op(change), to: ReleaseNumber(to), why: "5 of 20".to_owned() }
}

/// Release 1 serves, release 2 is its canary.
fn with_canary() -> Ledger {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "c")).unwrap();
    ledger.apply(canary("shop", 2, "c")).unwrap();
    ledger.apply(retire("shop", "c")).unwrap();
    ledger
}

fn shop(ledger: &Ledger) -> &AppRecord {
    ledger.get(&id("shop")).unwrap()
}

fn statuses(ledger: &Ledger) -> Vec<(u64, ReleaseStatus)> {
    shop(ledger).releases.iter().map(|r| (r.number.0, r.status.clone())).collect()
}

fn failed_with(why: &str) -> ReleaseStatus {
    ReleaseStatus::Failed { why: why.to_owned() }
}

#[test]
fn a_canary_stands_beside_what_serves() {
    let mut ledger = with_canary();
    let record = shop(&ledger).clone();
    assert_eq!(record.serving, Some(ReleaseNumber(1)));
    assert_eq!(record.canary_release().map(|r| (r.number.0, &r.status)), Some((2, &ReleaseStatus::Canary)));
    assert_eq!(record.intent, None);
    let route = record.route().unwrap();
    assert_eq!((route.target.address.as_str(), route.state), ("once-shop-1:80", RouteState::Serving));
    let beside = route.canary.unwrap();
    assert_eq!((beside.target.address.as_str(), beside.rule), ("once-shop-2:80", rule("10%")));
    // Asked again after a lost answer.
    let again = canary("shop", 2, "c");
    assert!(ledger.apply(again).unwrap().replayed);
    // What an earlier version writes has none, and what this one writes is read by an earlier one as if there were none.
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["canary"]["rule"], "10%");
    assert!(json["releases"].as_array().unwrap().iter().all(|r| r["status"]["status"] != "canary"));
    assert_eq!(serde_json::from_value::<AppRecord>(json).unwrap(), record);
}

#[test]
fn who_may_have_a_canary() {
    let mut first = Ledger::default();
    first.apply(create("shop")).unwrap();
    first.apply(begin("shop", "c")).unwrap();
    assert!(matches!(refused(&mut first, canary("shop", 1, "c")), Refusal::NothingServes { .. }));

    let mut stopped = ledger(&[("shop", "a1")]);
    stopped.apply(Transaction::SetState { app: id("shop"), state: RunState::Stopped }).unwrap();
    stopped.apply(begin("shop", "c")).unwrap();
    assert!(matches!(refused(&mut stopped, canary("shop", 2, "c")), Refusal::NothingServes { .. }));

    let mut running = ledger(&[("shop", "a1")]);
    assert!(
        matches!(refused(&mut running, canary("shop", 2, "c")), Refusal::Outdated { .. }),
        "no number was given out"
    );
    running.apply(begin("shop", "c")).unwrap();
    assert!(matches!(refused(&mut running, canary("shop", 2, "other")), Refusal::NotYours { .. }));
    let share = Transaction::Share { app: id("shop"), rule: rule("1%") };
    assert!(matches!(refused(&mut running, share), Refusal::NoCanary { .. }));
    assert!(matches!(refused(&mut running, abort("shop", "c")), Refusal::NotYours { .. }), "a change is under way");
    running.apply(abandon("shop", "c", None)).unwrap();
    assert!(matches!(refused(&mut running, abort("shop", "x")), Refusal::NoCanary { .. }));
    assert!(matches!(refused(&mut running, promote("shop", "p")), Refusal::NoCanary { .. }));
}

#[test]
fn a_share_moves_requests_and_nothing_else() {
    let mut ledger = with_canary();
    ledger.apply(Transaction::Share { app: id("shop"), rule: rule("header:x-beta") }).unwrap();
    assert_eq!(shop(&ledger).route().unwrap().canary.unwrap().rule, rule("header:x-beta"));
    assert_eq!(shop(&ledger).canary_release().unwrap().number, ReleaseNumber(2));
}

#[test]
fn a_promoted_canary_serves_and_the_change_is_remembered_until_it_is_retired() {
    let mut ledger = with_canary();
    // A deploy that failed meanwhile has burnt a number: the canary is still the one to be promoted.
    ledger.apply(begin("shop", "b")).unwrap();
    ledger.apply(abandon("shop", "b", Some(failed("shop", 3, "b")))).unwrap();
    ledger.apply(promote("shop", "p")).unwrap();
    let record = shop(&ledger);
    assert_eq!((record.serving, &record.canary), (Some(ReleaseNumber(2)), &None));
    assert_eq!(record.intent.as_ref().map(|i| (i.release.0, i.phase)), Some((2, Phase::Switched)));
    assert_eq!(record.route().unwrap().canary, None);
    assert!(ledger.apply(promote("shop", "p")).unwrap().replayed);
    ledger.apply(retire("shop", "p")).unwrap();
    let expected =
        [(1, ReleaseStatus::Replaced { at: EPOCH }), (2, ReleaseStatus::Serving), (3, failed_with("no answer"))];
    assert_eq!(statuses(&ledger), expected);
}

#[test]
fn an_aborted_canary_is_history_without_a_container() {
    let mut ledger = with_canary();
    ledger.apply(abort("shop", "x")).unwrap();
    assert!(ledger.apply(abort("shop", "x")).unwrap().replayed);
    let record = shop(&ledger);
    assert_eq!((record.serving, record.canary_release()), (Some(ReleaseNumber(1)), None));
    assert_eq!(record.intent.as_ref().map(|i| i.release.0), Some(2), "its container is still to go");
    assert_eq!(statuses(&ledger)[1], (2, failed_with("no good")));
    assert_eq!(shop(&ledger).kept().count(), 0);
    ledger.apply(retire("shop", "x")).unwrap();
    assert_eq!(shop(&ledger).intent, None);
}

#[test]
fn what_ends_a_canary_and_what_does_not() {
    let mut ended = with_canary();
    ended.apply(begin("shop", "b")).unwrap();
    ended.apply(switch("shop", 3, "b")).unwrap();
    assert_eq!(shop(&ended).canary, None);
    assert_eq!(statuses(&ended)[1], (2, failed_with("release 3 took the place of both")));

    let mut kept = with_canary();
    kept.apply(begin("shop", "b")).unwrap();
    let Transaction::Switch { app, release, state, .. } = switch("shop", 3, "b") else { unreachable!() };
    kept.apply(Transaction::Switch { app, release, state, keep_canary: true }).unwrap();
    assert_eq!(shop(&kept).canary_release().map(|r| r.number.0), Some(2));
    kept.apply(retire("shop", "b")).unwrap();
    kept.apply(promote("shop", "p")).unwrap();
    assert_eq!(shop(&kept).serving, Some(ReleaseNumber(2)), "though release 3 is newer");

    let mut replaced = with_canary();
    replaced.apply(begin("shop", "d")).unwrap();
    replaced.apply(canary("shop", 3, "d")).unwrap();
    assert_eq!(shop(&replaced).canary_release().map(|r| r.number.0), Some(3));
    assert_eq!(statuses(&replaced)[1], (2, failed_with("release 3 was tried out in its place")));

    let mut removed = with_canary();
    removed.apply(remove("shop")).unwrap();
    assert_eq!((&shop(&removed).canary, shop(&removed).route()), (&None, None));
}

#[test]
fn the_way_back_is_open_to_its_own_change_until_that_is_retired() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "b")).unwrap();
    assert!(matches!(refused(&mut ledger, back("shop", "b", 1)), Refusal::NotYours { .. }), "nothing was switched yet");
    ledger.apply(switch("shop", 2, "b")).unwrap();
    assert!(matches!(refused(&mut ledger, back("shop", "other", 1)), Refusal::NotYours { .. }));
    assert!(matches!(refused(&mut ledger, back("shop", "b", 9)), Refusal::NothingServes { .. }));
    ledger.apply(back("shop", "b", 1)).unwrap();
    assert!(ledger.apply(back("shop", "b", 1)).unwrap().replayed);
    let record = shop(&ledger);
    assert_eq!(record.serving, Some(ReleaseNumber(1)));
    assert_eq!(record.route().unwrap().target.release, ReleaseNumber(1));
    assert_eq!(statuses(&ledger), [(1, ReleaseStatus::Serving), (2, failed_with("5 of 20"))]);
    // A switch that was asked for twice does not undo it.
    assert!(matches!(refused(&mut ledger, switch("shop", 2, "b")), Refusal::NotYours { .. }));
    ledger.apply(retire("shop", "b")).unwrap();
    assert!(matches!(refused(&mut ledger, back("shop", "b", 1)), Refusal::NotYours { .. }));
    assert_eq!(shop(&ledger).kept().count(), 0, "the failed release's container goes");
}

#[test]
fn the_way_back_is_closed_when_its_hostname_went_to_another_app() {
    let mut ledger = ledger(&[("shop", "a1")]);
    ledger.apply(begin("shop", "b")).unwrap();
    let moved = Release { settings: settings("other.example.com"), ..release("shop", 2, "b") };
    ledger.apply(switch_to("shop", moved)).unwrap();
    ledger.apply(create("blog")).unwrap();
    let claim = Claim::of(&settings(&host("shop")));
    let (app, by) = (id("blog"), Caller::default());
    ledger.apply(Transaction::Begin { app, op: op("n"), by, at: EPOCH, swap: Swap::Overlap, claim }).unwrap();
    let taken = Release { settings: settings(&host("shop")), ..release("blog", 1, "n") };
    ledger.apply(switch_to("blog", taken)).unwrap();
    assert!(matches!(refused(&mut ledger, back("shop", "b", 1)), Refusal::HostTaken { .. }));
}
