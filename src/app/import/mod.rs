//! What runs already and was made by others: which settings an app of it gets, what cannot be taken over, and what that
//! costs. ONCE's and Kamal's apps are known by what these tools document; all else is a container with an HTTP port.
//!
//! The container is taken over as it runs: its record names it as release 1, and the next deploy swaps it for one of our
//! own. So nothing is started, stopped or run twice on the same data. Pure.

use crate::ledger::Generated;
use crate::model::hostname::Hostname;
use crate::model::image::ImageRef;
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::model::units::{ByteSize, Cpus, Port, Span, UrlPath};
use crate::model::volumes::is_anonymous;
use crate::ports::engine::{Container, Origin};
use crate::request::change::AdoptWish;
use crate::settings::{EnvKey, EnvValue, MountSource, Settings};

mod adoptable;
mod found;
pub(crate) mod kamal;
mod naming;
mod once_label;

pub(crate) use adoptable::{Adoptable, adoptable};
use found::Made;
pub(crate) use found::Sighting;

/// Where ONCE mounts an app's volume.
pub(crate) const ONCE_DATA: &str = "/storage";

/// The tool whose proxy a container of others is; `None`: it is not known as a proxy. Whoever stops it stops what serves
/// that tool's apps.
pub(crate) fn proxy_of_tool(container: &Container) -> Option<&'static str> {
    if container.identity.is_some() {
        return None;
    }
    if once_label::is_proxy(&container.labels) {
        return Some("ONCE");
    }
    (kamal::is_proxy(container) || kamal::is_proxy_image(&container.image)).then_some("Kamal")
}

/// An app to be.
#[derive(Debug, Clone)]
pub(crate) struct Takeover {
    pub(crate) name: AppName,
    pub(crate) settings: Settings,
    /// Secrets its maker gave it once.
    pub(crate) generated: Option<Generated>,
    /// Where a 2xx is looked for, the likeliest first.
    pub(crate) health_paths: Vec<UrlPath>,
    /// What comes of it, in sentences.
    pub(crate) remarks: Vec<String>,
    /// What cannot be taken over, in sentences.
    pub(crate) left: Vec<String>,
}

/// What its maker says of a container that can be an app.
///
/// # Errors
/// It cannot be one: it is not running, has no network of its own, or gets no requests.
fn made_by(seen: Sighting<'_>) -> Result<Made, Problem> {
    let origin = seen.origin;
    let shown = origin.name.escape_debug().to_string();
    if !origin.running {
        let message = format!("the container `{shown}` does not run, so there is nothing to take over");
        return Err(Problem::rejected("not-running", message).hint(format!("`docker start {shown}`, then again")));
    }
    if let Some(mode) = &origin.shared_network {
        let message = format!("the container `{shown}` has no network of its own ({mode}): the proxy cannot reach it");
        return Err(Problem::rejected("no-network", message).hint(
            "`once deploy IMAGE` makes an app of its image; its volumes are given as `--volume docker:NAME:/path`",
        ));
    }
    match once_label::made(seen)? {
        Some(made) => Ok(made),
        None => Ok(kamal::made(seen)?.unwrap_or_default()),
    }
}

/// The names that the app of a container may get, the best first.
///
/// # Errors
/// It cannot be an app, or nothing gives it a name.
pub(crate) fn names(seen: Sighting<'_>, wish: &AdoptWish) -> Result<Vec<AppName>, Problem> {
    let made = made_by(seen)?;
    if let Some(name) = &wish.name {
        return Ok(vec![name.clone()]);
    }
    let host = wish.hosts.first().map(Hostname::as_str).or(made.hosts.first().map(String::as_str));
    naming::candidates(&made, host, &seen.origin.name)
}

/// Reads an app of this name off a container.
///
/// # Errors
/// It cannot be one: it is not running, has no network of its own, or nothing says its hostname or image.
pub(crate) fn read(seen: Sighting<'_>, wish: &AdoptWish, name: AppName) -> Result<Takeover, Problem> {
    let origin = seen.origin;
    let shown = origin.name.escape_debug().to_string();
    let made = made_by(seen)?;
    let mut settings = Settings::new(image(seen)?, host(&made, wish, &name)?);
    hosts(&made, wish, &mut settings)?;
    let port = port(&made, wish, seen)?;
    settings.port = Some(port);
    settings.path_prefix = made.path_prefix.as_deref().and_then(|path| path.parse().ok());
    settings.tls = made.tls.unwrap_or_default();
    settings.smtp.clone_from(&made.smtp);
    settings.auto_update = made.auto_update;
    let mut left = made.left.clone();
    variables(&made, origin, &mut settings, &mut left);
    mounts(origin, &mut settings, &mut left);
    limits(origin, &mut settings);
    let ours = seen.namespace.network();
    settings.networks = origin.networks.iter().filter(|n| **n != ours && *n != "bridge").cloned().collect();
    left.extend(origin.beyond.iter().map(|what| format!("{what}: its next release is without")));
    if !settings.networks.is_empty() {
        left.push(format!("its name: other containers that reach it as `{shown}` have to look for its next release"));
    }
    let said = wish.health_path.clone().or_else(|| made.health_path.as_deref().and_then(|path| path.parse().ok()));
    let health_paths = match said {
        Some(path) => vec![path],
        None => std::iter::once(UrlPath::up()).chain("/".parse()).collect(),
    };
    let mut remarks = made.remarks.clone();
    remarks.extend(costs(&made, seen));
    remarks.push(format!(
        "to undo it: `once adopt --undo {name}`, also after it was swapped, as long as the container {shown} is kept"
    ));
    Ok(Takeover { name, settings, generated: made.generated, health_paths, remarks, left })
}

fn costs(made: &Made, seen: Sighting<'_>) -> Vec<String> {
    let origin = seen.origin;
    let (name, by) = (&origin.name, if made.tool.is_empty() { "others" } else { made.tool });
    let mut said = vec![
        format!("the container {name}, made by {by}, runs on as it is: nothing is started, stopped or copied"),
        format!("it joins the network {}, and is started again by the engine like every app", seen.namespace.network()),
        "the next deploy or restart swaps it for a container of ours, and with `remove` it goes".to_owned(),
    ];
    let external = |source: &MountSource, nameless: bool| matches!(source, MountSource::External { name } if is_anonymous(name) == nameless);
    if origin.mounts.values().any(|source| external(source, false)) {
        said.push("its volumes stay where they are, also when the app is removed with its data".to_owned());
    }
    let nameless = origin.mounts.iter().filter(|(_, source)| external(source, true));
    for (path, _) in nameless {
        said.push(format!(
            "what it has at {path}, in a volume without a name, goes on in that volume and becomes the app's own: `remove` \
             keeps it, `remove --data` lets it go"
        ));
    }
    for (inside, outside) in &origin.published {
        said.push(format!(
            "port {outside} of the host leads to its port {inside} until it is swapped; behind that only the proxy does"
        ));
    }
    said
}

fn host(made: &Made, wish: &AdoptWish, name: &AppName) -> Result<Hostname, Problem> {
    let text = match (wish.hosts.first(), made.hosts.first()) {
        (Some(host), _) => return Ok(host.clone()),
        (None, Some(host)) => host.clone(),
        (None, None) => format!("{}.localhost", name.as_str().rsplit('.').collect::<Vec<_>>().join(".")),
    };
    hostname(&text)
}

fn hostname(text: &str) -> Result<Hostname, Problem> {
    text.parse().map_err(|reason| {
        let message = format!("invalid hostname `{}`: {reason}", text.escape_debug());
        Problem::rejected("invalid-host", message).hint("give one with `--host`")
    })
}

fn hosts(made: &Made, wish: &AdoptWish, settings: &mut Settings) -> Result<(), Problem> {
    let given = if wish.hosts.is_empty() {
        made.hosts.iter().map(|text| hostname(text)).collect::<Result<Vec<_>, _>>()?
    } else {
        wish.hosts.clone()
    };
    for host in given {
        if !settings.hosts.contains(&host) {
            settings.hosts.push(host);
        }
    }
    Ok(())
}

fn image(seen: Sighting<'_>) -> Result<ImageRef, Problem> {
    let named = std::iter::once(&seen.origin.image).chain(&seen.image.tags).chain(&seen.image.repo_digests);
    // A bare ID says nothing about where a newer one would come from.
    let named = named.filter(|text| !text.starts_with("sha256:"));
    named.filter_map(|text| text.parse().ok()).next().ok_or_else(|| {
        let message = format!("the image of `{}` has no name any more", seen.origin.name.escape_debug());
        Problem::rejected("image-without-name", message).hint(format!("`docker tag {} NAME:TAG`", seen.image.id))
    })
}

fn port(made: &Made, wish: &AdoptWish, seen: Sighting<'_>) -> Result<Port, Problem> {
    let only = |ports: &mut dyn Iterator<Item = u16>| ports.next().filter(|_| ports.next().is_none());
    let published = only(&mut seen.origin.published.keys().copied());
    let exposed = only(&mut seen.image.exposed.iter().copied());
    let guessed = made.port.or(published).or(exposed);
    if let Some(port) = wish.port.or_else(|| guessed.and_then(Port::new)) {
        return Ok(port);
    }
    match seen.origin.published.is_empty() && seen.image.exposed.is_empty() {
        true => Ok(Port::HTTP),
        false => {
            let message = format!("`{}` has several ports", seen.origin.name.escape_debug());
            Err(Problem::rejected("several-ports", message).hint("`--port` says which one speaks HTTP"))
        }
    }
}

fn variables(made: &Made, origin: &Origin, settings: &mut Settings, left: &mut Vec<String>) {
    for (key, value) in origin.env.iter().filter(|(key, _)| !made.implied.contains(&key.as_str())) {
        match key.parse::<EnvKey>() {
            Ok(name) => {
                let kept = if is_secret(key, value) { EnvValue::secret(value) } else { EnvValue::plain(value) };
                settings.env.insert(name, kept);
            }
            Err(_) => left.push(format!("the variable `{}`: its name is none", key.escape_debug())),
        }
    }
}

/// Words in the names of variables whose values nobody is to see.
const SECRET_WORDS: [&str; 11] =
    ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "KEY", "CREDENTIAL", "PRIVATE", "DSN", "AUTH", "SALT"];

/// By its name, or by a password in a URL. Rather once too often: a secret is masked, nothing else.
fn is_secret(key: &str, value: &str) -> bool {
    let key = key.to_ascii_uppercase();
    let in_url = value
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next()?.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    in_url || key.ends_with("PASS") || SECRET_WORDS.iter().any(|word| key.contains(word))
}

fn mounts(origin: &Origin, settings: &mut Settings, left: &mut Vec<String>) {
    for (target, source) in &origin.mounts {
        match target.parse::<UrlPath>() {
            Ok(target) => drop(settings.volumes.insert(target, source.clone())),
            Err(_) => left.push(format!("what is mounted at `{}`: the path has odd characters", target.escape_debug())),
        }
    }
}

fn limits(origin: &Origin, settings: &mut Settings) {
    settings.memory = origin.memory.map(ByteSize);
    settings.cpus = origin.nano_cpus.and_then(|nanos| format!("{:.3}", nanos as f64 / 1e9).parse::<Cpus>().ok());
    if let Some(seconds) = origin.stop_timeout {
        settings.stop_timeout = Span::seconds(seconds);
    }
}

#[cfg(test)]
mod tests;
