//! `proxy status` and `routes`.

use serde_json::json;

use crate::certificates::told;
use crate::objects::RouteObject;
use crate::output::{STRONG, styled};
use crate::session::Session;
use crate::table::Table;
use once_app::RouteState;
use once_app::engine::ContainerDetail;
use once_app::event::Outcome;
use once_app::proxy::{ProxyError, ProxyProcesses};
use once_app::{Installation, Problem};
use once_text::words;

use super::{Answer, FINDINGS};

pub(super) async fn container(at: &Installation) -> Result<ContainerDetail, Problem> {
    let found = match at.proxy_container().await? {
        Some(found) => at.engine.container(&found.id).await?,
        None => None,
    };
    found.ok_or_else(|| {
        let message = format!("the namespace `{}` has no proxy on this engine", at.namespace);
        Problem::new(Outcome::Environment, "no-proxy", message).hint("the first `once deploy` makes it")
    })
}

pub(crate) async fn status(session: &mut Session<'_>) -> Answer {
    let at = session.installation().await?;
    let container = container(&at).await?;
    let mut ports: Vec<String> = container.ports.values().map(ToString::to_string).collect();
    ports.sort();
    let (info, processes, certificates) = match container.running {
        true => {
            let proxy = at.link.connect(&container.name).await?;
            let processes = match proxy.processes().await {
                // One from before there was more than one.
                Err(ProxyError::Failed { .. }) => ProxyProcesses::default(),
                processes => processes?,
            };
            let snapshot = proxy.snapshot().await?;
            (Some(snapshot.info), processes, snapshot.certificates)
        }
        false => (None, ProxyProcesses::default(), Vec::new()),
    };
    let well = info.as_ref().is_some_and(|i| i.set_aside.is_empty() && i.untold.is_none()) && processes.note.is_none();
    if session.out.is_json() {
        session.out.object(&json!({
            "container": container.name, "running": container.running, "restarts": container.restarts,
            "ports": container.ports.values().collect::<Vec<_>>(), "exit_code": container.exit_code,
            "version": info.as_ref().map(|i| &i.version), "protocol": info.as_ref().map(|i| i.protocol),
            "instance": info.as_ref().map(|i| &i.instance), "started_at": info.as_ref().map(|i| i.started_at),
            "memory": info.as_ref().map(|i| i.memory), "set_aside": info.as_ref().map(|i| &i.set_aside),
            "untold": info.as_ref().and_then(|i| i.untold.as_ref()),
            "certificates": certificates,
            "supervisor": processes.supervisor, "note": processes.note, "workers": processes.workers,
        }));
        return Ok(if well { 0 } else { FINDINGS });
    }
    let mut pairs = vec![
        ("container", container.name.clone()),
        ("ports", ports.join(", ")),
        ("restarts", container.restarts.to_string()),
    ];
    match &info {
        Some(info) => pairs.extend([
            ("state", "running".to_owned()),
            ("version", format!("{}, protocol {}", info.version, info.protocol)),
            ("since", words::ago(info.started_at, at.clock.now())),
            ("memory", words::bytes(info.memory)),
        ]),
        None => pairs.push(("state", format!("stopped, exit code {}", container.exit_code.unwrap_or_default()))),
    }
    for worker in &processes.workers {
        let what = if worker.serving { "serves" } else { "relieved, finishes what it has" };
        let under_way = format!("{} requests and {} upgraded connections under way", worker.requests, worker.upgraded);
        let (version, hash) = (&worker.version, super::proxy_upgrade::short(&worker.hash));
        let since = words::ago(worker.started_at, at.clock.now());
        pairs.push(("worker", format!("{version} ({hash}), since {since}, {what}; {under_way}")));
    }
    pairs.extend(processes.note.iter().map(|note| ("note", note.clone())));
    let aside = info.iter().flat_map(|i| &i.set_aside).map(|(file, why)| ("set aside", format!("{file}: {why}")));
    pairs.extend(aside);
    pairs.extend(info.iter().filter_map(|i| Some(("web hook", i.untold.as_ref()?.to_string()))));
    pairs.extend(certificates.iter().map(|view| ("TLS", told(view, at.clock.now()))));
    for (label, value) in &pairs {
        let label = styled(STRONG, &format!("{label:<10}"));
        session.out.data(&format!("{label} {}", once_text::sanitize::line(value)));
    }
    Ok(if well { 0 } else { FINDINGS })
}

pub(crate) async fn routes(session: &mut Session<'_>) -> Answer {
    let at = session.installation().await?;
    container(&at).await?;
    let apps = session.proxy(&at).await?.map(|(_, snapshot)| snapshot.apps).unwrap_or_default();
    let mut routes = Vec::new();
    for route in apps.iter().filter_map(once_app::ledger::AppRecord::route) {
        routes.extend(route.hosts.iter().map(|host| RouteObject {
            host: host.to_string(),
            path_prefix: route.path_prefix.as_ref().map(ToString::to_string),
            app: route.name.to_string(),
            release: route.target.release.0,
            address: route.target.address.clone(),
            serving: route.state == RouteState::Serving,
            state: match route.state {
                RouteState::Serving => "serving",
                RouteState::Stopped => "stopped",
                RouteState::Maintenance(_) => "maintenance",
                RouteState::Paused { .. } => "paused",
            },
        }));
    }
    routes.sort_by(|a, b| (&a.host, &a.path_prefix).cmp(&(&b.host, &b.path_prefix)));
    if session.out.is_json() {
        for route in &routes {
            session.out.object(route);
        }
        return Ok(0);
    }
    if routes.is_empty() {
        super::list::say_empty(session, &at).await?;
        return Ok(0);
    }
    let mut table = Table::new(&["HOST", "PATH", "APP", "RELEASE", "ADDRESS", "STATE"]);
    for route in routes {
        table.row([
            route.host,
            route.path_prefix.unwrap_or_else(|| "/".into()),
            route.app,
            route.release.to_string(),
            route.address,
            route.state.to_owned(),
        ]);
    }
    table.print(session.out);
    Ok(0)
}
