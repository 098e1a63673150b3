//! What holds for whatever authorities and their files say; see `once-fuzzing`.

// What does not hold panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::schedule::{LOOK_EVERY, Outcome, Reach, Schedule, Validity};
use super::{account, proof, transport};
use once_app::Hostname;

/// A schedule that was read can be worked with, whatever times stand in it, and an order that is waited for comes.
pub(crate) fn schedule(bytes: &[u8]) {
    let Ok(mut schedule) = serde_json::from_slice::<Schedule>(bytes) else { return };
    let json = serde_json::to_vec(&schedule).unwrap();
    assert_eq!(serde_json::from_slice::<Schedule>(&json).ok().as_ref(), Some(&schedule));
    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let names: Vec<Hostname> = ["a.test", "b.test"].iter().filter_map(|name| name.parse().ok()).collect();
    schedule.want(BTreeSet::from_iter(names.clone()));
    for name in &names {
        let _ = (schedule.due(now), schedule.wake(), schedule.fresh(name, now), schedule.views(now));
        schedule.looked(name, now, Reach::Silent { text: String::new() });
        if schedule.begin(name, now).is_ok() {
            assert!(schedule.spent(name, now).failed > 0);
            schedule.ended(name, now, &Outcome::NotValidated, None);
        }
        schedule.renew_within(name, (now, now + LOOK_EVERY));
        let validity = Validity { not_before: now, not_after: now + SignedDuration::from_hours(24) };
        schedule.found(name, Some(validity), true);
        schedule.ended(name, now, &Outcome::RateLimited(None), None);
        let _ = (schedule.begin_account(now), schedule.views(now));
    }
}

/// Whatever an authority answers beside its documents.
pub(crate) fn answer(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(wait) = transport::wait(text) {
        assert!(wait <= SignedDuration::from_secs(i64::from(u32::MAX)) || text.trim().parse::<u32>().is_err());
        let _ = Timestamp::now() + wait.clamp(SignedDuration::from_secs(1), SignedDuration::from_hours(24));
    }
    let _ = account::eab_key(text);
    let Ok(name) = "shop.example.com".parse() else { return };
    if proof::same_name(text, &name, "/.well-known/acme-challenge/t").is_some() {
        let rest = text.split_once("://").map(|(_, rest)| rest.to_ascii_lowercase()).unwrap_or_default();
        assert!(rest.contains("shop.example.com") && rest.contains("/.well-known/acme-challenge/t"), "{text}");
    }
}
