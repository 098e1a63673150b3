//! What comes in from the engine, the proxy, the clock and changes under way.

use std::collections::HashMap;
use std::time::Duration;

use once_app::engine::{HostUsage, Usage};
use once_app::event::Event;
use once_app::proxy::Snapshot;
use once_app::{AppName, Problem, views};

use super::super::format::since;
use super::super::model::{AppView, Link, Model, RowKey, Seen, Stage, Tab};
use super::super::msg::{Effect, Inspect, LogRequest, Msg};
use super::keys::notice;
use super::nav;

/// How often the selected app's container and health path are looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Problems kept for looking at.
const PROBLEMS: usize = 50;

pub(super) fn take(m: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Tick(now) => {
            m.now = now;
            m.notice.take_if(|(_, until)| *until <= now);
        }
        Msg::EngineUp(info) => {
            m.engine = Link::Up;
            m.engine_info = Some(*info);
        }
        Msg::EngineDown(reason, retry_at) => m.engine = Link::Down { reason: Box::new(reason), retry_at },
        Msg::Containers(containers) => {
            m.containers = containers;
            m.containers_known = true;
            let known = |id: &String| m.containers.iter().any(|c| &c.id == id);
            m.usage.retain(|id, _| known(id));
            join(m);
        }
        Msg::Ports(ports) => m.ports = ports,
        Msg::ProxyAbsent => {
            m.proxy = Link::Absent;
            m.snapshot = None;
            m.apps.clear();
            m.locks.clear();
        }
        Msg::ProxyDown(reason, retry_at) => m.proxy = Link::Down { reason: Box::new(reason), retry_at },
        Msg::Snapshot(snapshot) => return snapshot_taken(m, *snapshot),
        Msg::Usage(by_container, host) => usage(m, &by_container, host),
        Msg::Detail(id, detail) => m.settled.container = detail.map(|d| (id, *d)),
        Msg::Traffic(app, report) => m.settled.traffic = Some((app, report)),
        Msg::Health(app, answer) => m.settled.health = Some((app, answer)),
        Msg::Log(generation, lines) => {
            if generation == m.logs.generation {
                m.logs.push(lines);
            }
        }
        Msg::LogEnded(generation, problem) => {
            if generation == m.logs.generation {
                m.logs.ended = Some(problem.map_or_else(|| "the log ends here".into(), |p| p.message));
            }
        }
        Msg::Progress(envelope) => {
            let finished = matches!(envelope.event, Event::Finished(_));
            m.deploys.fold(&envelope);
            if let Some(view) = m.settled.made_by.as_mut().filter(|view| view.op == envelope.op) {
                view.fold(&envelope);
            }
            planned(m, &envelope.op, finished);
            if finished {
                // The list shows the outcome; what the host remembers follows with the next snapshot.
                nav::keep_in_view(m);
            }
        }
        Msg::Lost(op, problem) => {
            m.deploys.lost(&op, problem.clone());
            let planning = m.form.as_mut().filter(|f| f.stage == Stage::Planning(op.clone()));
            match planning {
                Some(form) => form.stage = Stage::Refused(Box::new(problem)),
                None => report(m, problem),
            }
        }
        Msg::History(app, releases) => m.settled.history = Some((app, releases)),
        Msg::Locked(Ok(text)) => notice(m, text),
        Msg::Locked(Err(problem)) => report(m, problem),
        Msg::Found(finding) => m.host_view.found(*finding),
        Msg::Examined(answer) => m.host_view.take(m.now, answer.map(|examined| *examined)),
        Msg::Activity(entries) => m.activity = Some(entries),
        Msg::Problem(problem) => report(m, problem),
        Msg::Typed(_) | Msg::Resize(..) | Msg::Painted(_) => {}
    }
    Vec::new()
}

/// A problem stays until it was looked at; the same one again only renews it.
pub(super) fn report(m: &mut Model, problem: Problem) {
    m.problems.retain(|p| p.problem != problem);
    m.problems.push(Seen { problem, at: m.now, seen: false });
    let surplus = m.problems.len().saturating_sub(PROBLEMS);
    m.problems.drain(..surplus);
}

fn snapshot_taken(m: &mut Model, snapshot: Snapshot) -> Vec<Effect> {
    m.proxy = Link::Up;
    m.proxy_info = Some(snapshot.info.clone());
    m.locks.clone_from(&snapshot.locks);
    let ops = snapshot.ops.clone();
    m.snapshot = Some(Box::new(snapshot));
    join(m);
    let now = m.now;
    let mut effects = Vec::new();
    m.told = ops.iter().filter(|op| op.finished).map(|op| op.op.clone()).collect();
    for op in ops {
        // Ended changes of others are only of interest while their report may be asked for.
        let recent = since(now, op.started_at) < Duration::from_secs(3600);
        if (!op.finished || recent) && m.deploys.found(&op.op, &op.app, op.started_at) {
            effects.push(Effect::Follow(op.op, 0));
        } else if let Some(watched) = m.deploys.get(&op.op)
            && watched.lost.is_some()
        {
            effects.push(Effect::Follow(op.op, watched.view.next_seq));
        }
    }
    effects
}

/// Marks another row where the marked one is gone.
pub(super) fn settle(m: &mut Model) {
    let rows = m.rows();
    if m.selected.as_ref().is_none_or(|s| !rows.contains(s)) {
        m.selected = successor(m, &rows);
    }
}

/// The row that takes the place of one that went: the app a first deploy became, else the first.
fn successor(m: &Model, rows: &[RowKey]) -> Option<RowKey> {
    let born = match &m.selected {
        Some(RowKey::Birth(op)) => m.deploys.get(op).and_then(|w| w.view.app.clone()).map(RowKey::App),
        _ => None,
    };
    born.filter(|key| rows.contains(key)).or_else(|| rows.first().cloned())
}

/// Brings together what proxy and engine said last.
fn join(m: &mut Model) {
    let Some(snapshot) = &m.snapshot else { return };
    let current = m.engine.is_up() && m.containers_known;
    // A first deploy under way is no app yet, but a row of its own.
    let begins = |app: &AppView| {
        app.record.releases.is_empty() && snapshot.locks.iter().any(|l| l.app == app.record.name && l.op.is_some())
    };
    let apps = views(&m.containers, current, snapshot).into_iter().filter(|app| !begins(app));
    m.apps = apps.map(|app| (app.record.name.clone(), app)).collect();
}

fn usage(m: &mut Model, by_container: &HashMap<String, Usage>, host: Option<HostUsage>) {
    for (id, usage) in by_container {
        m.usage.entry(id.clone()).or_default().push(usage);
    }
    if let Some(host) = host {
        m.host_cpu.push(host.cpu);
        m.host = Some(host);
    }
}

/// A form whose dry run has answered shows its plan, or why there is none.
fn planned(m: &mut Model, op: &once_app::OpId, finished: bool) {
    let Some(form) = m.form.as_mut().filter(|f| finished && f.stage == Stage::Planning(op.clone())) else { return };
    let Some(watched) = m.deploys.get(op) else { return };
    let problem = watched.view.finished.as_ref().and_then(|f| f.problem.clone());
    form.stage = match (&watched.view.plan, problem) {
        (_, Some(problem)) => Stage::Refused(Box::new(problem)),
        (Some(plan), None) => Stage::Review(Box::new(plan.clone())),
        (None, None) => Stage::Refused(Box::new(Problem::new(
            once_app::event::Outcome::Internal,
            "no-plan",
            "the dry run ended without a plan",
        ))),
    };
}

/// Reads more about the selected app: its container and health now and then, its log while that is shown.
pub(super) fn look_closer(m: &mut Model) -> Vec<Effect> {
    let mut effects = Vec::new();
    let Some(app) = m.app() else { return effects };
    let (name, id) = (app.name().clone(), app.record.id.clone());
    let container = app.container.clone();
    if let (Some(container), Some(release), Some(settings)) = (&container, app.release(), app.settings()) {
        let due =
            m.settled.asked.as_ref().is_none_or(|(at, id)| id != &container.id || since(m.now, *at) >= LOOK_EVERY);
        if due && m.engine.is_up() && m.tab == Tab::Overview {
            effects.push(Effect::Inspect(Inspect {
                app: name.clone(),
                container: container.id.clone(),
                address: release.address(),
                path: settings.health_path.clone(),
                host: settings.primary_host().clone(),
                upstream: settings.web.upstream,
            }));
            m.settled.asked = Some((m.now, container.id.clone()));
        }
    }
    if m.tab == Tab::Traffic {
        let due =
            m.settled.traffic_asked.as_ref().is_none_or(|(at, of)| *of != name || since(m.now, *at) >= LOOK_EVERY);
        if due && matches!(m.proxy, Link::Up) {
            m.settled.traffic_asked = Some((m.now, name.clone()));
            effects.push(Effect::Traffic(name.clone(), id.clone()));
        }
    }
    if m.tab == Tab::Releases && m.proxy.is_up() {
        let revision = m.app().map_or(0, |app| app.record.revision);
        let failed = matches!(&m.settled.history, Some((_, Err(_))));
        let known = |(at, of, at_revision): &(_, AppName, u64)| {
            *of == name && *at_revision == revision && !(failed && since(m.now, *at) >= LOOK_EVERY)
        };
        if !m.settled.history_asked.as_ref().is_some_and(known) {
            m.settled.history_asked = Some((m.now, name.clone(), revision));
            effects.push(Effect::History(name.clone(), id.clone()));
        }
    }
    if m.tab == Tab::Logs {
        effects.extend(read_log(m, &name));
    }
    effects
}

/// Its containers come and go below it: the log goes on.
fn read_log(m: &mut Model, app: &AppName) -> Option<Effect> {
    if m.logs.is_on(app) {
        return None;
    }
    let source = m.logs.source;
    let generation = m.logs.open(app, source);
    Some(Effect::Logs(LogRequest { generation, app: app.clone(), source }))
}
