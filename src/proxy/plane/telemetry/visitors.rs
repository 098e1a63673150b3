//! How many different clients came: a HyperLogLog an hour, so that nobody's address is kept.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};
use std::sync::{LazyLock, OnceLock};

/// 2^10 registers: 1 KiB an hour, and a standard error of 1.04 / √1024 = 3.3 %.
const INDEX_BITS: u32 = 10;
const REGISTERS: usize = 1 << INDEX_BITS;
/// What is left of the hash to count zeros in.
const RANK_BITS: u32 = 64 - INDEX_BITS;
/// Hours remembered, the current one included.
pub(in crate::plane) const HOURS: u32 = 24;

/// Made with the first visitor: most of many apps have none.
#[derive(Default)]
pub(in crate::plane) struct Visitors(OnceLock<Box<[Hour; HOURS as usize]>>);

struct Hour {
    /// Since 1970. 0: unused.
    number: AtomicU32,
    registers: OnceLock<Box<[AtomicU8; REGISTERS]>>,
}

impl Visitors {
    /// `hour` since 1970.
    pub(in crate::plane) fn came(&self, hour: u32, client: IpAddr) {
        self.add(hour, hash(client));
    }

    fn add(&self, hour: u32, hash: u64) {
        let hours = self.0.get_or_init(|| Box::new(std::array::from_fn(|_| Hour::new())));
        let registers = hours[hour as usize % hours.len()].enter(hour);
        let register = &registers[(hash >> RANK_BITS) as usize % REGISTERS];
        let rank = rank(hash);
        // After the first visitors almost every register stays as it is, and is only read.
        if register.load(Relaxed) < rank {
            register.fetch_max(rank, Relaxed);
        }
    }

    /// How many came in the `count` hours that end with `hour`.
    pub(in crate::plane) fn count(&self, hour: u32, count: u32) -> u64 {
        let Some(hours) = self.0.get() else { return 0 };
        let mut sum = [0; REGISTERS];
        let first = hour.saturating_sub(count.saturating_sub(1));
        for registers in hours.iter().filter_map(|h| h.registers_within(first, hour)) {
            for (to, from) in sum.iter_mut().zip(registers.iter()) {
                *to = from.load(Relaxed).max(*to);
            }
        }
        estimate(&sum)
    }
}

impl Hour {
    fn new() -> Self {
        Self { number: AtomicU32::new(0), registers: OnceLock::new() }
    }

    fn enter(&self, hour: u32) -> &[AtomicU8; REGISTERS] {
        let registers = self.registers.get_or_init(|| Box::new(std::array::from_fn(|_| AtomicU8::new(0))));
        let seen = self.number.load(Relaxed);
        if seen != hour && self.number.compare_exchange(seen, hour, Relaxed, Relaxed).is_ok() {
            for register in registers.iter() {
                register.store(0, Relaxed);
            }
        }
        registers
    }

    fn registers_within(&self, first: u32, last: u32) -> Option<&[AtomicU8; REGISTERS]> {
        let number = self.number.load(Relaxed);
        let within = number != 0 && (first..=last).contains(&number);
        self.registers.get().filter(|_| within).map(AsRef::as_ref)
    }
}

/// Keyed, so that nobody can choose addresses that all count as one, or one that counts as many. Of an IPv6 address the
/// first half: a household has as many of the others as it likes.
fn hash(client: IpAddr) -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEY.hash_one(crate::plane::policy::client_network::network(client))
}

/// The place of the first one behind the index.
fn rank(hash: u64) -> u8 {
    let zeros = (hash << INDEX_BITS | 1 << (INDEX_BITS - 1)).leading_zeros();
    u8::try_from(zeros + 1).unwrap_or(u8::MAX)
}

/// Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), which is without bias from
/// the first visitor on and needs no tables.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn estimate(registers: &[u8; REGISTERS]) -> u64 {
    let m = REGISTERS as f64;
    let mut counts = [0_u32; RANK_BITS as usize + 2];
    for register in registers {
        counts[usize::from(*register).min(counts.len() - 1)] += 1;
    }
    let full = 1.0 - f64::from(counts[RANK_BITS as usize + 1]) / m;
    let mut z = m * tau(full);
    for count in counts[1..=RANK_BITS as usize].iter().rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    (m * m / (2.0 * std::f64::consts::LN_2 * z)).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    /// Always the same one, so that the test is.
    fn fixed(seed: u64, n: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (seed, n).hash(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn the_count_is_within_the_error_bound() {
        const SEEDS: u64 = 20;
        for n in [1_u64, 10, 100, 1_000, 2_500, 5_000, 20_000, 100_000] {
            let mut sum = 0.0;
            for seed in 0..SEEDS {
                let visitors = Visitors::default();
                (0..n).for_each(|i| visitors.add(500_000, fixed(seed, i)));
                let off = visitors.count(500_000, 1) as f64 / n as f64 - 1.0;
                // Three standard errors, and one for two that share a register.
                assert!(off.abs() <= 3.0 * 1.04 / 32.0 + 1.0 / n as f64, "{n} visitors: {off:+.3}");
                sum += off;
            }
            let bias = sum / SEEDS as f64;
            assert!(bias.abs() < 0.02, "{n} visitors: {bias:+.3} on average");
        }
    }

    #[test]
    fn the_same_client_counts_once_an_ipv6_household_too() {
        let visitors = Visitors::default();
        for i in 0..200 {
            visitors.came(9, format!("2001:db8:1:2::{i:x}").parse().unwrap());
            visitors.came(9, "::ffff:10.0.0.7".parse().unwrap());
            visitors.came(9, "10.0.0.7".parse().unwrap());
        }
        assert_eq!(visitors.count(9, 1), 2);
    }

    #[test]
    fn hours_end() {
        let visitors = Visitors::default();
        let client = |i: u8| IpAddr::from([10, 0, 0, i]);
        visitors.came(100, client(1));
        visitors.came(101, client(1));
        visitors.came(101, client(2));
        visitors.came(102, client(3));
        assert_eq!((visitors.count(102, 1), visitors.count(102, 2), visitors.count(102, 24)), (1, 3, 3));
        assert_eq!((visitors.count(125, 24), visitors.count(126, 24)), (1, 0));
        visitors.came(124, client(9));
        assert_eq!(visitors.count(125, 24), 2, "hour 124 has the place of hour 100");
        assert_eq!(Visitors::default().count(100, 24), 0);
    }
}
