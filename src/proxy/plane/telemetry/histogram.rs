//! Latencies over the last minute, in buckets that grow with the value.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Eight buckets to each doubling: a quantile is at most 1/16 off.
const STEPS: usize = 8;
/// From 1 µs to 2^28 µs, four and a half minutes.
const BUCKETS: usize = 26 * STEPS;
/// Ten seconds each: the current one and six whole ones.
const SLOTS: usize = 7;
const SLOT_SECONDS: u32 = 10;

/// Counts of one worker.
pub(in crate::plane) struct Histogram {
    slots: [Slot; SLOTS],
}

struct Slot {
    number: AtomicU32,
    buckets: [AtomicU32; BUCKETS],
}

impl Histogram {
    pub(in crate::plane) fn new() -> Self {
        let slot = || Slot { number: AtomicU32::new(0), buckets: std::array::from_fn(|_| AtomicU32::new(0)) };
        Self { slots: std::array::from_fn(|_| slot()) }
    }

    /// `second` as [`clock::second`](crate::plane::clock::second) gives it.
    pub(in crate::plane) fn record(&self, second: u32, took: Duration) {
        let number = second / SLOT_SECONDS + 1;
        let slot = &self.slots[number as usize % SLOTS];
        let seen = slot.number.load(Ordering::Relaxed);
        if seen != number && slot.number.compare_exchange(seen, number, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            for bucket in &slot.buckets {
                bucket.store(0, Ordering::Relaxed);
            }
        }
        slot.buckets[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds what the last minute has to `sum`.
    pub(in crate::plane) fn add_to(&self, second: u32, sum: &mut Sum) {
        let now = second / SLOT_SECONDS + 1;
        for slot in &self.slots {
            let number = slot.number.load(Ordering::Relaxed);
            if number != 0 && number + 6 >= now {
                for (to, from) in sum.0.iter_mut().zip(&slot.buckets) {
                    *to += u64::from(from.load(Ordering::Relaxed));
                }
            }
        }
    }
}

/// Counts of all workers together.
pub(in crate::plane) struct Sum([u64; BUCKETS]);

impl Default for Sum {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Sum {
    /// The median, and what 95 and 99 of a hundred requests stayed under.
    pub(in crate::plane) fn quantiles(&self) -> [Option<f64>; 3] {
        [0.50, 0.95, 0.99].map(|share| self.quantile(share))
    }

    /// The latency that `share` of the requests stayed under, in milliseconds.
    pub(in crate::plane) fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rank = ((total as f64 * share).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        let index = self.0.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        index.map(|index| middle(index) / 1000.0)
    }
}

fn bucket(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    if micros < 8 {
        return usize::try_from(micros).unwrap_or(0);
    }
    let octave = micros.ilog2() as usize;
    let step = usize::try_from(micros >> (octave - 3) & 7).unwrap_or(0);
    ((octave - 2) * STEPS + step).min(BUCKETS - 1)
}

/// In microseconds.
#[expect(clippy::cast_precision_loss)]
fn middle(index: usize) -> f64 {
    if index < 8 {
        return index as f64 + 0.5;
    }
    let octave = index / STEPS + 2;
    let width = (1_u64 << (octave - 3)) as f64;
    ((index % STEPS + 8) as f64 + 0.5) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_close_to_the_value() {
        for micros in [0_u64, 1, 7, 8, 9, 15, 16, 17, 100, 999, 1000, 12_345, 1_000_000, 59_999_999] {
            let middle = middle(bucket(Duration::from_micros(micros)));
            #[expect(clippy::cast_precision_loss)]
            let off = (middle - micros as f64).abs();
            #[expect(clippy::cast_precision_loss)]
            let allowed = (micros as f64 / 15.0).max(0.5);
            assert!(off <= allowed, "{micros}: {middle}");
        }
        assert_eq!(bucket(Duration::from_secs(100_000)), BUCKETS - 1);
    }

    #[test]
    fn quantiles_cover_the_last_minute() {
        let histogram = Histogram::new();
        for _ in 0..90 {
            histogram.record(100, Duration::from_millis(10));
        }
        for _ in 0..10 {
            histogram.record(130, Duration::from_millis(500));
        }
        let at = |second: u32, share: f64| {
            let mut sum = Sum::default();
            histogram.add_to(second, &mut sum);
            sum.quantile(share)
        };
        assert!((9.0..11.0).contains(&at(131, 0.5).unwrap()));
        assert!((460.0..540.0).contains(&at(131, 0.99).unwrap()));
        assert!((460.0..540.0).contains(&at(189, 0.5).unwrap()), "the first slot is over a minute old");
        assert_eq!(at(260, 0.5), None);
        histogram.record(170, Duration::from_millis(1));
        histogram.record(100 + 70, Duration::from_millis(1));
        assert!((0.9..1.1).contains(&at(230, 0.5).unwrap()), "an old slot is cleared when it is used again");
    }
}
