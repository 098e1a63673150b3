//! Locks that people take on purpose: they outlive whoever took them, and every try is written to the audit log.

use super::installation::Installation;
use crate::ledger::{AppRecord, ManualLock, Transaction};
use crate::model::name::{AppName, OpId};
use crate::model::problem::Problem;
use crate::model::release::Caller;
use crate::ports::proxy::{Activity, LockRequest, Proxy};
use crate::progress::event::{LockView, Outcome};

/// Looks at the reason for a lock, which everybody will see in a line of their terminal. For whoever wants to know before
/// an engine is asked.
///
/// # Errors
/// It holds control characters.
pub fn check_message(message: Option<&str>) -> Result<(), Problem> {
    match message {
        Some(m) if m.chars().any(char::is_control) => {
            Err(Problem::rejected("bad-message", "the message holds control characters"))
        }
        _ => Ok(()),
    }
}

/// Keeps others from changing an app until the lock is lifted. `op` is an identity of its own for the moment in which
/// the app's lock has to be free.
///
/// # Errors
/// It is locked already, a change holds its lock, or the message holds control characters.
pub async fn hold(
    at: &Installation,
    proxy: &dyn Proxy,
    record: &AppRecord,
    by: Caller,
    op: OpId,
    message: Option<String>,
) -> Result<(), Problem> {
    let why = message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
    let held = try_hold(at, proxy, record, &by, op, message).await;
    let (outcome, text) = match &held {
        Ok(()) => (Outcome::Updated, format!("locked on purpose{why}")),
        Err(problem) => (problem.outcome, format!("lock: {}", problem.message)),
    };
    note(at, proxy, by, Some(&record.name), outcome, text).await?;
    held
}

async fn try_hold(
    at: &Installation,
    proxy: &dyn Proxy,
    record: &AppRecord,
    by: &Caller,
    op: OpId,
    message: Option<String>,
) -> Result<(), Problem> {
    check_message(message.as_deref())?;
    if let Some(held) = &record.manual_lock {
        return Err(held_already(&record.name, held));
    }
    let request = LockRequest { app: record.name.clone(), op, by: by.clone(), wait_ms: 0, part_of: None };
    let lease = proxy.lock(request).await?;
    let lock = ManualLock { by: by.clone(), since: at.clock.now(), message };
    let change = Transaction::ManualLock { app: record.id.clone(), lock: Some(lock) };
    let applied = proxy.apply(lease.fence(), change).await;
    lease.release().await?;
    applied?;
    Ok(())
}

fn held_already(app: &AppName, held: &ManualLock) -> Problem {
    let why = held.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
    let message = format!("{app} is locked already by {} on {}{why}", held.by.user, held.by.host);
    Problem { retryable: false, ..Problem::new(Outcome::Locked, "locked", message) }
        .hint(format!("`once unlock {app}` lifts it"))
}

/// Lifts a lock that was taken on purpose; with `force` the lock of a change under way is taken away, too, and what that
/// has begun is mended by the next one. What was lifted, in words; empty: there was nothing to lift.
///
/// # Errors
/// The proxy does not answer, or could not write its ledger.
pub async fn lift(
    at: &Installation,
    proxy: &dyn Proxy,
    record: &AppRecord,
    by: Caller,
    force: bool,
) -> Result<Vec<String>, Problem> {
    let mut lifted = Vec::new();
    if force && let Some(lock) = proxy.break_lock(&record.name).await? {
        lifted.push(whose(&lock));
    }
    if let Some(lock) = &record.manual_lock {
        // A lock taken on purpose is lifted without holding it: fence 0 is nobody's.
        proxy.apply(0, Transaction::ManualLock { app: record.id.clone(), lock: None }).await?;
        let why = lock.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
        lifted.push(format!("the lock of {} on {}{why}", lock.by.user, lock.by.host));
    }
    if !lifted.is_empty() {
        let word = if force { "lock broken" } else { "lock lifted" };
        let text = format!("{word}: {}", lifted.join(", "));
        note(at, proxy, by, Some(&record.name), Outcome::Updated, text).await?;
    }
    Ok(lifted)
}

/// The change that holds a lock, in words.
#[must_use]
pub fn whose(lock: &LockView) -> String {
    let since = lock.since.strftime("%H:%M:%SZ");
    format!("`{}` by {} on {}, since {since}", lock.by.command, lock.by.user, lock.by.host)
}

/// Writes to the audit log what was asked for beside the changes that write there themselves, or was refused before any
/// app was known.
///
/// # Errors
/// The proxy does not answer, or could not write it.
pub async fn note(
    at: &Installation,
    proxy: &dyn Proxy,
    by: Caller,
    app: Option<&AppName>,
    outcome: Outcome,
    text: String,
) -> Result<(), Problem> {
    let entry = Activity { at: at.clock.now(), by, app: app.cloned(), op: None, outcome: outcome.to_string(), text };
    Ok(proxy.record_activity(entry).await?)
}
