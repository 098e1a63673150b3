//! `canary`, `promote` and `abort`: a release that is tried out on some of the requests.

use crate::args::{AppWaitArgs, CanaryArgs};
use crate::change;
use crate::objects::{CanaryObject, SideObject};
use crate::session::{Session, no_such_app, selector};
use crate::table::Table;
use once_app::{AppView, Ask, CanaryRule, Problem, Release, observe};
use once_text::words;

use super::Answer;

/// Both sides, or with `--share` other requests for one of them.
pub(crate) async fn canary(session: &mut Session<'_>, args: &CanaryArgs) -> Answer {
    if let Some(text) = &args.share {
        let ask = Ask::Canary { app: selector(&args.app), rule: rule(text)? };
        return run(session, ask, args.wait.wait).await;
    }
    let at = session.installation().await?;
    let inventory = observe(&at).await?;
    let Some(view) = inventory.find(&args.app) else {
        let records: Vec<_> = inventory.apps.iter().map(|a| a.record.clone()).collect();
        return Err(no_such_app(&args.app, &at, &records));
    };
    let Some(object) = CanaryObject::new(view) else { return Err(none(view)) };
    if session.out.is_json() {
        session.out.object(&object);
        return Ok(0);
    }
    let releases: Vec<&Release> =
        view.record.serving_release().into_iter().chain(view.record.canary_release()).collect();
    let mut table = Table::new(&["RELEASE", "GETS", "IMAGE", "STATE", "REQUESTS", "ERRORS", "P50", "P95", "P99"]);
    let latency = |ms: Option<f64>| ms.map_or_else(|| "-".into(), words::latency);
    for (release, side) in releases.iter().zip(&object.sides) {
        table.row([
            side.release.to_string(),
            if side.canary { object.rule.clone() } else { "the rest".to_owned() },
            release.settings.image.to_string(),
            side.state.clone(),
            words::thousands(side.requests),
            percent(side),
            latency(side.p50_ms),
            latency(side.p95_ms),
            latency(side.p99_ms),
        ]);
    }
    table.print(session.out);
    let since = words::ago(object.since, at.clock.now());
    session.out.say(&format!("counted since the canary began, {since}; latencies of the last minute"));
    session.out.say(&format!(
        "`once promote {0}` makes release {1} the serving one, `once abort {0}` takes it away",
        view.record.name, object.release
    ));
    Ok(0)
}

fn percent(side: &SideObject) -> String {
    format!("{} ({:.1}%)", words::thousands(side.errors), side.error_percent)
}

fn none(view: &AppView) -> Problem {
    let name = &view.record.name;
    Problem::rejected("no-canary", format!("{name} has no canary"))
        .hint(format!("`once deploy IMAGE --name {name} --canary 10%` tries a release out on some of the requests"))
}

/// What `--canary` and `--share` take.
pub(crate) fn rule(text: &str) -> Result<CanaryRule, Problem> {
    text.parse().map_err(|reason| {
        Problem::rejected(
            "invalid-canary",
            format!("`{}` says of no requests that they are the canary's: {reason}", text.escape_debug()),
        )
    })
}

pub(crate) async fn promote(session: &mut Session<'_>, args: &AppWaitArgs) -> Answer {
    run(session, Ask::Promote { app: selector(&args.app) }, args.wait.wait).await
}

pub(crate) async fn abort(session: &mut Session<'_>, args: &AppWaitArgs) -> Answer {
    run(session, Ask::Abort { app: selector(&args.app) }, args.wait.wait).await
}

async fn run(session: &mut Session<'_>, ask: Ask, wait: u64) -> Answer {
    Ok(change::run(session, ask, wait).await?.finished.outcome.exit_code())
}
