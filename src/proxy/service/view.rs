//! What others are shown of the memory: no secrets.

use once_app::Secret;
use once_app::event::LockView;
use once_app::ledger::{AppRecord, Generated};

/// The record with every secret replaced.
pub(super) fn masked(record: &AppRecord) -> AppRecord {
    let mut shown = record.clone();
    let empty = Secret::new(String::new());
    shown.generated =
        Generated { secret_key_base: empty.clone(), vapid_public_key: String::new(), vapid_private_key: empty };
    for release in &mut shown.releases {
        release.settings = release.settings.without_secrets();
    }
    if let Some(canary) = &mut shown.canary {
        canary.release.settings = canary.release.settings.without_secrets();
    }
    shown
}

/// The lock taken on purpose, where there is one.
pub(super) fn manual_lock(record: &AppRecord) -> Option<LockView> {
    record.manual_lock.as_ref().map(|lock| LockView {
        app: record.name.clone(),
        by: lock.by.clone(),
        since: lock.since,
        op: None,
        message: lock.message.clone(),
    })
}

/// Bytes of this process in memory; 0 where the system does not say.
pub(super) fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
