//! How many orders may be placed: below what authorities allow, counted here so that they need not say no. The numbers
//! are those of Let's Encrypt, whose limits are the narrowest in wide use, less a fifth or one for other machines of
//! the same owner.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::schedule::brief;
use once_app::Hostname;

/// So many in so much time.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// How many at most.
    pub most: usize,
    /// In any stretch of so long.
    pub within: SignedDuration,
}

/// Failed validations of one name; theirs: 5 an hour.
pub const FAILED: Limit = Limit { most: 4, within: SignedDuration::from_hours(1) };

/// Failed validations of one name, for one that stays broken.
pub const FAILED_LONG: Limit = Limit { most: 16, within: SignedDuration::from_hours(24) };

/// Certificates of one and the same name; theirs: 5 a week.
pub const ISSUED: Limit = Limit { most: 4, within: SignedDuration::from_hours(7 * 24) };

/// Certificates below one registered domain; theirs: 50 a week.
pub const DOMAIN: Limit = Limit { most: 40, within: SignedDuration::from_hours(7 * 24) };

/// Orders of the account; theirs: 300 in three hours.
pub const ORDERS: Limit = Limit { most: 240, within: SignedDuration::from_hours(3) };

/// Accounts made; theirs: 10 in three hours from one address.
pub const ACCOUNTS: Limit = Limit { most: 3, within: SignedDuration::from_hours(3) };

/// Nothing older counts.
const MEMORY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An order that was taken from the budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Order {
    at: Timestamp,
    /// `None`: under way, or the process ended meanwhile. Counts as everything it may have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

/// What an order was, for the authority's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// A certificate was made.
    Issued,
    /// A validation failed.
    Failed,
    /// The authority did not get as far as counting it, but for its own load.
    Nothing,
}

/// What has been counted for one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Failed, or perhaps failed, within [`FAILED`]'s time.
    pub failed: usize,
    /// Issued, or perhaps issued, within [`ISSUED`]'s time.
    pub issued: usize,
    /// Of all names, within [`ORDERS`]' time.
    pub orders: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Budget {
    names: BTreeMap<Hostname, VecDeque<Order>>,
    accounts: VecDeque<Timestamp>,
}

type Refusal = (Timestamp, String);

impl Budget {
    /// Takes an order for a name, or says until when not, and which limit it is.
    pub(super) fn take(&mut self, name: &Hostname, now: Timestamp) -> Result<(), Refusal> {
        self.forget(now);
        let of_name = || self.names.get(name).into_iter().flatten();
        let failed = || of_name().filter(|o| matches!(o.ended, None | Some(Ended::Failed))).map(|o| o.at);
        let issued = || of_name().filter(|o| matches!(o.ended, None | Some(Ended::Issued))).map(|o| o.at);
        let domain = registered(name);
        let of_domain = self.names.iter().filter(|(other, _)| registered(other) == domain).flat_map(|(_, o)| o);
        let of_domain = of_domain.filter(|o| matches!(o.ended, None | Some(Ended::Issued))).map(|o| o.at);
        let all = self.names.values().flatten().map(|o| o.at);
        let limits = [
            (free_at(failed(), FAILED, now), format!("{} orders for this name have failed lately", FAILED.most)),
            (free_at(failed(), FAILED_LONG, now), format!("{} orders for this name failed in a day", FAILED_LONG.most)),
            (free_at(issued(), ISSUED, now), format!("this name got {} certificates within a week", ISSUED.most)),
            (free_at(of_domain, DOMAIN, now), format!("{domain} got {} certificates within a week", DOMAIN.most)),
            (free_at(all, ORDERS, now), format!("{} orders were placed within three hours", ORDERS.most)),
        ];
        let latest = limits.into_iter().filter_map(|(until, why)| Some((until?, why))).max_by_key(|(until, _)| *until);
        match latest {
            Some((until, why)) => Err((until, format!("{why}; the next one may be placed at {}", brief(until)))),
            None => {
                self.names.entry(name.clone()).or_default().push_back(Order { at: now, ended: None });
                Ok(())
            }
        }
    }

    /// The order under way for a name is over; `None`: nobody knows how.
    pub(super) fn ended(&mut self, name: &Hostname, now: Timestamp, ended: Option<Ended>) {
        let orders = self.names.entry(name.clone()).or_default();
        if let Some(order) = orders.iter_mut().rev().find(|o| o.ended.is_none()) {
            // Authorities count when it happens, which may be later than it was begun.
            *order = Order { at: now.max(order.at), ended };
        }
    }

    /// Takes a new account, or says until when not.
    pub(super) fn take_account(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.forget(now);
        match free_at(self.accounts.iter().copied(), ACCOUNTS, now) {
            Some(until) => Err(until),
            None => {
                self.accounts.push_back(now);
                Ok(())
            }
        }
    }

    pub(super) fn spent(&self, name: &Hostname, now: Timestamp) -> Spent {
        let of_name = || self.names.get(name).into_iter().flatten();
        let failed = of_name().filter(|o| matches!(o.ended, None | Some(Ended::Failed))).map(|o| o.at);
        let issued = of_name().filter(|o| matches!(o.ended, None | Some(Ended::Issued))).map(|o| o.at);
        Spent {
            failed: within(failed, FAILED, now).count(),
            issued: within(issued, ISSUED, now).count(),
            orders: within(self.names.values().flatten().map(|o| o.at), ORDERS, now).count(),
        }
    }

    /// Drops what is too old to count. What lies in the future was written by a clock that was wrong, and is taken for
    /// now: it is neither forgotten nor counts for ever.
    fn forget(&mut self, now: Timestamp) {
        for orders in self.names.values_mut() {
            for order in orders.iter_mut() {
                order.at = order.at.min(now);
            }
            orders.retain(|order| now.duration_since(order.at) < MEMORY);
        }
        self.names.retain(|_, orders| !orders.is_empty());
        for at in &mut self.accounts {
            *at = (*at).min(now);
        }
        self.accounts.retain(|at| now.duration_since(*at) < ACCOUNTS.within);
    }
}

fn within(times: impl Iterator<Item = Timestamp>, limit: Limit, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    times.filter(move |at| now.duration_since(*at) < limit.within)
}

/// `None`: one more fits. Else when it will.
fn free_at(times: impl Iterator<Item = Timestamp>, limit: Limit, now: Timestamp) -> Option<Timestamp> {
    let mut recent: Vec<Timestamp> = within(times, limit, now).collect();
    if recent.len() < limit.most {
        return None;
    }
    recent.sort_unstable();
    // With this one gone there is room again.
    recent.get(recent.len() - limit.most).map(|at| *at + limit.within)
}

/// The domain somebody registered, as near as one can tell without the list of public suffixes: two labels, three
/// below the likes of `co.uk`. Where it is wrong it counts too much together, or the authority says no in time.
fn registered(name: &Hostname) -> String {
    const SECOND: [&str; 12] = ["co", "com", "net", "org", "gov", "edu", "ac", "or", "ne", "go", "gob", "nom"];
    let labels: Vec<&str> = name.as_str().split('.').collect();
    let country = labels.last().is_some_and(|last| last.len() == 2);
    let second = labels.len().checked_sub(2).and_then(|at| labels.get(at)).is_some_and(|l| SECOND.contains(l));
    let take = if country && second { 3 } else { 2 };
    labels[labels.len().saturating_sub(take)..].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Hostname {
        name.parse().unwrap()
    }

    #[test]
    fn registered_domains_are_two_labels_or_three() {
        for (name, domain) in [
            ("shop.example.com", "example.com"),
            ("a.b.example.com", "example.com"),
            ("shop.example.co.uk", "example.co.uk"),
            ("example.de", "example.de"),
            ("nas", "nas"),
        ] {
            assert_eq!(registered(&host(name)), domain);
        }
    }

    #[test]
    fn an_order_that_nobody_saw_the_end_of_counts_as_failed_and_as_issued() {
        let (mut budget, name, now) = (Budget::default(), host("a.example.com"), Timestamp::UNIX_EPOCH);
        for _ in 0..FAILED.most {
            budget.take(&name, now).unwrap();
        }
        let (until, why) = budget.take(&name, now).unwrap_err();
        assert_eq!(until, now + ISSUED.within);
        assert!(why.contains("within a week"), "{why}");
        let again: Budget = serde_json::from_str(&serde_json::to_string(&budget).unwrap()).unwrap();
        assert_eq!(again, budget);
    }

    #[test]
    fn times_from_the_future_do_not_count_for_ever() {
        let (mut budget, name) = (Budget::default(), host("a.example.com"));
        let wrong = Timestamp::from_second(4_000_000_000).unwrap();
        for _ in 0..FAILED.most {
            budget.take(&name, wrong).unwrap();
            budget.ended(&name, wrong, Some(Ended::Failed));
        }
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        assert_eq!(budget.take(&name, now).unwrap_err().0, now + FAILED.within);
        assert!(budget.take(&name, now + FAILED.within).is_ok());
    }
}
