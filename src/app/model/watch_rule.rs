//! Is the new release worse than the one before? The rule of the watch after a switch. Pure.

use std::fmt;

/// Requests and how many of them were answered with 5xx, by the app or in its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sample {
    /// All.
    pub requests: u64,
    /// Of these: 5xx.
    pub errors: u64,
}

/// Fewer requests than this say nothing.
pub const LEAST_REQUESTS: u64 = 20;

/// Fewer errors than this may be anybody's.
pub const LEAST_ERRORS: u64 = 5;

/// By how many hundredths the share of errors must be higher than before.
const POINTS: u64 = 5;

/// How many times the share of errors before it must be.
const TIMES: u64 = 2;

impl Sample {
    /// The share of errors, 0 to 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        percent(self.errors, self.requests)
    }

    /// What came on top of an earlier look. Counters that went back began anew: then all of it.
    #[must_use]
    pub const fn since(self, base: Self) -> Self {
        if self.requests < base.requests || self.errors < base.errors {
            return self;
        }
        Self { requests: self.requests - base.requests, errors: self.errors - base.errors }
    }
}

/// The share of errors among requests, 0 to 100.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "for showing only")]
pub fn percent(errors: u64, requests: u64) -> f64 {
    if requests == 0 { 0.0 } else { errors as f64 * 100.0 / requests as f64 }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} requests ({:.1}%)", self.errors, self.requests, self.percent())
    }
}

/// Whether `new` is worse than `old` was: there are at least [`LEAST_REQUESTS`] with at least [`LEAST_ERRORS`], and the
/// share of errors is at least 5 points above the old one's and at least twice as high. Exact, without fractions.
#[must_use]
pub fn is_worse(old: Sample, new: Sample) -> bool {
    if new.requests < LEAST_REQUESTS || new.errors < LEAST_ERRORS {
        return false;
    }
    let wide = u128::from;
    // a/b ≥ c/d as a·d ≥ c·b; an old release without requests had no errors.
    let (old_errors, old_requests) = (wide(old.errors), wide(old.requests.max(1)));
    let product = |factors: [u128; 3]| factors.into_iter().fold(1_u128, u128::saturating_mul);
    let errors = [wide(new.errors), old_requests];
    let twice = product([1, errors[0], errors[1]]) >= product([wide(TIMES), old_errors, wide(new.requests)]);
    let bar = 100 * old_errors + wide(POINTS) * old_requests;
    let points = product([100, errors[0], errors[1]]) >= product([1, bar, wide(new.requests)]);
    twice && points
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred thousand requests a second for three hundred years.
    const MANY: u64 = 1 << 50;

    const fn sample(errors: u64, requests: u64) -> Sample {
        Sample { requests, errors }
    }

    #[test]
    fn worse_needs_a_sample_a_distance_and_a_factor() {
        for (old, new, expected) in [
            // Nothing to judge by.
            (sample(0, 0), sample(0, 0), false),
            (sample(0, 1000), sample(19, 19), false),
            (sample(0, 1000), sample(4, 20), false),
            // From nothing.
            (sample(0, 1000), sample(5, 20), true),
            (sample(0, 0), sample(5, 20), true),
            (sample(0, 1000), sample(5, 100), true),
            (sample(0, 1000), sample(5, 101), false),
            (sample(0, 1000), sample(1000, 1000), true),
            (sample(0, 1000), sample(0, 1000), false),
            // From one in a hundred: five points.
            (sample(10, 1000), sample(59, 1000), false),
            (sample(10, 1000), sample(60, 1000), true),
            // From ten: twice.
            (sample(100, 1000), sample(199, 1000), false),
            (sample(100, 1000), sample(200, 1000), true),
            // From half: cannot be told from what was, unless all fail.
            (sample(500, 1000), sample(999, 1000), false),
            (sample(500, 1000), sample(1000, 1000), true),
            (sample(900, 1000), sample(1000, 1000), false),
            // Better.
            (sample(900, 1000), sample(10, 1000), false),
            // Large numbers do not overflow.
            (sample(0, MANY), sample(MANY, MANY), true),
            (sample(MANY, MANY), sample(MANY, MANY), false),
        ] {
            assert_eq!(is_worse(old, new), expected, "{old} to {new}");
        }
    }

    #[test]
    fn counters_that_begin_anew_are_taken_as_they_are() {
        assert_eq!(sample(7, 100).since(sample(2, 40)), sample(5, 60));
        assert_eq!(sample(1, 3).since(sample(2, 40)), sample(1, 3));
        assert_eq!(sample(1, 50).since(sample(2, 40)), sample(1, 50));
    }

    #[test]
    fn figures_are_told_in_words() {
        assert_eq!(sample(12, 80).to_string(), "12 of 80 requests (15.0%)");
        assert_eq!(sample(0, 0).to_string(), "0 of 0 requests (0.0%)");
    }
}
