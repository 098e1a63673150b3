//! `locks`, `lock` and `unlock`.

use crate::args::{LockArgs, UnlockArgs};
use crate::objects::LockObject;
use crate::session::Session;
use crate::table::Table;
use once_app::event::Outcome;
use once_app::{AppName, check_message, hold, lift, whose};
use once_text::words;

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
    check_message(args.message.as_deref())?;
    let at = session.installation().await?;
    let (proxy, _, record) = session.app_to_change(&at, &args.app).await?;
    hold(&at, &*proxy, &record, session.caller(), session.new_op(), args.message.clone()).await?;
    done(session, &record.name, "locked")
}

pub(crate) async fn unlock(session: &mut Session<'_>, args: &UnlockArgs) -> Answer {
    let at = session.installation().await?;
    let (proxy, snapshot, record) = session.app_to_change(&at, &args.app).await?;
    let name = &record.name;
    let lifted = lift(&at, &*proxy, &record, session.caller(), args.force).await?;
    if lifted.is_empty() {
        unchanged(session, name);
        if let Some(lock) = snapshot.locks.iter().find(|lock| lock.app == *name && lock.op.is_some()) {
            session.out.say(&format!("{} holds it; `once unlock {name} --force` takes it away", whose(lock)));
        }
        return Ok(0);
    }
    let word = if args.force { "lock broken" } else { "lock lifted" };
    session.out.say(&format!("{word}: {}", words::listed(&lifted)));
    done(session, name, "unlocked")
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
        session.out.object(&crate::report::done(outcome, Some(app)));
    }
}
