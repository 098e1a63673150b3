//! `status`: is all well? Exits 10 when somebody should look.

use std::time::Duration;

use crate::args::StatusArgs;
use crate::certificates;
use crate::change::Signals;
use crate::objects::AppObject;
use crate::session::{Session, no_such_app};
use crate::table::Table;
use once_app::engine::Volume;
use once_app::{AppView, Finding, Installation, Inventory, Problem, Severity, Sight, observe, reconcile};
use once_text::words;

use super::{Answer, FINDINGS};

/// How often a watch looks.
const EVERY: Duration = Duration::from_secs(2);

pub(crate) async fn status(session: &mut Session<'_>, args: &StatusArgs) -> Answer {
    let at = session.installation().await?;
    let (apps, findings) = look(&at, args.app.as_deref()).await?;
    if args.watch {
        return watch(session, &at, args.app.as_deref(), apps, findings).await;
    }
    if session.out.is_json() {
        for app in &apps {
            session.out.object(&AppObject::new(app, at.clock.now()));
        }
    } else if apps.is_empty() && findings.is_empty() {
        super::list::say_empty(session, &at).await?;
    } else {
        print(session, &apps);
    }
    if !session.out.is_json() {
        let engine = at.engine.info().await?;
        session.out.say(&format!("engine {} at {}, ID {}", engine.name, engine.address, engine.id));
    }
    for finding in &findings {
        session.out.tell(&format!("finding: {}", once_text::sanitize::line(finding)));
    }
    if !findings.is_empty() {
        session.out.say("`once doctor` says what to do about it");
    }
    Ok(if findings.is_empty() { 0 } else { FINDINGS })
}

fn print(session: &mut Session<'_>, apps: &[AppView]) {
    let mut table = Table::new(&["NAME", "STATE", "REQ/S", "P50", "P95", "REQUESTS", "FAILED", "IN FLIGHT", "RELEASE"]);
    let latency = |ms: Option<f64>| ms.map_or_else(|| "-".into(), words::latency);
    for app in apps {
        let t = &app.traffic;
        let in_flight: u64 = t.in_flight.iter().map(|f| f.requests + f.upgraded).sum();
        table.row([
            app.record.name.to_string(),
            super::list::state(app),
            format!("{:.1}", t.rate),
            latency(t.p50_ms),
            latency(t.p95_ms),
            words::thousands(t.requests),
            words::thousands(t.failed),
            in_flight.to_string(),
            super::list::release(app),
        ]);
    }
    table.print(session.out);
}

async fn look(at: &Installation, only: Option<&str>) -> Result<(Vec<AppView>, Vec<String>), Problem> {
    let volumes = async { Ok(at.engine.volumes(&at.namespace).await?) };
    let (inventory, volumes) = tokio::try_join!(observe(at), volumes)?;
    let apps = match only {
        None => inventory.apps.clone(),
        Some(text) => match inventory.find(text) {
            Some(app) => vec![app.clone()],
            None => {
                let records: Vec<_> = inventory.apps.iter().map(|a| a.record.clone()).collect();
                return Err(no_such_app(text, at, &records));
            }
        },
    };
    let findings = look_closer(at, &inventory, &volumes);
    let of_these = |f: &&Finding| only.is_none() || apps.iter().any(|a| f.app.as_ref() == Some(&a.record.name));
    let mut findings: Vec<String> = findings.iter().filter(of_these).map(|f| f.what.clone()).collect();
    let now = at.clock.now();
    findings.extend(apps.iter().flat_map(|a| &a.certificates).filter_map(|c| certificates::finding(c, now)));
    Ok((apps, findings))
}

/// What does not fit together here. `doctor` looks at more, and says what to do.
fn look_closer(at: &Installation, inventory: &Inventory, volumes: &[Volume]) -> Vec<Finding> {
    let sight = Sight { namespace: &at.namespace, inventory, containers: &inventory.containers, volumes };
    reconcile(sight).into_iter().filter(|f| f.severity == Severity::Problem).collect()
}

/// What a person would call a change: not the numbers, which always move.
fn gist(app: &AppView) -> String {
    let release = app.record.serving.map_or_else(|| "no release".into(), |r| format!("release {r}"));
    let canary = app.record.canary.as_ref().map(|c| format!(", canary release {} ({})", c.release.number, c.rule));
    format!("{} {}, {release}{}", app.record.name, app.standing.state, canary.unwrap_or_default())
}

/// Plain lines, also for screen readers: how things stand, then one line whenever something changes.
async fn watch(
    session: &mut Session<'_>,
    at: &Installation,
    only: Option<&str>,
    mut apps: Vec<AppView>,
    mut findings: Vec<String>,
) -> Answer {
    let mut signals = Signals::new()?;
    let mut before: Vec<AppView> = Vec::new();
    let mut unreachable = None;
    loop {
        for app in &apps {
            let known = before.iter().any(|b| gist(b) == gist(app));
            if known {
                continue;
            }
            if session.out.is_json() {
                session.out.object(&AppObject::new(app, at.clock.now()));
            } else {
                let why = app.standing.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                let (rate, failed) = (app.traffic.rate, app.traffic.failed);
                let line = format!("{}{why}, {rate:.1} requests/s, {failed} failed", gist(app));
                session.out.data(&line);
            }
        }
        for gone in before.iter().filter(|b| !apps.iter().any(|a| a.record.id == b.record.id)) {
            session.out.say(&format!("{} is gone", gone.record.name));
        }
        if session.out.is_broken() {
            return Ok(0);
        }
        before = apps;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = signals.next() => return Ok(if findings.is_empty() { 0 } else { FINDINGS }),
        }
        match look(at, only).await {
            Ok(seen) => {
                if unreachable.take().is_some() {
                    session.out.tell("reachable again");
                }
                (apps, findings) = seen;
            }
            Err(problem) => {
                // The last answer stays; a list that could not be read is no empty list.
                if unreachable.as_ref() != Some(&problem.message) {
                    session.out.tell(&format!("not reachable: {}", problem.message));
                    unreachable = Some(problem.message);
                }
                apps = before.clone();
            }
        }
    }
}
