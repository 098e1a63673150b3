//! When to look where a name leads, when to order, and when not to: a pure value that is told what happened and says
//! what is next. Nothing here waits, reads a clock or asks anybody.
//!
//! Two things hold back. The *back-off* is of one name and grows with each failure; whoever asks for a certificate in
//! person is not kept by it. The *budget* counts what the authorities count and keeps below it; nobody gets past it,
//! whatever happened, and it is on disk before an order is placed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::budget::{Budget, Ended, Spent};
use once_app::{Hostname, Issuing, IssuingState};

/// A look at a name that does not lead here yet is repeated after this at most.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Back-off after the first failure; it doubles with each further one, up to [`LONGEST`].
const SHORTEST: SignedDuration = SignedDuration::from_mins(5);

/// The longest back-off.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// After an authority did not answer: it is asked again soon, and costs it nothing.
const UNREACHABLE: SignedDuration = SignedDuration::from_secs(45);

/// The longest pause while an authority does not answer.
const UNREACHABLE_LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// A name whose addresses do not answer at all from here may still be right: not every router leads a host back to
/// itself. After so long the authority is asked to look for itself, at growing intervals.
const BLIND: SignedDuration = SignedDuration::from_mins(5);

/// Where an authority says "too many" and not for how long.
const RATE_LIMITED: SignedDuration = SignedDuration::from_hours(1);

/// How long a "too many" about one name keeps the others from asking: it may have been about all of them.
const ACCOUNT_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "leads")]
pub enum Reach {
    /// To this proxy.
    Here,
    /// Somebody else answered there.
    Elsewhere {
        /// To whom, in words.
        text: String,
    },
    /// Nobody answered there.
    Silent {
        /// Where, in words.
        text: String,
    },
    /// It does not resolve.
    Nowhere {
        /// Why, in words.
        text: String,
    },
}

impl Reach {
    /// In words; `None` for [`Reach::Here`].
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Here => None,
            Self::Elsewhere { text } | Self::Silent { text } | Self::Nowhere { text } => Some(text),
        }
    }
}

/// A certificate's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last.
    pub not_after: Timestamp,
}

/// What went wrong with a name last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// As in [`Issuing::code`].
    pub code: String,
    /// In words.
    pub message: String,
}

/// What an order came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A certificate, stored.
    Issued(Validity),
    /// A certificate that is of no use here.
    Unusable,
    /// The authority stopped answering when it may have counted already, as whatever.
    Lost,
    /// The authority looked, and was not convinced.
    NotValidated,
    /// The authority did not answer, or is broken.
    Unreachable,
    /// "Too many", and for how long where it says so.
    RateLimited(Option<SignedDuration>),
    /// Anything else that repeating will not mend soon.
    Failed,
}

/// What there is to do about a name that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Place an order.
    Order,
    /// Not now.
    Wait,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Name {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<Validity>,
    /// When the certificate there is is to be renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_at: Option<Timestamp>,
    /// Nothing is done before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Timestamp>,
    /// Failures since something went well.
    #[serde(default)]
    failures: u32,
    /// "Too many" counts for those who ask in person too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    barred_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reach: Option<Reach>,
    /// Since when nobody answers where it leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    silent_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_error: Option<Trouble>,
}

/// The state of all names at one authority.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    names: BTreeMap<Hostname, Name>,
    budget: Budget,
    /// After "too many": nobody asks before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_until: Option<Timestamp>,
    /// Names that are to have one.
    #[serde(skip)]
    wanted: BTreeSet<Hostname>,
}

impl Schedule {
    /// Replaces the names that are to have a certificate. What is known of the others is kept, for they may come back
    /// and the authority remembers too.
    pub fn want(&mut self, names: BTreeSet<Hostname>) {
        for name in &names {
            self.names.entry(name.clone()).or_default();
        }
        self.wanted = names;
    }

    /// The names that are to have one.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<Hostname> {
        self.wanted.clone()
    }

    /// Says which certificate there is, as found in the store. `ours`: the authority's, which is renewed before its
    /// end; another is somebody's own, and only an end of it is a reason to ask.
    pub fn found(&mut self, name: &Hostname, validity: Option<Validity>, ours: bool) {
        let at = self.names.entry(name.clone()).or_default();
        if at.current != validity {
            at.current = validity;
            at.renew_at = validity.map(|v| if ours { renewal(name, v) } else { v.not_after });
        }
    }

    /// The names something is to be done about now.
    #[must_use]
    pub fn due(&self, now: Timestamp) -> Vec<Hostname> {
        self.wanted.iter().filter(|name| self.next(name) <= now).cloned().collect()
    }

    /// When something is next to be done about any name.
    #[must_use]
    pub fn wake(&self) -> Option<Timestamp> {
        self.wanted.iter().map(|name| self.next(name)).min()
    }

    /// When something is next to be done about a name.
    fn next(&self, name: &Hostname) -> Timestamp {
        let Some(at) = self.names.get(name) else { return Timestamp::UNIX_EPOCH };
        let need = match at.current {
            Some(_) => at.renew_at.unwrap_or(Timestamp::UNIX_EPOCH),
            None => Timestamp::UNIX_EPOCH,
        };
        need.max(at.next.unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Whether there is a certificate that is good and not to be renewed.
    #[must_use]
    pub fn fresh(&self, name: &Hostname, now: Timestamp) -> Option<Validity> {
        let at = self.names.get(name)?;
        at.current.filter(|v| v.not_before <= now && now < v.not_after && at.renew_at.is_none_or(|at| now < at))
    }

    /// The authority's own wish when to renew.
    pub fn renew_within(&mut self, name: &Hostname, window: (Timestamp, Timestamp)) {
        if let Some(at) = self.names.get_mut(name)
            && let Some(current) = at.current
        {
            let (start, end) = window;
            let wish = start + end.duration_since(start).max(SignedDuration::ZERO).mul_f64(spread(name.as_str(), 0));
            // Never so late that a few failures could let it run out.
            let life = current.not_after.duration_since(current.not_before).max(SignedDuration::ZERO);
            at.renew_at = Some(wish.min(current.not_after - life.mul_f64(0.1)));
        }
    }

    /// Somebody looked where a name leads.
    pub fn looked(&mut self, name: &Hostname, now: Timestamp, reach: Reach) -> Advice {
        let at = self.names.entry(name.clone()).or_default();
        let was_here = matches!(at.reach, Some(Reach::Here) | None);
        let silent = matches!(reach, Reach::Silent { .. });
        at.silent_since = if silent { at.silent_since.or(Some(now)) } else { None };
        let here = reach == Reach::Here;
        at.reach = Some(reach);
        at.next = Some(now + LOOK_EVERY.mul_f64(0.75 + spread(name.as_str(), now.as_second()) / 4.0));
        if here {
            if !was_here {
                // What failed failed because of where the name led.
                at.failures = 0;
            }
            return Advice::Order;
        }
        // A file may say anything, so no sums of what it says.
        let patience = BLIND.saturating_mul(i32::try_from(at.failures).unwrap_or(i32::MAX).saturating_add(1));
        if at.silent_since.is_some_and(|since| now.duration_since(since) >= patience) {
            Advice::Order
        } else {
            Advice::Wait
        }
    }

    /// Takes an order from the budget, before it is placed. The caller writes the schedule to disk before it goes on.
    ///
    /// # Errors
    /// The budget or the authority says no: why, and until when, in words.
    pub fn begin(&mut self, name: &Hostname, now: Timestamp) -> Result<(), String> {
        let at = self.names.entry(name.clone()).or_default();
        let barred = at.barred_until.max(self.paused_until).filter(|until| *until > now);
        let taken = match barred {
            Some(until) => Err((until, format!("the authority wants no orders before {}", brief(until)))),
            None => self.budget.take(name, now),
        };
        taken.map_err(|(until, why)| {
            at.next = Some(at.next.map_or(until, |next| next.max(until)));
            why
        })
    }

    /// An order that was begun is over.
    pub fn ended(&mut self, name: &Hostname, now: Timestamp, outcome: &Outcome, error: Option<Trouble>) {
        self.budget.ended(
            name,
            now,
            match outcome {
                Outcome::Issued(_) | Outcome::Unusable => Some(Ended::Issued),
                Outcome::Unreachable => Some(Ended::Nothing),
                Outcome::Lost => None,
                Outcome::NotValidated | Outcome::RateLimited(_) | Outcome::Failed => Some(Ended::Failed),
            },
        );
        let at = self.names.entry(name.clone()).or_default();
        if error.is_some() {
            at.last_error = error;
        }
        let pause = match outcome {
            Outcome::Issued(validity) => {
                *at = Name { current: Some(*validity), renew_at: Some(renewal(name, *validity)), ..Name::default() };
                return;
            }
            Outcome::NotValidated | Outcome::Failed | Outcome::Unusable => {
                backoff(name, at.failures, SHORTEST, LONGEST)
            }
            Outcome::Unreachable | Outcome::Lost => backoff(name, at.failures, UNREACHABLE, UNREACHABLE_LONGEST),
            Outcome::RateLimited(wait) => {
                let wait = wait.unwrap_or(RATE_LIMITED).clamp(SignedDuration::from_secs(1), LONGEST);
                at.barred_until = Some(now + wait);
                self.paused_until = self.paused_until.max(Some(now + wait.min(ACCOUNT_PAUSE)));
                wait
            }
        };
        at.failures = at.failures.saturating_add(1);
        // A name that does not lead here is looked at again soon, whatever an order on trust came to.
        let leads_here = matches!(at.reach, Some(Reach::Here) | None);
        at.next = Some(now + if leads_here { pause } else { pause.min(LOOK_EVERY) });
        if at.silent_since.is_some() {
            at.silent_since = Some(now);
        }
    }

    /// Something went wrong before an order was begun; it is tried again after a back-off.
    pub fn failed_before(&mut self, name: &Hostname, now: Timestamp, error: Trouble) {
        let at = self.names.entry(name.clone()).or_default();
        at.last_error = Some(error);
        at.next = Some(now + backoff(name, at.failures, UNREACHABLE, UNREACHABLE_LONGEST));
        at.failures = at.failures.saturating_add(1);
    }

    /// An order was not begun: why is kept, and when it may be was noted by [`Schedule::begin`].
    pub fn refused(&mut self, name: &Hostname, error: Trouble) {
        self.names.entry(name.clone()).or_default().last_error = Some(error);
    }

    /// Whether a new account may be made now.
    ///
    /// # Errors
    /// Until when not.
    pub fn begin_account(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.budget.take_account(now)
    }

    /// What the budget has counted.
    #[must_use]
    pub fn spent(&self, name: &Hostname, now: Timestamp) -> Spent {
        self.budget.spent(name, now)
    }

    /// Lets everything be tried at once that only waits out of caution: after the configuration has changed.
    pub fn forgive(&mut self) {
        for at in self.names.values_mut() {
            at.failures = 0;
            at.next = None;
        }
    }

    /// How the wanted names stand, with their last trouble.
    #[must_use]
    pub fn views(&self, now: Timestamp) -> Vec<(Hostname, Issuing, Option<Trouble>)> {
        let view = |name: &Hostname| {
            let at = self.names.get(name).cloned().unwrap_or_default();
            (name.clone(), self.view(name, &at, now), at.last_error)
        };
        self.wanted.iter().map(view).collect()
    }

    fn view(&self, name: &Hostname, at: &Name, now: Timestamp) -> Issuing {
        let state = match (at.current, &at.last_error, &at.reach) {
            (Some(v), _, _) if now < v.not_after => IssuingState::Valid,
            (_, _, Some(reach)) if *reach != Reach::Here => IssuingState::Waiting,
            (_, Some(_), _) => IssuingState::Failing,
            (Some(_), _, _) => IssuingState::Expired,
            (None, None, _) => IssuingState::Pending,
        };
        Issuing {
            state,
            next: Some(self.next(name)).filter(|next| *next > now),
            leads: at.reach.as_ref().and_then(Reach::text).map(str::to_owned),
            code: at.last_error.as_ref().map(|error| error.code.clone()),
        }
    }
}

/// At two thirds of its life, up to a fiftieth earlier, so that names ordered together are not renewed together.
fn renewal(name: &Hostname, validity: Validity) -> Timestamp {
    let life = validity.not_after.duration_since(validity.not_before).max(SignedDuration::ZERO);
    validity.not_before + life.mul_f64(2.0 / 3.0 - spread(name.as_str(), validity.not_after.as_second()) / 50.0)
}

fn backoff(name: &Hostname, failures: u32, shortest: SignedDuration, longest: SignedDuration) -> SignedDuration {
    let doubled = shortest.mul_f64(f64::from(2_u32.saturating_pow(failures.min(20))));
    doubled.min(longest).mul_f64(0.8 + spread(name.as_str(), i64::from(failures)) / 5.0)
}

/// The same number below 1 for the same question, another for another: jitter that needs no dice.
fn spread(name: &str, salt: i64) -> f64 {
    let hash = Sha256::new().chain_update(name).chain_update(salt.to_le_bytes()).finalize();
    let number = hash.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// To the second, for sentences.
pub(super) fn brief(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
