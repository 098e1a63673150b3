//! What the engine, its containers and the proxy tell. Pure.

use jiff::Timestamp;

use crate::doctor::finding::{Finding, Kind};
use crate::host::inventory::Inventory;
use crate::model::problem::Problem;
use crate::ports::engine::{Container, EngineInfo};

/// The oldest engine that is tested.
const OLDEST_ENGINE: (u32, u32) = (20, 10);

/// Certificates, sign-ins and registries go wrong from about here on. Seconds.
const CLOCK_OFF: i64 = 30;

/// Ports of databases, by what usually listens there.
const DATABASES: [(u16, &str); 7] = [
    (3306, "MySQL"),
    (5432, "PostgreSQL"),
    (6379, "Redis"),
    (9200, "Elasticsearch"),
    (11211, "memcached"),
    (27017, "MongoDB"),
    (1433, "SQL Server"),
];

/// An engine that cannot be had: nothing else can be looked at then. `None`: it is something else that went wrong.
#[must_use]
pub fn without_engine(problem: &Problem) -> Option<Finding> {
    let (kind, why) = match problem.code.as_str() {
        "engine-permission" => (Kind::Permissions, "who may not use the engine sees no app here, and changes none"),
        "engine-absent" | "engine-unreachable" | "engine-host-key" | "engine-timeout" | "engine-too-old"
        | "engine-address" => (Kind::Engine, "without an engine no app can be seen or changed"),
        _ => return None,
    };
    let found = Finding::problem(kind, "engine", &problem.message, why);
    Some(found.detail(problem.causes.iter().chain(&problem.hints).cloned()).mend("once setup"))
}

/// Age and clock of the engine.
pub(super) fn of_engine(info: &EngineInfo, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut numbers = info.version.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    if let (Some(major), Some(minor)) = (numbers.next(), numbers.next())
        && (major, minor) < OLDEST_ENGINE
    {
        let what = format!("Docker {} is older than {}.{}", info.version, OLDEST_ENGINE.0, OLDEST_ENGINE.1);
        found.push(
            Finding::problem(Kind::Engine, &info.address, what, "nothing is tested with it")
                .mend("apt-get install docker.io"),
        );
    }
    if let Some(theirs) = info.time {
        let off = now.duration_since(theirs).as_secs();
        if off.abs() > CLOCK_OFF {
            let what = format!("the clocks of {} and of this machine are {} s apart", info.name, off.abs());
            let why = "certificates and sign-ins depend on the time";
            found.push(Finding::problem(Kind::Clock, &info.name, what, why).mend("timedatectl set-ntp true"));
        }
    }
    found
}

/// Whether there is a proxy, and of which version.
pub(super) fn of_proxy(inventory: &Inventory) -> Option<Finding> {
    const OURS: &str = env!("CARGO_PKG_VERSION");
    let version = inventory.snapshot.as_ref().map(|s| s.info.version.as_str());
    match (inventory.proxy.is_some(), version) {
        (false, _) if !inventory.strays.is_empty() => {
            let why = "visitors reach nothing";
            let found = Finding::problem(Kind::Proxy, "proxy", "there are apps, and no proxy that leads to them", why);
            Some(found.mend("once doctor --fix"))
        }
        (true, Some(theirs)) if theirs != OURS => {
            let what = format!("the proxy is of version {theirs}, this command of {OURS}");
            let found = Finding::remark(Kind::Proxy, "proxy", what, "neighbouring versions work together");
            Some(found.mend("once proxy upgrade"))
        }
        _ => None,
    }
}

/// Whether the web hook hears.
pub(super) fn of_webhook(inventory: &Inventory) -> Option<Finding> {
    let untold = inventory.snapshot.as_ref()?.info.untold.as_ref()?;
    let why = "whoever counts on it knows nothing of these changes";
    let found = Finding::problem(Kind::Webhook, "webhook", untold.to_string(), why);
    Some(found.mend("once activity").mend("once proxy configure --webhook @FILE"))
}

/// Databases that other machines reach.
pub(super) fn databases(containers: &[Container]) -> Vec<Finding> {
    let mut found = Vec::new();
    for container in containers.iter().filter(|c| c.running) {
        for (port, name) in DATABASES.iter().filter(|(port, _)| container.open.contains(port)) {
            let what = format!("the container {} opens port {port} ({name}) to the network", container.name);
            let why = "the engine's rules come before the host's firewall: anybody can try passwords";
            found.push(
                Finding::problem(Kind::DatabasePublished, &container.name, what, why).mend(format!(
                    "publish it as 127.0.0.1:{port}:{port}, or not at all: apps reach it over a network"
                )),
            );
        }
    }
    found
}

/// Containers of others that end as soon as they were started.
pub(super) fn looping_others(containers: &[Container]) -> Vec<Finding> {
    let loops = containers.iter().filter(|c| c.identity.is_none() && c.state == "restarting");
    loops
        .map(|container| {
            let name = &container.name;
            let what = format!("the engine starts the container {name} again and again ({})", container.status);
            let why = "it is not ours; whatever uses it does without, and it takes time from the apps";
            Finding::remark(Kind::RestartLoop, name, what, why)
                .mend(format!("docker logs --tail 50 {name}"))
                .mend(format!("docker stop {name}"))
        })
        .collect()
}
