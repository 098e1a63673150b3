//! `proxy upgrade`, and the question before a deploy whether to do it.

use std::io::IsTerminal as _;

use super::Answer;
use crate::args::UpgradeArgs;
use crate::confirm::{self, confirm};
use crate::output::{GOOD, styled};
use crate::report;
use crate::session::Session;
use once_app::event::Outcome;
use once_app::proxy::{Activity, Proxy, WorkerView};
use once_app::{Installation, Problem, ProxyUpgrade};

/// Hex digits of a hash that people are shown.
pub(super) const SHORT: usize = 12;

pub(crate) async fn upgrade(session: &mut Session<'_>, args: &UpgradeArgs) -> Answer {
    let at = session.installation().await?;
    super::proxy::container(&at).await?;
    if args.replace {
        let text = "the proxy's container is replaced: all apps are unreachable for about a second";
        confirm(session.out, args.confirm.yes, text, &confirm::Answer::Yes)?;
        let proxy = at.replace_proxy().await?;
        note(session, &at, &*proxy, "the container was replaced").await;
        return done(session, Outcome::Updated, "the proxy's container was replaced");
    }
    let proxy = at.ensure_proxy().await?;
    match at.upgrade_proxy(&*proxy, &session.caller()).await {
        Ok(ProxyUpgrade::Unchanged(worker)) => {
            done(session, Outcome::Unchanged, &format!("the proxy runs this binary already: {}", named(&worker)))
        }
        Ok(ProxyUpgrade::Upgraded { before, now }) => {
            let text = format!("from {} to {}", named(&before), named(&now));
            note(session, &at, &*proxy, &text).await;
            done(session, Outcome::Updated, &format!("the proxy was upgraded {text}, and no connection was lost"))
        }
        Err(problem) => {
            note(session, &at, &*proxy, &problem.message).await;
            Err(problem)
        }
    }
}

/// At a terminal: whether the proxy is to be brought to this version first. Elsewhere it is never touched unasked.
pub(crate) async fn wanted(session: &mut Session<'_>) -> Result<bool, Problem> {
    if session.out.is_json() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    let at = session.installation().await?;
    let Some(proxy) = at.proxy().await? else { return Ok(false) };
    let (theirs, ours) = (proxy.info().await?.version, env!("CARGO_PKG_VERSION"));
    if theirs == ours {
        return Ok(false);
    }
    let text = format!("The proxy is version {theirs}, this command {ours}. It can be upgraded first, without a gap.");
    match confirm(session.out, false, &text, &confirm::Answer::Yes) {
        Ok(()) => Ok(true),
        // The deploy itself goes on, and says it once more.
        Err(problem) if problem.outcome == Outcome::Refused => Ok(false),
        Err(problem) => Err(problem),
    }
}

fn named(worker: &WorkerView) -> String {
    format!("{} ({})", worker.version, short(&worker.hash))
}

pub(super) fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}

fn done(session: &mut Session<'_>, outcome: Outcome, text: &str) -> Answer {
    if session.out.is_json() {
        session.out.object(&report::done(outcome, None));
    }
    session.out.say(&format!("{} {text}", styled(GOOD, "✓")));
    Ok(0)
}

/// Into the audit log; it is no reason to fail.
async fn note(session: &Session<'_>, at: &Installation, proxy: &dyn Proxy, text: &str) {
    let activity = Activity {
        at: at.clock.now(),
        by: session.caller(),
        app: None,
        op: None,
        outcome: "proxy".to_owned(),
        text: format!("proxy upgrade: {text}"),
    };
    if let Err(error) = proxy.record_activity(activity).await {
        tracing::warn!(%error, "the audit log was not written");
    }
}
