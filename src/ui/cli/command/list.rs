//! `list`: one call to the engine and one to the proxy, however many apps there are.

use std::collections::BTreeMap;

use crate::objects::AppObject;
use crate::session::{Session, caller};
use crate::table::Table;
use once_app::{AppView, Inventory, observe};
use once_app::{Installation, Problem};
use once_text::words;

use super::Answer;

pub(crate) async fn list(session: &mut Session<'_>) -> Answer {
    let at = session.installation().await?;
    let inventory = observe(&at).await?;
    if session.out.is_json() {
        for app in &inventory.apps {
            session.out.object(&AppObject::new(app, at.clock.now()));
        }
        return Ok(0);
    }
    if inventory.apps.is_empty() {
        say_empty(session, &at).await?;
        say_kept(session, &inventory);
        say_strays(session, &inventory);
        return Ok(0);
    }
    let now = at.clock.now();
    let mut table = Table::new(&["NAME", "STATE", "RELEASE", "IMAGE", "SINCE", "HOST"]);
    for app in &inventory.apps {
        let serving = app.record.serving_release();
        table.row([
            app.record.name.to_string(),
            state(app),
            release(app),
            serving.map_or_else(|| "-".into(), |r| r.settings.image.to_string()),
            serving.map_or_else(|| "-".into(), |r| words::ago(r.created_at, now)),
            hosts(app.record.settings().map(|s| s.hosts.as_slice()).unwrap_or_default()),
        ]);
    }
    table.print(session.out);
    say_kept(session, &inventory);
    say_strays(session, &inventory);
    Ok(0)
}

/// How it is with the reason in short, and whether somebody locked it on purpose.
pub(crate) fn state(app: &AppView) -> String {
    match &app.record.manual_lock {
        Some(lock) => format!("{}, locked by {}", app.standing, lock.by.user),
        None => app.standing.to_string(),
    }
}

/// `12`, or `12, 13: 10%` with a canary.
pub(crate) fn release(app: &AppView) -> String {
    let serving = app.record.serving.map_or_else(|| "-".into(), |r| r.to_string());
    match &app.record.canary {
        Some(canary) => format!("{serving}, {}: {}", canary.release.number, canary.rule),
        None => serving,
    }
}

fn hosts(hosts: &[once_app::Hostname]) -> String {
    match hosts {
        [] => "-".into(),
        [one] => one.to_string(),
        [first, more @ ..] => format!("{first} +{}", more.len()),
    }
}

/// Apps that were removed and whose data is kept.
fn say_kept(session: &mut Session<'_>, inventory: &Inventory) {
    let records = inventory.snapshot.iter().flat_map(|snapshot| &snapshot.apps);
    let names: Vec<_> = records.filter(|r| !r.is_live()).map(|r| r.name.to_string()).collect();
    if !names.is_empty() {
        session.out.say(&format!(
            "removed, their data kept: {}; `once rollback APP` brings one back, `once remove APP --data` lets it go",
            words::listed(&names)
        ));
    }
}

fn say_strays(session: &mut Session<'_>, inventory: &Inventory) {
    if !inventory.strays.is_empty() {
        let names: Vec<_> = inventory.strays.iter().map(|c| c.name.clone()).collect();
        session.out.say(&format!("containers that no app knows: {}", words::listed(&names)));
    }
}

/// Which engine was asked, as whom, and where else there are apps.
pub(crate) async fn say_empty(session: &mut Session<'_>, at: &Installation) -> Result<(), Problem> {
    let info = at.engine.info().await?;
    session.out.say(&format!(
        "no apps in the namespace `{}` on {} (Docker {} at {}), asked as {}",
        at.namespace,
        info.name,
        info.version,
        info.address,
        caller("list").user
    ));
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    for container in at.engine.all_containers().await? {
        let Some(identity) = container.identity else { continue };
        if identity.namespace != at.namespace && identity.app.is_some() {
            *others.entry(identity.namespace.to_string()).or_default() += 1;
        }
    }
    if others.is_empty() {
        session.out.say("`once deploy IMAGE --host HOST` makes the first one");
    } else {
        let names: Vec<_> = others.into_keys().map(|n| format!("`{n}`")).collect();
        session.out.say(&format!("apps are in: {}; `--namespace` names one", words::listed(&names)));
    }
    Ok(())
}
