//! `watch`: follow what is being done, by whomever.

use std::time::Duration;

use futures_util::stream::{SelectAll, StreamExt as _};

use crate::args::WatchArgs;
use crate::change::{Signals, conclude};
use crate::progress::Progress;
use crate::session::Session;
use once_app::event::{Event, Finished};
use once_app::proxy::{OpView, Proxy, Snapshot};
use once_app::{AppName, Problem};
use once_text::words;

use super::Answer;

/// How often it is looked whether something has begun.
const EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn watch(session: &mut Session<'_>, args: &WatchArgs) -> Answer {
    let at = session.installation().await?;
    let Some((proxy, mut snapshot)) = session.proxy(&at).await? else {
        super::list::say_empty(session, &at).await?;
        return Ok(0);
    };
    // An app that is being created is no app yet, but its change has its name.
    let app: Option<AppName> = match &args.app {
        None => None,
        Some(text) => match session.app(&at, text).await {
            Ok((_, _, record)) => Some(record.name),
            Err(problem) => Some(text.parse().map_err(|_| problem)?),
        },
    };
    let mut signals = Signals::new()?;
    loop {
        let running = under_way(&snapshot, app.as_ref());
        if !running.is_empty() {
            return follow(session, &*proxy, &running, &mut signals).await;
        }
        if !args.wait {
            say_idle(session, &snapshot, app.as_ref());
            return Ok(0);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => snapshot = proxy.snapshot().await?,
            () = signals.next() => return Ok(0),
        }
    }
}

fn under_way(snapshot: &Snapshot, app: Option<&AppName>) -> Vec<OpView> {
    // A change without its end whose lock is gone has died; there is nothing to follow.
    let alive = |op: &&OpView| snapshot.locks.iter().any(|l| l.op.as_ref() == Some(&op.op));
    let wanted = |op: &&OpView| !op.finished && app.is_none_or(|a| *a == op.app);
    snapshot.ops.iter().filter(wanted).filter(alive).cloned().collect()
}

fn say_idle(session: &mut Session<'_>, snapshot: &Snapshot, app: Option<&AppName>) {
    let last = snapshot.ops.iter().rev().find(|op| app.is_none_or(|a| *a == op.app));
    let what = app.map_or_else(|| "any app".to_owned(), ToString::to_string);
    let ago = last.map(|op| {
        format!("; the last change, of {}, began {}", op.app, words::ago(op.started_at, jiff::Timestamp::now()))
    });
    session.out.say(&format!("nothing is being done to {what}{}", ago.unwrap_or_default()));
}

async fn follow(session: &mut Session<'_>, proxy: &dyn Proxy, running: &[OpView], signals: &mut Signals) -> Answer {
    let mut streams = SelectAll::new();
    let mut drawings = Vec::new();
    for (n, op) in running.iter().enumerate() {
        streams.push(proxy.follow(&op.op, 0).map(move |event| (n, event)));
        drawings.push(match running {
            [_] => Progress::new(&op.op, op.started_at, session.out),
            _ => Progress::prefixed(&op.op, op.started_at, op.app.as_str()),
        });
    }
    let mut code = 0;
    let ended = loop {
        let next = tokio::select! {
            next = streams.next() => next,
            () = signals.next() => break Ok(()),
        };
        match next {
            None => break Ok(()),
            Some((_, Err(error))) => break Err(Problem::from(error)),
            Some((n, Ok(envelope))) => {
                let drawing = &mut drawings[n];
                drawing.event(session.out, &envelope);
                if let Event::Finished(finished) = &envelope.event {
                    drawing.end();
                    conclude(session.out, &drawing.view, finished, false);
                    code = worst(code, finished);
                }
            }
        }
    };
    drawings.iter_mut().for_each(Progress::end);
    ended.map(|()| code)
}

/// The first failure's exit code.
fn worst(code: u8, finished: &Finished) -> u8 {
    if code == 0 { finished.outcome.exit_code() } else { code }
}
