//! Requests per second for each client address, in memory that does not grow. One second's worth may come at once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client_network::network;

/// Apart, so that threads seldom wait for each other.
const SHARDS: usize = 16;
/// Addresses a shard remembers. An address is forgotten a second after its last request, so it takes 65,536 within one
/// second to fill them all.
const ADDRESSES: usize = 4096;
const SECOND: u64 = 1_000_000_000;

/// One app's clients.
pub(in crate::plane) struct Rates {
    per_second: u32,
    /// Nanoseconds each request takes of its second.
    each: u64,
    start: Instant,
    keys: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    /// When, in nanoseconds since the start, all that was asked for will have been paid for. What lies in the past is as
    /// good as absent. (The generic cell rate algorithm: a token bucket that needs one number.)
    paid: HashMap<IpAddr, u64>,
    swept: u64,
}

impl Rates {
    pub(in crate::plane) fn new(per_second: u32) -> Self {
        let per_second = per_second.max(1);
        Self {
            per_second,
            each: (SECOND / u64::from(per_second)).max(1),
            start: Instant::now(),
            keys: RandomState::new(),
            shards: Default::default(),
        }
    }

    pub(in crate::plane) fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Counts a request, unless there have been too many; then says when the next one may come.
    pub(in crate::plane) fn take(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let client = network(client);
        let now = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let shard = &self.shards[usize::try_from(self.keys.hash_one(client) % SHARDS as u64).unwrap_or(0)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = shard.paid.get(&client).copied().unwrap_or(0).max(now) + self.each;
        let limit = now + SECOND.max(self.each);
        if paid > limit {
            return Err(Duration::from_nanos(paid - limit));
        }
        shard.make_room(now);
        shard.paid.insert(client, paid);
        Ok(())
    }
}

impl Shard {
    fn make_room(&mut self, now: u64) {
        if self.paid.len() < ADDRESSES {
            return;
        }
        // Looking through all of them for each request would be what an attacker wants.
        if now >= self.swept + SECOND / 10 {
            self.swept = now;
            self.paid.retain(|_, paid| *paid > now);
        }
        if self.paid.len() >= ADDRESSES
            && let Some(any) = self.paid.keys().next().copied()
        {
            self.paid.remove(&any);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(i: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + i).into()
    }

    #[test]
    fn a_seconds_worth_at_once_and_then_one_after_the_other() {
        let rates = Rates::new(4);
        let at = |ms: u64| rates.start + Duration::from_millis(ms);
        for _ in 0..4 {
            assert_eq!(rates.take(client(1), at(0)), Ok(()));
        }
        assert_eq!(rates.take(client(1), at(0)), Err(Duration::from_millis(250)));
        assert_eq!(rates.take(client(1), at(100)), Err(Duration::from_millis(150)), "a refused one costs nothing");
        assert_eq!(rates.take(client(2), at(100)), Ok(()), "others are not concerned");
        assert_eq!(rates.take(client(1), at(250)), Ok(()));
        assert!(rates.take(client(1), at(251)).is_err());
        for _ in 0..4 {
            assert_eq!(rates.take(client(1), at(5000)), Ok(()), "no more than a second's worth is saved up");
        }
        assert!(rates.take(client(1), at(5000)).is_err());
    }

    #[test]
    fn the_smallest_and_the_largest_rate() {
        let slow = Rates::new(1);
        assert_eq!(slow.take(client(1), slow.start), Ok(()));
        assert_eq!(slow.take(client(1), slow.start), Err(Duration::from_secs(1)));
        let fast = Rates::new(1_000_000);
        assert!((0..1_000_000).all(|_| fast.take(client(1), fast.start).is_ok()));
        assert!(fast.take(client(1), fast.start).is_err());
    }

    #[test]
    fn an_ipv6_household_is_one_client() {
        let rates = Rates::new(1);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(rates.take(address("2001:db8::1"), rates.start).is_ok());
        assert!(rates.take(address("2001:db8::2"), rates.start).is_err());
        assert!(rates.take(address("2001:db8:0:1::1"), rates.start).is_ok());
        assert!(rates.take(address("10.0.0.1"), rates.start).is_ok());
        assert!(rates.take(address("::ffff:10.0.0.1"), rates.start).is_err());
    }

    #[test]
    fn the_memory_is_bounded_whoever_comes() {
        let rates = Rates::new(10);
        for i in 0..200_000 {
            assert!(rates.take(client(i), rates.start).is_ok());
        }
        let kept = || rates.shards.iter().map(|s| s.lock().unwrap().paid.len()).sum::<usize>();
        assert!(kept() <= SHARDS * ADDRESSES, "{}", kept());
        let later = rates.start + Duration::from_secs(2);
        for i in 0..1000 {
            rates.take(client(i), later).unwrap();
        }
        assert!(kept() <= 1000 + ADDRESSES, "those that are paid for are forgotten: {}", kept());
    }
}
