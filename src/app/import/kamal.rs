//! Apps of Kamal: who they are in the labels `service`, `role` and `destination` of the container, how they are routed in
//! the state file of its proxy.

use serde::Deserialize;

use super::found::{Made, Sighting};
use crate::model::problem::Problem;
use crate::ports::engine::Container;
use crate::settings::Tls;

/// Where Kamal's proxy keeps its routes, in its container.
pub(crate) const STATE: &str = "/home/kamal-proxy/.config/kamal-proxy/kamal-proxy.state";

/// The name of Kamal's proxy.
const PROXY: &str = "kamal-proxy";

/// Whether a container is Kamal's proxy, running or not.
pub(crate) fn is_proxy(container: &Container) -> bool {
    container.identity.is_none() && container.name == PROXY
}

/// Whether an image is that of Kamal's proxy, which ONCE uses too.
pub(super) fn is_proxy_image(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    name.split(['@', ':']).next() == Some(PROXY)
}

/// Variables that Kamal makes of its own settings.
const IMPLIED: [&str; 4] = ["KAMAL_CONTAINER_NAME", "KAMAL_VERSION", "KAMAL_HOST", "KAMAL_DESTINATION"];

/// The role that gets requests where nothing else is said.
const WEB: &str = "web";

/// Whether a container is the part of an app of Kamal's that gets requests.
pub(super) fn is_web(container: &Container) -> bool {
    container.labels.contains_key("service") && container.labels.get("role").is_some_and(|role| role == WEB)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Service {
    name: String,
    options: Options,
    target_options: TargetOptions,
    active_targets: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    hosts: Vec<String>,
    path_prefixes: Vec<String>,
    tls_enabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TargetOptions {
    health_check_config: HealthCheck,
    buffer_requests: bool,
    buffer_responses: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct HealthCheck {
    path: String,
}

/// What Kamal says of a container of its own; `None`: it is not Kamal's.
pub(super) fn made(seen: Sighting<'_>) -> Result<Option<Made>, Problem> {
    let label = |key: &str| seen.origin.labels.get(key).map(String::as_str);
    let (Some(service), Some(role)) = (label("service"), label("role")) else { return Ok(None) };
    let destination = label("destination").filter(|text| !text.is_empty());
    let route = route(seen, service, role, destination);
    if role != WEB && route.is_none() {
        let message = format!("`{}` has the role {role}, which gets no requests", seen.origin.name.escape_debug());
        let problem = Problem::rejected("not-web", message);
        let web = seen.siblings.iter().find(|(_, role)| role == WEB);
        return Err(match web {
            Some((name, _)) => problem.hint(format!("`once adopt {name}` takes over the one that gets requests")),
            None => problem.hint("only containers that answer HTTP can be adopted"),
        });
    }
    let mut made = Made {
        tool: "Kamal",
        name: Some(destination.map_or_else(|| service.to_owned(), |instance| format!("{service}.{instance}"))),
        name_is_its_own: true,
        implied: IMPLIED.to_vec(),
        remarks: vec![
            "Kamal's next deploy would go past once: from now on `once deploy`, no longer `kamal deploy`".to_owned(),
            "Kamal's proxy goes on sending it requests until `once proxy takeover`".to_owned(),
            "once it is swapped, Kamal's own commands find it no longer: they look for the labels `service`, `role` and \
             `destination`, an empty one too, which our containers do not have"
                .to_owned(),
        ],
        ..Made::default()
    };
    let implied = seen.origin.env.iter().map(|(key, _)| key.as_str()).filter(|key| IMPLIED.contains(key));
    let implied: Vec<&str> = implied.collect();
    if !implied.is_empty() {
        made.left.push(format!("{}: Kamal sets these variables, and its next release is without", implied.join(", ")));
    }
    let others = seen.siblings.iter().filter(|(_, role)| role != WEB);
    made.left
        .extend(others.map(|(name, role)| format!("the container {name} of the role {role}: it runs on as it is")));
    match route {
        None => made.left.push("its hostnames: Kamal's proxy says none of it; `--host` does".to_owned()),
        Some(route) => take_route(&mut made, route),
    }
    Ok(Some(made))
}

fn take_route(made: &mut Made, route: Service) {
    made.tls = Some(if route.options.tls_enabled { Tls::Auto } else { Tls::Off });
    made.hosts = route.options.hosts.into_iter().filter(|host| !host.is_empty()).collect();
    let path = route.target_options.health_check_config.path;
    made.health_path = Some(path).filter(|path| !path.is_empty());
    made.port = route.active_targets.first().map(|target| {
        // Without one its proxy takes HTTP's own.
        target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80)
    });
    let buffers =
        [("requests", route.target_options.buffer_requests), ("answers", route.target_options.buffer_responses)];
    for what in buffers.into_iter().filter_map(|(what, on)| on.then_some(what)) {
        made.left.push(format!("the buffering of {what}: our proxy passes each piece on as it comes"));
    }
    let mut prefixes = route.options.path_prefixes.into_iter().filter(|path| !matches!(path.as_str(), "" | "/"));
    made.path_prefix = prefixes.next();
    made.left.extend(prefixes.map(|path| format!("its path {path}: an app has one; a second app can have the other")));
}

/// By the target, which names the container; else by the name Kamal gives its routes.
fn route(seen: Sighting<'_>, service: &str, role: &str, destination: Option<&str>) -> Option<Service> {
    let services: Vec<Service> = serde_json::from_slice(seen.routes?).ok()?;
    let named = [Some(service), Some(role), destination].into_iter().flatten().collect::<Vec<_>>().join("-");
    let (id, name) = (&seen.origin.id, &seen.origin.name);
    let leads_here = |target: &String| {
        let host = target.rsplit_once(':').map_or(target.as_str(), |(host, _)| host);
        host == name || (host.len() >= 12 && id.starts_with(host))
    };
    let by_target = |s: &&Service| s.active_targets.iter().any(leads_here);
    let at = services.iter().position(|s| by_target(&s)).or_else(|| services.iter().position(|s| s.name == named))?;
    services.into_iter().nth(at)
}
