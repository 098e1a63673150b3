//! Connections open now for each client address, and a limit to them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::plane::policy::client_network::network;
use crate::scrape::is_this_machine;
use once_app::ProxyConfig;

/// Where nothing else is said: far more than a browser, an office behind one address or a load test has, far less than
/// the descriptors this process may have. It does not hold for this machine, in whose name the engine passes some
/// strangers' connections on.
const GENEROUS: u32 = 4096;

/// What a client gets that has too many already, where it speaks clear text.
pub(in crate::plane) const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

const SHARDS: usize = 16;

/// All clients' connections. Holds an entry only for addresses that have one open.
#[derive(Default)]
pub(in crate::plane) struct Crowd {
    keys: RandomState,
    shards: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
}

/// A connection's place; given back when it is dropped.
pub(in crate::plane) struct Place {
    crowd: Arc<Crowd>,
    client: IpAddr,
}

impl Crowd {
    /// A place for a new connection; `None`: the client has too many open. Proxies that are trusted speak for many.
    pub(in crate::plane) fn admit(self: &Arc<Self>, client: IpAddr, config: &ProxyConfig) -> Option<Place> {
        let limit = config.connections_per_address.map_or(GENEROUS, std::num::NonZeroU32::get);
        self.enter(client, limit).or_else(|| {
            let trusted = config.trusted_proxies.iter().any(|range| range.contains(client));
            let ours = config.connections_per_address.is_none() && is_this_machine(client);
            (trusted || ours).then(|| self.enter(client, u32::MAX))?
        })
    }

    /// `None`: the address has `limit` connections open already.
    fn enter(self: &Arc<Self>, client: IpAddr, limit: u32) -> Option<Place> {
        let client = network(client);
        let mut open = self.shard(client).lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(client).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place { crowd: Arc::clone(self), client })
    }

    fn shard(&self, client: IpAddr) -> &Mutex<HashMap<IpAddr, u32>> {
        &self.shards[usize::try_from(self.keys.hash_one(client) % SHARDS as u64).unwrap_or(0)]
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.crowd.shard(self.client).lock().unwrap_or_else(PoisonError::into_inner);
        match open.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                open.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_proxies_and_by_default_this_machine_have_no_limit() {
        let crowd = Arc::new(Crowd::default());
        let stranger = IpAddr::from([203, 0, 113, 1]);
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let here = IpAddr::from([127, 0, 0, 1]);
        let mut config = ProxyConfig { trusted_proxies: ["10.0.0.0/8".parse().unwrap()].into(), ..<_>::default() };
        let places = |client, config: &ProxyConfig| -> usize {
            let all: Vec<_> = (0..5000).map_while(|_| crowd.admit(client, config)).collect();
            all.len()
        };
        assert_eq!([stranger, proxy, here].map(|client| places(client, &config)), [4096, 5000, 5000]);
        config.connections_per_address = std::num::NonZeroU32::new(3);
        assert_eq!([stranger, proxy, here].map(|client| places(client, &config)), [3, 5000, 3]);
    }

    #[test]
    fn places_are_given_back() {
        let crowd = Arc::new(Crowd::default());
        let client = IpAddr::from([10, 0, 0, 1]);
        let one = crowd.enter(client, 2).unwrap();
        let two = crowd.enter(client, 2).unwrap();
        assert!(crowd.enter(client, 2).is_none());
        assert!(crowd.enter([10, 0, 0, 2].into(), 2).is_some());
        drop(one);
        let three = crowd.enter(client, 2).unwrap();
        drop((two, three));
        assert!(crowd.shards.iter().all(|shard| shard.lock().unwrap().is_empty()), "nobody is remembered");
    }
}
