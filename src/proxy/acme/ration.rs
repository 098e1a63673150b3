//! How often it is asked, and ordered, for names that nobody gave: whoever comes with names made up must cost neither the
//! app nor the authority's budget more than this. Pure, as [`schedule`](super::schedule) is; it is in memory only, for
//! what must survive is counted there.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use once_app::{AppId, Hostname};

/// After a no. A customer who was told "try again" need not wait longer.
pub const NO: SignedDuration = SignedDuration::from_secs(60);

/// After a question without an answer.
pub const UNCLEAR: SignedDuration = SignedDuration::from_secs(10);

/// A yes is good for so long, where the certificate is not there by then.
pub const YES: SignedDuration = SignedDuration::from_mins(10);

/// After an order that came to nothing; a name that does not lead here yet is looked at again after [`NO`].
pub const FAILED: SignedDuration = SignedDuration::from_mins(15);

/// Names remembered. Of more, those that end first are forgotten.
pub const REMEMBERED: usize = 4096;

/// So many at once, and one more each time.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many at once.
    pub burst: i32,
    /// After how long there may be one more.
    pub each: SignedDuration,
}

/// Questions about names of one app.
pub const QUESTIONS: Pace = Pace { burst: 20, each: SignedDuration::from_secs(1) };

/// Orders for names of one app: 150 in any three hours, of the 240 that all names share.
pub const ORDERS: Pace = Pace { burst: 30, each: SignedDuration::from_secs(90) };

/// What is to be done about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Ask whether it may have one.
    Ask,
    /// It was said that it may.
    Order,
    /// Nothing for now.
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    yes: bool,
    until: Timestamp,
}

/// A token bucket that needs one number: when all that was taken will have been paid for.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket(Timestamp);

impl Bucket {
    fn take(&mut self, pace: Pace, now: Timestamp) -> bool {
        let paid = self.0.max(now) + pace.each;
        let fine = paid <= now + pace.each * pace.burst;
        if fine {
            self.0 = paid;
        }
        fine
    }
}

#[derive(Debug, Default)]
struct App {
    questions: Bucket,
    orders: Bucket,
}

/// What is remembered of names and apps.
#[derive(Debug, Default)]
pub struct Ration {
    names: HashMap<Hostname, Known>,
    apps: HashMap<AppId, App>,
}

impl Ration {
    /// What to do about a name; a question is counted.
    pub fn verdict(&mut self, name: &Hostname, app: &AppId, now: Timestamp) -> Verdict {
        match self.names.get(name).copied().filter(|known| now < known.until) {
            Some(known) if known.yes => Verdict::Order,
            Some(_) => Verdict::Nothing,
            None if self.of(app, now).questions.take(QUESTIONS, now) => Verdict::Ask,
            None => Verdict::Nothing,
        }
    }

    /// Remembers what is known of a name for a while. `yes`: it may have a certificate.
    pub fn remember(&mut self, name: &Hostname, yes: bool, how_long: SignedDuration, now: Timestamp) {
        if self.names.len() >= REMEMBERED && !self.names.contains_key(name) {
            self.names.retain(|_, known| now < known.until);
            let first = self.names.iter().min_by_key(|(_, known)| known.until).map(|(name, _)| name.clone());
            if let Some(first) = first.filter(|_| self.names.len() >= REMEMBERED) {
                self.names.remove(&first);
            }
        }
        self.names.insert(name.clone(), Known { yes, until: now + how_long });
    }

    /// Counts an order for one of an app's names; whether there may be one.
    pub fn order(&mut self, app: &AppId, now: Timestamp) -> bool {
        self.of(app, now).orders.take(ORDERS, now)
    }

    /// An order that was counted was not placed.
    pub fn give_back(&mut self, app: &AppId) {
        if let Some(app) = self.apps.get_mut(app) {
            app.orders.0 -= ORDERS.each;
        }
    }

    fn of(&mut self, app: &AppId, now: Timestamp) -> &mut App {
        // Of apps that are gone nothing stays once it is paid for.
        if !self.apps.contains_key(app) {
            self.apps.retain(|_, app| app.questions.0 > now || app.orders.0 > now);
        }
        self.apps.entry(app.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_no_is_remembered_for_a_minute_and_a_yes_for_longer() {
        let (mut ration, app, shop) = (Ration::default(), AppId("a".into()), name("x.example.com"));
        assert_eq!(ration.verdict(&shop, &app, at(0)), Verdict::Ask);
        ration.remember(&shop, false, NO, at(0));
        assert_eq!(ration.verdict(&shop, &app, at(59)), Verdict::Nothing);
        assert_eq!(ration.verdict(&shop, &app, at(60)), Verdict::Ask);
        ration.remember(&shop, true, YES, at(60));
        assert_eq!(ration.verdict(&shop, &app, at(600)), Verdict::Order);
        assert_eq!(ration.verdict(&shop, &app, at(660)), Verdict::Ask);
    }

    #[test]
    fn names_made_up_cost_one_app_so_many_questions_and_others_none() {
        let (mut ration, app, other) = (Ration::default(), AppId("a".into()), AppId("b".into()));
        let asked = |ration: &mut Ration, app: &AppId, from: i64, to: i64| {
            let names = (from * 100..to * 100).map(|n| (name(&format!("n{n}.example.com")), at(n / 100)));
            names.filter(|(name, now)| ration.verdict(name, app, *now) == Verdict::Ask).count()
        };
        assert_eq!(asked(&mut ration, &app, 0, 1), 20, "a burst");
        assert_eq!(asked(&mut ration, &app, 1, 11), 10, "one a second from then on");
        assert_eq!(asked(&mut ration, &other, 11, 12), 20, "the neighbour has its own");
    }

    #[test]
    fn the_orders_of_one_app_leave_most_of_the_budget_to_the_others() {
        let (mut ration, app) = (Ration::default(), AppId("a".into()));
        let placed = (0..3 * 3600).filter(|second| ration.order(&app, at(*second))).count();
        assert_eq!(placed, 30 + 3 * 3600 / 90 - 1);
        assert!(placed < super::super::budget::ORDERS.most * 2 / 3);
        assert!(!ration.order(&app, at(3 * 3600 - 1)));
        ration.give_back(&app);
        assert!(ration.order(&app, at(3 * 3600 - 1)));
    }

    #[test]
    fn what_is_remembered_does_not_grow_without_end() {
        let mut ration = Ration::default();
        for n in 0..REMEMBERED + 100 {
            ration.remember(&name(&format!("n{n}.example.com")), false, NO, at(i64::try_from(n).unwrap() / 1000));
        }
        assert_eq!(ration.names.len(), REMEMBERED);
        assert!(ration.names.contains_key(&name(&format!("n{}.example.com", REMEMBERED + 99))));
        let app = AppId("a".into());
        for n in 0..50 {
            ration.order(&AppId(format!("gone{n}")), at(0));
        }
        ration.order(&app, at(4000));
        assert_eq!(ration.apps.len(), 1, "apps that are gone are forgotten");
    }
}
