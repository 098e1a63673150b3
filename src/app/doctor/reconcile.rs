//! Three lists laid beside each other: containers, the ledger (whose records are the routes) and volumes. What does not
//! fit is a [`Finding`]; nothing is ever removed by itself. Pure.

use super::finding::{Finding, Fix, Kind};
use crate::host::inventory::{AppView, Inventory};
use crate::host::standing::{AppState, Reason};
use crate::import::proxy_of_tool;
use crate::ledger::AppRecord;
use crate::model::name::{AppId, AppName, Namespace};
use crate::plan::fingerprint::has_data;
use crate::plan::naming::names;
use crate::plan::volumes;
use crate::ports::engine::{Container, Role, Volume};
use crate::settings::label;

/// From so many containers without a record on, it is the record that is missing, not the containers that are too many.
const MASS: usize = 3;

/// Labels by which other tools mark web apps: ONCE's and Kamal's.
const FOREIGN_LABELS: [(&str, &str); 2] = [("once", "ONCE"), ("service", "Kamal")];

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Whose things.
    pub namespace: &'a Namespace,
    /// Records, routes and their containers.
    pub inventory: &'a Inventory,
    /// All containers of the engine.
    pub containers: &'a [Container],
    /// The namespace's volumes.
    pub volumes: &'a [Volume],
}

/// Everything that does not fit, worst first. The same lists give the same findings, whatever their order.
#[must_use]
pub fn reconcile(sight: Sight<'_>) -> Vec<Finding> {
    let mut found = apps(sight);
    found.extend(lost_volumes(sight));
    found.extend(lost_declared(sight));
    found.extend(unowned(sight));
    found.extend(set_aside(sight));
    found.extend(values_in_labels(sight));
    found.extend(foreign(sight));
    found.sort_by(Finding::worst_first);
    found.dedup();
    found
}

fn apps(sight: Sight<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &sight.inventory.apps {
        let (record, name) = (&app.record, &app.record.name);
        let Some(release) = record.serving_release() else {
            if app.standing.state == AppState::Empty {
                found.push(
                    Finding::problem(
                        Kind::Abandoned,
                        name.as_str(),
                        format!("{name} never served"),
                        "its first deploy ended before anything was switched",
                    )
                    .of(name)
                    .mend(format!("once remove {name}")),
                );
            }
            continue;
        };
        if app.standing.state == AppState::Abandoned {
            let what = format!("a change of {name} was left behind by a process that died");
            found.push(
                Finding::problem(Kind::Abandoned, name.as_str(), what, "a candidate may still run beside what serves")
                    .of(name)
                    .mend("once doctor --fix")
                    .fix(Fix::Tidy { app: name.clone() }),
            );
        }
        found.extend(dead_canary(app));
        found.extend(failing(app));
        match &app.container {
            None if app.standing.state != AppState::Changing => {
                let what =
                    format!("release {} of {name} serves by the ledger, and its container is gone", release.number);
                found.push(
                    Finding::problem(Kind::Ghost, &release.container, what, "visitors get errors")
                        .of(name)
                        .mend(format!("once restart {name}"))
                        .fix(Fix::Restart { app: name.clone() }),
                );
            }
            Some(container) if app.standing.state == AppState::Down && container.state == "restarting" => {
                let what = format!("{name} ends as soon as it was started, again and again ({})", container.status);
                let looping =
                    Finding::problem(Kind::RestartLoop, &container.name, what, "visitors get errors most of the time")
                        .of(name)
                        .mend(format!("once logs {name}"));
                found.push(or_back(looping, &app.record));
            }
            Some(container) if app.standing.state == AppState::Down => {
                let what = format!("{name} should run, and its container {}", how_it_is(container));
                found.push(
                    Finding::problem(Kind::Down, &container.name, what, "visitors get errors")
                        .of(name)
                        .mend(format!("once start {name}"))
                        .fix(Fix::Start { app: name.clone() }),
                );
            }
            _ => {}
        }
    }
    found
}

/// How a container is that does not run, in words.
fn how_it_is(container: &Container) -> String {
    match container.state.as_str() {
        "exited" | "dead" => {
            // The engine's list has the exit code in its words only; other words leave it out.
            let code = container.status.strip_prefix("Exited (").and_then(|rest| rest.split_once(')'));
            match code.and_then(|(code, _)| code.parse::<i64>().ok()) {
                Some(code) => format!("has ended, exit code {code}"),
                None => "has ended".to_owned(),
            }
        }
        "created" => "was never started".to_owned(),
        state => format!("is {state}"),
    }
}

/// It runs, and does not do its work.
fn failing(app: &AppView) -> Option<Finding> {
    let (name, container) = (&app.record.name, app.container.as_ref()?);
    let reason = app.standing.reason.as_ref().filter(|_| app.standing.state == AppState::Failing)?;
    let (what, why) = match reason {
        Reason::Unhealthy => (
            format!("{name} is unhealthy: {reason} ({})", container.status),
            "the app says itself that it does not work, whatever it answers",
        ),
        _ => (format!("{name} is failing: {reason}"), "visitors get errors"),
    };
    let found = Finding::problem(Kind::Failing, &container.name, what, why).of(name);
    Some(or_back(found.mend(format!("once logs {name}")), &app.record))
}

/// With a rollback as the last remedy, where there is a release to go back to.
pub(crate) fn or_back(found: Finding, record: &AppRecord) -> Finding {
    if record.can_roll_back() { found.mend(format!("once rollback {}", record.name)) } else { found }
}

/// A canary that takes no requests: they go to the serving release.
fn dead_canary(app: &AppView) -> Option<Finding> {
    let (record, name) = (&app.record, &app.record.name);
    let release = record.canary_release().filter(|_| app.standing.state != AppState::Changing)?;
    if app.canary.as_ref().is_some_and(|c| c.running && c.state != "restarting") {
        return None;
    }
    let serving = record.serving.map(|r| r.to_string()).unwrap_or_default();
    let what = format!("{name}'s canary, release {}, is down", release.number);
    let why = format!("release {serving} gets its requests, so nothing is being tried out");
    let found = Finding::problem(Kind::Down, &release.container, what, why).of(name);
    Some(found.mend(format!("once logs {name} --release {}", release.number)).mend(format!("once abort {name}")))
}

fn lost_volumes(sight: Sight<'_>) -> Vec<Finding> {
    let owned = |id: &AppId| {
        sight
            .volumes
            .iter()
            .any(|v| v.identity.as_ref().is_some_and(|i| i.role == Role::Data && i.id.as_ref() == Some(id)))
    };
    let served = sight.inventory.apps.iter().filter(|a| a.record.serving.is_some());
    let keeps = |a: &&AppView| a.record.settings().is_some_and(has_data);
    served
        .filter(|a| keeps(a) && !owned(&a.record.id))
        .map(|a| {
            let name = &a.record.name;
            let volume = sight.namespace.volume(a.record.volumes_of(), None);
            let what = format!("the data volume of {name} is not there");
            let why = "what the app kept is gone, or is in a volume that carries another app's labels";
            Finding::problem(Kind::LostVolume, volume, what, why).of(name).mend("docker volume ls")
        })
        .collect()
}

/// Volumes of the serving release for paths that its image declares. Only those that we made are among the volumes that
/// are looked at: one without a name, and one that was taken over, carry no label of the namespace.
fn lost_declared(sight: Sight<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &sight.inventory.apps {
        let (record, name) = (&app.record, &app.record.name);
        let declared = record.serving_release().into_iter().flat_map(|release| &release.declared_volumes);
        for (path, volume) in declared {
            let ours = *volume == volumes::name(sight.namespace, record.volumes_of(), path);
            if !ours || sight.volumes.iter().any(|there| there.name == *volume) {
                continue;
            }
            let what = format!("the volume {volume}, in which {name} keeps {path}, is not there");
            let why = "what the app kept there is gone, and the next release begins with an empty volume";
            found.push(Finding::problem(Kind::LostVolume, volume, what, why).of(name).mend("docker volume ls"));
        }
    }
    found
}

/// Containers of ours that no release needs.
fn unowned(sight: Sight<'_>) -> Vec<Finding> {
    let mut orphans = Vec::new();
    let mut strays = Vec::new();
    for container in sight.containers {
        let Some(identity) = container.identity.as_ref().filter(|i| &i.namespace == sight.namespace) else { continue };
        if !matches!(identity.role, Role::Web | Role::Task) {
            continue;
        }
        let owner = identity.id.as_ref().and_then(|id| sight.inventory.apps.iter().find(|a| &a.record.id == id));
        match owner {
            Some(app) => {
                let needed = app.record.needs(&container.name);
                let changing = matches!(app.standing.state, AppState::Changing | AppState::Abandoned);
                if !needed && !changing {
                    strays.push(stray(container, &app.record.name));
                }
            }
            None if container.running && identity.role == Role::Web => {
                let known = identity.id.as_ref().and_then(|id| names(id, sight.containers, sight.volumes));
                orphans.push((container, known.map(|n| n.name).or_else(|| identity.app.clone())));
            }
            None => strays.push(left_over(container)),
        }
    }
    if orphans.len() >= MASS && orphans.len() > sight.inventory.apps.len() {
        strays.push(lost_state(&orphans, sight));
    }
    strays.extend(orphans.into_iter().map(|(container, app)| orphan(container, app.as_ref())));
    strays
}

fn stray(container: &Container, app: &AppName) -> Finding {
    let what = format!("no release of {app} needs the container {} ({})", container.name, container.state);
    Finding::problem(Kind::Stray, &container.name, what, "it takes memory and may write to the app's data")
        .of(app)
        .mend("once doctor --fix")
        .mend(format!("docker rm -f {}", container.name))
        .fix(Fix::Tidy { app: app.clone() })
}

fn left_over(container: &Container) -> Finding {
    let what = format!("the container {} belongs to an app that is not there ({})", container.name, container.state);
    Finding::problem(Kind::Stray, &container.name, what, "it takes room, and its name")
        .mend(format!("docker rm {}", container.name))
}

fn orphan(container: &Container, app: Option<&AppName>) -> Finding {
    let named = app.map_or_else(|| "an app".to_owned(), |name| format!("the app {name}"));
    let what = format!("the container {} runs for {named}, which the ledger does not know", container.name);
    let found =
        Finding::problem(Kind::Orphan, &container.name, what, "it runs, and nobody can deploy, stop or roll it back")
            .mend(format!("once adopt {}", container.name))
            .mend(format!("docker rm -f {}", container.name))
            .fix(Fix::Adopt { container: container.name.clone() });
    match app {
        Some(app) => found.of(app),
        None => found,
    }
}

fn lost_state(orphans: &[(&Container, Option<AppName>)], sight: Sight<'_>) -> Finding {
    let proxy = sight.inventory.proxy.as_ref().map_or_else(|| sight.namespace.proxy(), |c| c.name.clone());
    let what = format!(
        "{} containers of this namespace run and the ledger knows {}: the volume {} was lost or exchanged",
        orphans.len(),
        match sight.inventory.apps.len() {
            0 => "none of them".to_owned(),
            known => format!("only {known} apps"),
        },
        proxy
    );
    Finding::problem(Kind::LostState, proxy, what, "routes, history and locks are gone; the apps still run")
        .mend("once doctor --fix")
}

fn set_aside(sight: Sight<'_>) -> Vec<Finding> {
    let files = sight.inventory.snapshot.iter().flat_map(|s| &s.info.set_aside);
    files
        .map(|(file, why)| {
            let what = format!("the ledger's file {file} could not be read and was set aside: {why}");
            Finding::problem(Kind::SetAside, file, what, "one app lost its record; the others are not touched")
                .mend("once doctor --fix")
        })
        .collect()
}

/// Containers made before values were kept out of labels. Each app's next swap makes one without, and its older ones go
/// with their turn; nothing restarts for it.
fn values_in_labels(sight: Sight<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &sight.inventory.apps {
        let own = |c: &&Container| c.identity.as_ref().is_some_and(|i| i.id.as_ref() == Some(&app.record.id));
        let told = sight.containers.iter().filter(own).filter(|c| label::holds_values(&c.labels));
        let mut names: Vec<&str> = told.map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        let (Some(first), name) = (names.first(), &app.record.name) else { continue };
        let what = format!("values of variables of {name} stand in the label `once.settings` of {}", names.join(", "));
        let why = "whoever may list containers or follow the engine's events can read them; the next deploy that makes \
                   a new container writes none";
        let found_here = Finding::remark(Kind::LabelValues, *first, what, why).of(name);
        found.push(found_here.mend(format!("once restart {name}")));
    }
    found
}

/// Other people's containers that look like web apps: said, never touched.
fn foreign(sight: Sight<'_>) -> Vec<Finding> {
    let adopted = |c: &Container| sight.inventory.apps.iter().any(|a| a.record.has_adopted(&c.name));
    let others = sight.containers.iter().filter(|c| c.identity.is_none() && c.running && !adopted(c));
    others
        .filter_map(|c| {
            let tool = FOREIGN_LABELS.iter().find(|(label, _)| c.labels.contains_key(*label)).map(|(_, tool)| *tool);
            let web = c.ports.iter().any(|p| matches!(p, 80 | 443));
            let found = |what| Finding::remark(Kind::Foreign, &c.name, what, "it is not ours, and is left alone");
            if let Some(tool) = proxy_of_tool(c) {
                let what = format!("the container {} is the proxy of {tool}, and leads to its apps", c.name);
                return Some(
                    found(what)
                        .mend("once adopt --all --dry-run, to see what would come of taking its apps over")
                        .mend(format!("once proxy takeover {} --dry-run, once they are taken over", c.name)),
                );
            }
            let what = match (tool, web) {
                (Some(tool), _) => format!("the container {} was made by {tool}", c.name),
                (None, true) => format!("the container {} holds a web port of this host", c.name),
                (None, false) => return None,
            };
            let command = format!("once adopt {} --dry-run, to see what would come of taking it over", c.name);
            Some(found(what).mend(command))
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
