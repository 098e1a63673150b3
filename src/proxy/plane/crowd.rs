//! Connections open now for each client address, and a limit to them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::client::network;

const SHARDS: usize = 16;

/// All clients' connections. Holds an entry only for addresses that have one open.
#[derive(Default)]
pub(super) struct Crowd {
    keys: RandomState,
    shards: [Mutex<HashMap<IpAddr, u32>>; SHARDS],
}

/// A connection's place; given back when it is dropped.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    client: IpAddr,
}

impl Crowd {
    /// `None`: the address has `limit` connections open already.
    pub(super) fn enter(self: &Arc<Self>, client: IpAddr, limit: u32) -> Option<Place> {
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
