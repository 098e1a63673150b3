use proptest::prelude::*;

use super::*;
use crate::acme::budget::{ACCOUNTS, FAILED, FAILED_LONG, ISSUED, Limit, ORDERS};

fn host(name: &str) -> Hostname {
    name.parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn wanting(names: &[&str]) -> Schedule {
    let mut schedule = Schedule::default();
    schedule.want(names.iter().map(|n| host(n)).collect());
    schedule
}

fn days(from: Timestamp, days: i64) -> Validity {
    Validity { not_before: from, not_after: from + SignedDuration::from_hours(24 * days) }
}

fn elsewhere() -> Reach {
    Reach::Elsewhere { text: "203.0.113.9".into() }
}

fn silent() -> Reach {
    Reach::Silent { text: "203.0.113.9".into() }
}

fn error() -> Option<Trouble> {
    Some(Trouble { at: at(0), code: "not-validated".into(), message: "no".into() })
}

#[test]
fn a_new_name_is_looked_at_at_once_and_ordered_where_it_leads_here() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    assert_eq!(schedule.due(at(0)), std::slice::from_ref(&name));
    assert_eq!(schedule.looked(&name, at(0), Reach::Here), Advice::Order);
    assert_eq!(schedule.begin(&name, at(0)), Ok(()));
    schedule.ended(&name, at(9), &Outcome::Issued(days(at(0), 90)), None);
    assert!(schedule.due(at(10)).is_empty());
    assert_eq!(schedule.fresh(&name, at(10)), Some(days(at(0), 90)));
    assert_eq!(schedule.views(at(10))[0].1.state, IssuingState::Valid);
}

#[test]
fn a_name_that_leads_elsewhere_is_looked_at_again_within_a_minute_for_ever() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    let mut now = at(0);
    for _ in 0..2000 {
        assert_eq!(schedule.looked(&name, now, elsewhere()), Advice::Wait);
        let next = schedule.wake().unwrap();
        assert!(next > now && next <= now + LOOK_EVERY, "{next}");
        now = next;
    }
    let (_, view, _) = &schedule.views(now)[0];
    assert_eq!((view.state, view.leads.as_deref()), (IssuingState::Waiting, Some("203.0.113.9")));
    assert_eq!(schedule.looked(&name, now, Reach::Here), Advice::Order);
}

#[test]
fn a_name_whose_addresses_are_silent_is_tried_on_trust_and_still_looked_at_every_minute() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    let (mut now, mut orders) = (at(0), Vec::new());
    while now < at(24 * 3600) {
        if schedule.looked(&name, now, silent()) == Advice::Order && schedule.begin(&name, now).is_ok() {
            orders.push(now);
            schedule.ended(&name, now, &Outcome::NotValidated, error());
        }
        let next = schedule.wake().unwrap();
        assert!(orders.len() >= FAILED_LONG.most || next <= now + LOOK_EVERY, "{next}");
        now = next;
    }
    assert!(orders[0] >= at(300) && orders.len() > 3 && orders.len() <= FAILED_LONG.most, "{orders:?}");
    // Right at last: what failed before is no reason to wait.
    assert_eq!(schedule.looked(&name, now, Reach::Here), Advice::Order);
}

#[test]
fn failures_wait_longer_each_time_but_never_longer_than_a_day() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    let (mut now, mut last) = (at(0), SignedDuration::ZERO);
    for round in 0..12 {
        schedule.looked(&name, now, Reach::Here);
        // Days apart, so that the budget is not what holds back.
        schedule.ended(&name, now, &Outcome::NotValidated, error());
        let pause = schedule.wake().unwrap().duration_since(now);
        assert!(pause <= LONGEST && (round > 8 || pause > last), "{round}: {pause:?} after {last:?}");
        (now, last) = (now + pause, pause);
    }
}

#[test]
fn an_authority_that_is_down_is_asked_again_within_a_minute_and_costs_no_budget_of_failures() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    schedule.looked(&name, at(0), Reach::Here);
    schedule.begin(&name, at(0)).unwrap();
    schedule.ended(&name, at(1), &Outcome::Unreachable, error());
    assert!(schedule.wake().unwrap() <= at(61));
    assert_eq!(schedule.spent(&name, at(2)).failed, 0);
    assert_eq!(schedule.spent(&name, at(2)).orders, 1);
}

#[test]
fn too_many_is_obeyed_for_the_name_as_long_as_it_says_and_for_a_while_by_all() {
    let (mut schedule, a, b) =
        (wanting(&["a.example.com", "b.example.com"]), host("a.example.com"), host("b.example.com"));
    schedule.looked(&a, at(0), Reach::Here);
    schedule.begin(&a, at(0)).unwrap();
    schedule.ended(&a, at(0), &Outcome::RateLimited(Some(SignedDuration::from_hours(2))), error());
    assert!(schedule.begin(&a, at(7199)).unwrap_err().contains("no orders before"));
    assert!(schedule.begin(&b, at(200)).is_err());
    assert!(schedule.begin(&b, at(301)).is_ok());
    assert!(schedule.begin(&a, at(7201)).is_ok());
}

#[test]
fn renewal_comes_at_two_thirds_and_not_for_all_names_at_once() {
    let names = ["a.example.com", "b.example.com", "c.example.com"];
    let mut schedule = wanting(&names);
    let mut times = BTreeSet::new();
    for name in names.map(host) {
        schedule.found(&name, Some(days(at(0), 90)), true);
        let from = (at(0) + SignedDuration::from_hours(58 * 24), at(0) + SignedDuration::from_hours(60 * 24));
        let next = schedule.next(&name);
        assert!(next >= from.0 && next <= from.1, "{next}");
        times.insert(next);
        assert!(schedule.fresh(&name, next).is_none() && schedule.fresh(&name, at(5)).is_some());
    }
    assert_eq!(times.len(), 3);
}

#[test]
fn the_authoritys_wish_moves_the_renewal_but_never_close_to_the_end() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    schedule.found(&name, Some(days(at(0), 90)), true);
    let hour = SignedDuration::from_hours(1);
    schedule.renew_within(&name, (at(0) + hour, at(0) + hour * 2));
    assert!(schedule.next(&name) <= at(0) + hour * 2);
    schedule.renew_within(&name, (at(0) + hour * 24 * 89, at(0) + hour * 24 * 90));
    assert!(schedule.next(&name) <= at(0) + hour * 24 * 81);
}

#[test]
fn a_failed_renewal_keeps_the_certificate_and_says_why() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    schedule.found(&name, Some(days(at(0), 90)), true);
    let due = schedule.wake().unwrap();
    schedule.looked(&name, due, Reach::Here);
    schedule.begin(&name, due).unwrap();
    schedule.ended(&name, due, &Outcome::NotValidated, error());
    let (_, view, trouble) = &schedule.views(due)[0];
    assert_eq!((view.state, view.code.as_deref()), (IssuingState::Valid, Some("not-validated")));
    assert_eq!(*trouble, error());
    assert!(schedule.wake().unwrap() > due);
}

#[test]
fn what_was_spent_survives_a_restart_and_what_is_wanted_is_told_anew() {
    let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
    for n in 0..4 {
        schedule.begin(&name, at(n)).unwrap();
        schedule.ended(&name, at(n), &Outcome::NotValidated, error());
    }
    let text = serde_json::to_string(&schedule).unwrap();
    let mut again: Schedule = serde_json::from_str(&text).unwrap();
    assert!(again.due(at(9)).is_empty());
    again.want([name.clone()].into());
    assert!(again.begin(&name, at(9)).unwrap_err().contains("failed lately"));
}

/// What the world does, as the proptest makes it up.
#[derive(Debug, Clone)]
enum Deed {
    Pass(u32),
    Look(usize, u8),
    Order(usize, Option<u8>),
    Restart,
    Account,
    Forgive,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        4 => (0_u32..20_000).prop_map(Deed::Pass),
        2 => (0_usize..4, 0_u8..4).prop_map(|(name, reach)| Deed::Look(name, reach)),
        8 => (0_usize..4, prop::option::weighted(0.9, 0_u8..8)).prop_map(|(name, end)| Deed::Order(name, end)),
        1 => Just(Deed::Restart),
        1 => Just(Deed::Account),
        1 => Just(Deed::Forgive),
    ];
    prop::collection::vec(deed, 1..400)
}

/// The most that lie within any stretch of the limit's length.
fn crowd(times: &[Timestamp], limit: Limit) -> usize {
    let within =
        |end: &Timestamp| times.iter().filter(|at| **at <= *end && end.duration_since(**at) < limit.within).count();
    times.iter().map(within).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_authoritys_limit_is_ever_reached_whatever_happens(deeds in deeds()) {
        let names = ["a.example.com", "b.example.com", "c.example.org", "d.example.co.uk"];
        let mut schedule = wanting(&names);
        let names = names.map(host);
        let (mut now, mut orders, mut accounts) = (at(0), Vec::new(), Vec::new());
        let (mut failed, mut issued) = (vec![Vec::new(); 4], vec![Vec::new(); 4]);
        for deed in deeds {
            match deed {
                Deed::Pass(seconds) => now += SignedDuration::from_secs(i64::from(seconds)),
                Deed::Look(n, reach) => {
                    let reach = [Reach::Here, elsewhere(), silent(), Reach::Nowhere { text: String::new() }][usize::from(reach)].clone();
                    schedule.looked(&names[n], now, reach);
                }
                Deed::Order(n, end) => {
                    // Also by those who ask in person, who wait for no back-off.
                    if schedule.begin(&names[n], now).is_err() { continue }
                    orders.push(now);
                    let outcome = match end {
                        // The process ends in the middle of it: it may have been anything.
                        None => {
                            failed[n].push(now);
                            issued[n].push(now);
                            continue;
                        }
                        Some(0) => Outcome::Issued(days(now, 90)),
                        Some(1) => Outcome::Unreachable,
                        Some(2) => Outcome::RateLimited(None),
                        Some(3) => Outcome::RateLimited(Some(SignedDuration::from_secs(10))),
                        Some(4) => Outcome::Failed,
                        Some(5) => Outcome::Unusable,
                        Some(6) => Outcome::Lost,
                        Some(_) => Outcome::NotValidated,
                    };
                    now += SignedDuration::from_secs(5);
                    match outcome {
                        Outcome::Issued(_) | Outcome::Unusable => issued[n].push(now),
                        Outcome::Lost => {
                            failed[n].push(now);
                            issued[n].push(now);
                        }
                        Outcome::Unreachable => {}
                        _ => failed[n].push(now),
                    }
                    schedule.ended(&names[n], now, &outcome, None);
                }
                Deed::Restart => {
                    let text = serde_json::to_string(&schedule).unwrap();
                    schedule = serde_json::from_str(&text).unwrap();
                    schedule.want(names.iter().cloned().collect());
                }
                Deed::Account => if schedule.begin_account(now).is_ok() { accounts.push(now) },
                Deed::Forgive => schedule.forgive(),
            }
        }
        for n in 0..4 {
            prop_assert!(crowd(&failed[n], FAILED) < 5);
            prop_assert!(crowd(&failed[n], FAILED_LONG) <= FAILED_LONG.most);
            prop_assert!(crowd(&issued[n], ISSUED) < 5);
        }
        prop_assert!(crowd(&orders, ORDERS) < 300);
        prop_assert!(crowd(&accounts, ACCOUNTS) < 10);
    }

    #[test]
    fn left_to_itself_it_never_asks_for_more_than_a_few_things_an_hour(failures in prop::collection::vec(0_u8..6, 200)) {
        let (mut schedule, name) = (wanting(&["a.example.com"]), host("a.example.com"));
        let (mut now, mut orders) = (at(0), Vec::new());
        for failure in failures {
            now = schedule.wake().unwrap().max(now);
            if schedule.looked(&name, now, Reach::Here) == Advice::Order && schedule.begin(&name, now).is_ok() {
                orders.push(now);
                let outcome = match failure {
                    0 => Outcome::Unreachable,
                    1 => Outcome::RateLimited(None),
                    2 => Outcome::Failed,
                    _ => Outcome::NotValidated,
                };
                schedule.ended(&name, now, &outcome, error());
            }
        }
        let an_hour = Limit { most: 0, within: SignedDuration::from_hours(1) };
        prop_assert!(crowd(&orders, an_hour) < 30);
    }
}

#[test]
fn a_file_with_impossible_times_does_no_harm() {
    let name = host("a.example.com");
    let text =
        r#"{"names":{"a.example.com":{"failures":4294967295,"silent_since":"9999-12-30T22:00:00Z"}},"budget":{}}"#;
    let mut schedule: Schedule = serde_json::from_str(text).unwrap();
    assert_eq!(schedule.looked(&name, at(0), silent()), Advice::Wait);
}
