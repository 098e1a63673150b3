//! `locks`, `lock` and `unlock`.

use crate::app::event::{LockView, Outcome};
use crate::app::ledger::{ManualLock, Transaction};
use crate::app::proxy::{Activity, LockRequest, Proxy};
use crate::app::{AppName, Installation, Problem};
use crate::ui::cli::args::{LockArgs, UnlockArgs};
use crate::ui::cli::objects::LockObject;
use crate::ui::cli::session::Session;
use crate::ui::cli::table::Table;
use crate::ui::words;

use super::Answer;

pub(crate) async fn locks(session: &mut Session<'_>) -> Answer {
    let at = session.installation().await?;
    let locks = session.proxy(&at).await?.map(|(_, snapshot)| snapshot.locks).unwrap_or_default();
    if session.out.is_json() {
        for lock in &locks {
            session.out.object(&LockObject::new(lock));
        }
        return Ok(0);
    }
    if locks.is_empty() {
        let info = at.engine.info().await?;
        session.out.say(&format!("nobody holds a lock in the namespace `{}` on {}", at.namespace, info.name));
        return Ok(0);
    }
    let now = at.clock.now();
    let mut table = Table::new(&["APP", "BY", "FROM", "SINCE", "COMMAND", "WHY"]);
    for lock in locks {
        table.row([
            lock.app.to_string(),
            lock.by.user,
            lock.by.host,
            words::ago(lock.since, now),
            lock.by.command,
            lock.message.unwrap_or_else(|| match lock.op {
                Some(_) => "it is under way".into(),
                None => "held on purpose".into(),
            }),
        ]);
    }
    table.print(session.out);
    Ok(0)
}

pub(crate) async fn lock(session: &mut Session<'_>, args: &LockArgs) -> Answer {
    if args.message.as_ref().is_some_and(|m| m.chars().any(char::is_control)) {
        return Err(Problem::rejected("bad-message", "the message holds control characters"));
    }
    let at = session.installation().await?;
    let (proxy, _, record) = session.app(&at, &args.app).await?;
    let by = session.caller();
    if let Some(held) = &record.manual_lock {
        return Err(held_already(&record.name, held));
    }
    let request =
        LockRequest { app: record.name.clone(), op: session.new_op(), by: by.clone(), wait_ms: 0, part_of: None };
    let lease = proxy.lock(request).await?;
    let lock = ManualLock { by, since: at.clock.now(), message: args.message.clone() };
    let change = Transaction::ManualLock { app: record.id.clone(), lock: Some(lock) };
    let applied = proxy.apply(lease.fence(), change).await;
    lease.release().await?;
    applied?;
    note(session, &at, &*proxy, &record.name, "locked on purpose").await?;
    done(session, &record.name, "locked")
}

fn held_already(app: &AppName, held: &ManualLock) -> Problem {
    let why = held.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
    let message = format!("{app} is locked already by {} on {}{why}", held.by.user, held.by.host);
    Problem { retryable: false, ..Problem::new(Outcome::Locked, "locked", message) }
        .hint(format!("`once unlock {app}` lifts it"))
}

pub(crate) async fn unlock(session: &mut Session<'_>, args: &UnlockArgs) -> Answer {
    let at = session.installation().await?;
    let (proxy, snapshot, record) = session.app(&at, &args.app).await?;
    let name = &record.name;
    let mut broken = Vec::new();
    if args.force
        && let Some(lock) = proxy.break_lock(name).await?
    {
        broken.push(whose(&lock));
    }
    if let Some(lock) = &record.manual_lock {
        // A lock taken on purpose is lifted without holding it: fence 0 is nobody's.
        proxy.apply(0, Transaction::ManualLock { app: record.id.clone(), lock: None }).await?;
        let why = lock.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
        broken.push(format!("the lock of {} on {}{why}", lock.by.user, lock.by.host));
    }
    if broken.is_empty() {
        unchanged(session, name);
        if let Some(lock) = snapshot.locks.iter().find(|lock| lock.app == *name && lock.op.is_some()) {
            session.out.say(&format!("{} holds it; `once unlock {name} --force` takes it away", whose(lock)));
        }
        return Ok(0);
    }
    let word = if args.force { "lock broken" } else { "lock lifted" };
    let told = format!("{word}: {}", words::listed(&broken));
    note(session, &at, &*proxy, name, &told).await?;
    session.out.say(&told);
    done(session, name, "unlocked")
}

/// The change that holds a lock, in words.
fn whose(lock: &LockView) -> String {
    let since = lock.since.strftime("%H:%M:%SZ");
    format!("`{}` by {} on {}, since {since}", lock.by.command, lock.by.user, lock.by.host)
}

/// Writes it to the audit log: who kept others out, and who let them in again.
async fn note(
    session: &Session<'_>,
    at: &Installation,
    proxy: &dyn Proxy,
    app: &AppName,
    text: &str,
) -> Result<(), Problem> {
    let entry = Activity {
        at: at.clock.now(),
        by: session.caller(),
        app: Some(app.clone()),
        op: None,
        outcome: Outcome::Updated.to_string(),
        text: text.to_owned(),
    };
    Ok(proxy.record_activity(entry).await?)
}

fn done(session: &mut Session<'_>, app: &AppName, word: &str) -> Answer {
    finished(session, app, Outcome::Updated);
    session.out.say(&format!("{app} is {word}"));
    Ok(0)
}

fn unchanged(session: &mut Session<'_>, app: &AppName) {
    finished(session, app, Outcome::Unchanged);
    session.out.say(&format!("{app} was not locked on purpose; unchanged"));
}

fn finished(session: &mut Session<'_>, app: &AppName, outcome: Outcome) {
    if session.out.is_json() {
        session.out.object(&crate::ui::cli::report::done(outcome, Some(app)));
    }
}
