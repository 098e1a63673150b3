//! `teardown`: everything of this namespace, and nothing of another.

use std::time::Duration;

use futures_util::future::join_all;

use crate::args::ConfirmDataArgs;
use crate::confirm::{Answer as Typed, confirm};
use crate::report;
use crate::session::Session;
use once_app::engine::{Container, EngineError, Role, Volume};
use once_app::event::Outcome;
use once_app::ledger::AppRecord;
use once_app::proxy::Activity;
use once_app::{Installation, Problem};
use once_text::words;

use super::Answer;

/// Between SIGTERM and SIGKILL: the engine's own default.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) async fn teardown(session: &mut Session<'_>, args: &ConfirmDataArgs) -> Answer {
    let at = session.installation().await?;
    let containers = at.engine.containers(&at.namespace).await?;
    let volumes = at.engine.volumes(&at.namespace).await?;
    let network = is_ours(&at).await?;
    if containers.is_empty() && !network && (volumes.is_empty() || !args.data) {
        return end(session, &at, Outcome::Unchanged, "there is nothing to take down");
    }
    not_while_changing(session, &at, &containers).await?;
    let consequence = consequence(&at, &containers, &volumes, args.data).await?;
    confirm(session.out, args.confirm.yes, &consequence, &Typed::Word(at.namespace.as_str()))?;

    note(session, &at, &consequence).await;
    let records = put_away(session, &at, &containers).await?;
    take_down(session, &at, &containers).await?;
    if network {
        remove_network(session, &at).await?;
    }
    if args.data {
        for volume in &volumes {
            at.engine.remove_volume(&volume.name).await?;
            session.out.say(&format!("removed the volume {}", volume.name));
        }
        remove_owned(session, &at, &records).await?;
    } else if !volumes.is_empty() {
        let names: Vec<_> = volumes.iter().map(|v| v.name.clone()).collect();
        session.out.say(&format!("kept: {}", words::listed(&names)));
        let apps: Vec<_> = records.iter().map(|r| r.name.to_string()).collect();
        if !apps.is_empty() {
            session.out.say(&format!(
                "the apps {} do not come back by themselves: `once rollback APP` brings one back as it was, once a deploy has \
                 made a proxy again",
                words::listed(&apps)
            ));
        }
    }
    end(session, &at, Outcome::Updated, "taken down")
}

/// The apps as the ledger has them; from here on they are removed ones whose data is kept. A proxy that does not answer
/// is no reason why its namespace could not be taken down.
async fn put_away(
    session: &mut Session<'_>,
    at: &Installation,
    containers: &[Container],
) -> Result<Vec<AppRecord>, Problem> {
    if !containers.iter().any(|c| c.running && is_proxy_of(&&c)) {
        return Ok(Vec::new());
    }
    let Ok(Some((proxy, snapshot))) = session.proxy(at).await else {
        session.out.say("the proxy does not answer: it goes on taking its apps for running ones");
        return Ok(Vec::new());
    };
    once_app::put_away(at, &*proxy, &snapshot.apps, &session.caller()).await?;
    Ok(proxy.snapshot().await?.apps)
}

/// Volumes without labels that are the apps' own all the same.
async fn remove_owned(session: &mut Session<'_>, at: &Installation, records: &[AppRecord]) -> Result<(), Problem> {
    for volume in records.iter().flat_map(|record| &record.owned_volumes) {
        match at.engine.remove_volume(&volume.name).await {
            Ok(()) => session.out.say(&format!("removed the volume {}", volume.name)),
            Err(EngineError::Conflict { .. }) => {
                session.out.say(&format!("kept: {}, which a container of others uses", volume.name));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether the namespace's network is there and was made by us: ONCE's has the same name.
async fn is_ours(at: &Installation) -> Result<bool, Problem> {
    let labels = at.engine.network_labels(&at.namespace.network()).await?;
    Ok(labels.is_some_and(|labels| labels.get("once.namespace").map(String::as_str) == Some(at.namespace.as_str())))
}

/// Others may have joined it, ONCE among them, which uses a network of this name where it finds one.
async fn remove_network(session: &mut Session<'_>, at: &Installation) -> Result<(), Problem> {
    let name = at.namespace.network();
    match at.engine.remove_network(&name).await {
        Err(EngineError::Conflict { .. }) => {
            session.out.say(&format!("kept the network {name}: containers of others are in it"));
            Ok(())
        }
        removed => Ok(removed?),
    }
}

/// Into the audit log, which stays where the data does, and so to a web hook, while there is a proxy to tell it. It is no
/// reason to fail.
async fn note(session: &Session<'_>, at: &Installation, consequence: &str) {
    let Ok(Some((proxy, _))) = session.proxy(at).await else { return };
    let (by, outcome) = (session.caller(), Outcome::Updated.to_string());
    let text = format!("teardown: {consequence}");
    let activity = Activity { at: at.clock.now(), by, app: None, op: None, outcome, text };
    if let Err(error) = proxy.record_activity(activity).await {
        tracing::warn!(%error, "the audit log was not written");
    }
}

/// Apps first and all at once, then what led to them.
async fn take_down(session: &mut Session<'_>, at: &Installation, containers: &[Container]) -> Result<(), Problem> {
    let is_proxy = |c: &&Container| c.identity.as_ref().is_some_and(|i| i.role == Role::Proxy);
    let (proxies, others): (Vec<_>, Vec<_>) = containers.iter().partition(is_proxy);
    for group in [others, proxies] {
        let gone = group.iter().map(|c| async {
            at.engine.stop(&c.id, GRACE).await?;
            at.engine.remove(&c.id).await
        });
        for (container, gone) in group.iter().zip(join_all(gone).await) {
            gone?;
            session.out.say(&format!("removed the container {}", container.name));
        }
        for proxy in group.iter().filter(is_proxy_of) {
            at.engine.remove_image(&proxy.image_id).await?;
        }
    }
    Ok(())
}

fn is_proxy_of(container: &&&Container) -> bool {
    container.identity.as_ref().is_some_and(|i| i.role == Role::Proxy)
}

/// Somebody's deploy is not pulled away from under them.
async fn not_while_changing(session: &Session<'_>, at: &Installation, containers: &[Container]) -> Result<(), Problem> {
    let proxy_runs = containers.iter().any(|c| c.running && c.identity.as_ref().is_some_and(|i| i.role == Role::Proxy));
    if !proxy_runs {
        return Ok(());
    }
    // A proxy that does not answer must not be a reason why it cannot be removed.
    let Ok(Some((_, snapshot))) = session.proxy(at).await else { return Ok(()) };
    let Some(lock) = snapshot.locks.first() else { return Ok(()) };
    let message = format!("{} is locked by {} on {} (`{}`)", lock.app, lock.by.user, lock.by.host, lock.by.command);
    Err(Problem::new(Outcome::Locked, "locked", message).hint(match lock.op {
        Some(_) => format!("`once watch {}` shows when it is done", lock.app),
        None => format!("`once unlock {}` lifts it", lock.app),
    }))
}

async fn consequence(
    at: &Installation,
    containers: &[Container],
    volumes: &[Volume],
    data: bool,
) -> Result<String, Problem> {
    let engine = at.engine.info().await?.name;
    let containers = words::count(containers.len(), "container", "containers");
    let volumes = words::count(volumes.len(), "volume", "volumes");
    let data = match data {
        true => format!("{volumes} with all data and history too, for ever"),
        false => format!("{volumes} with the data stay"),
    };
    Ok(format!("everything in the namespace `{}` on {engine} goes: {containers}; {data}", at.namespace))
}

fn end(session: &mut Session<'_>, at: &Installation, outcome: Outcome, word: &str) -> Answer {
    if session.out.is_json() {
        session.out.object(&report::done(outcome, None));
    }
    session.out.say(&format!("namespace `{}`: {word}", at.namespace));
    Ok(outcome.exit_code())
}
