//! Seconds and milliseconds since the process first asked, for rings and rests: cheap to store in an atomic.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// Nanoseconds from 1970 to the process's start. 0: not known yet.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Takes note of what the system's clock says; it may have been set since.
pub(super) fn adjust() -> u64 {
    let since = START.elapsed();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = u64::try_from(unix.saturating_sub(since).as_nanos()).unwrap_or(u64::MAX);
    EPOCH.store(epoch, Ordering::Relaxed);
    epoch
}

fn epoch() -> u64 {
    match EPOCH.load(Ordering::Relaxed) {
        0 => adjust(),
        known => known,
    }
}

/// A moment by the system's clock, as it was set at the last [`adjust`]; without a look at that clock, of which a request
/// would need several.
pub(super) fn since_1970(at: Instant) -> Duration {
    Duration::from_nanos(epoch()) + at.saturating_duration_since(*START)
}

/// The hour since 1970 that a [`second`] lies in.
pub(super) fn hour(second: u32) -> u32 {
    let start = epoch() / 1_000_000_000;
    u32::try_from((start + u64::from(second)) / 3600).unwrap_or(u32::MAX)
}
