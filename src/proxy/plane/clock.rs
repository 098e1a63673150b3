//! Seconds and milliseconds since the process first asked, for rings and rests: cheap to store in an atomic.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

pub(super) fn millis(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX)
}

/// Never 0, which rings use for "unused".
pub(super) fn second(at: Instant) -> u32 {
    u32::try_from(at.saturating_duration_since(*START).as_secs()).unwrap_or(u32::MAX - 1).saturating_add(1)
}

pub(super) fn at_millis(millis: u64) -> Instant {
    *START + Duration::from_millis(millis)
}
