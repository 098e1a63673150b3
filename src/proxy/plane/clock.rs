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

/// Seconds from 1970 to second 0.
static EPOCH: AtomicU64 = AtomicU64::new(0);

/// Takes note of what the system's clock says; it may have been set since.
pub(super) fn adjust() {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    EPOCH.store(unix.saturating_sub(u64::from(second(Instant::now()))), Ordering::Relaxed);
}

/// The hour since 1970 that a [`second`] lies in.
pub(super) fn hour(second: u32) -> u32 {
    if EPOCH.load(Ordering::Relaxed) == 0 {
        adjust();
    }
    u32::try_from((EPOCH.load(Ordering::Relaxed) + u64::from(second)) / 3600).unwrap_or(u32::MAX)
}
