//! The examination of a host: what [`reconcile`] finds, whether containers still are what they were deployed as, and
//! what the engine, the machine, the certificates and the names tell.

mod certificates;

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::drift;
use super::engine::{Container, EngineInfo, HostUsage};
use super::finding::{Finding, Kind};
use super::host::Hostname;
use super::installation::Installation;
use super::inventory::{Inventory, join, of_namespace};
use super::ledger::AppRecord;
use super::problem::Problem;
use super::reconcile::{Sight, reconcile};
use super::shape::{Owner, container_spec};

/// The oldest engine that is tested.
const OLDEST_ENGINE: (u32, u32) = (20, 10);

/// Shares of the disk in use from which on it is said; the last tenth goes fast.
const DISK_FULL: f64 = 0.9;

/// Share of memory in use.
const MEMORY_FULL: f64 = 0.95;

/// A log this large was written without rotation, or with a bound nobody meant. Bytes.
const LOG_LARGE: u64 = 1 << 30;

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

/// The engine's own ports on the network: without and with TLS.
const ENGINE_PORTS: [u16; 1] = [2375];

/// The machine the engine runs on, where it is this one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// What listens, TCP.
    pub sockets: Vec<Socket>,
    /// Bytes of the engine's log files, by container id.
    pub logs: BTreeMap<String, u64>,
    /// Memory and disk.
    pub usage: Option<HostUsage>,
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Where.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Name and id of the process that holds it, where that may be known.
    pub process: Option<(String, u32)>,
}

/// What a hostname leads to, asked on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Which.
    pub host: Hostname,
    /// Its addresses and whether each is this machine's; or why there are none.
    pub found: Result<Vec<(IpAddr, bool)>, String>,
}

/// Examines everything but names, which take a resolver: see [`names`].
///
/// # Errors
/// The engine or the proxy does not answer. What could not be read is never taken for clean.
pub async fn examine(installation: &Installation) -> Result<(Inventory, Vec<Finding>), Problem> {
    let engine = &*installation.engine;
    let info = engine.info().await?;
    let containers = engine.all_containers().await?;
    let volumes = engine.volumes(&installation.namespace).await?;
    let proxy = installation.proxy().await?;
    let snapshot = match &proxy {
        Some(proxy) => Some(proxy.snapshot().await?),
        None => None,
    };
    let mine = of_namespace(&containers, &installation.namespace, snapshot.as_ref());
    let inventory = join(&mine, snapshot);
    let sight =
        Sight { namespace: &installation.namespace, inventory: &inventory, containers: &containers, volumes: &volumes };
    let mut found = reconcile(sight);
    if let Some(proxy) = &proxy {
        for app in &inventory.apps {
            // The snapshot masks secrets, and a variable that was changed may be one.
            if let Some(record) = proxy.record(&app.record.name).await? {
                found.extend(drifted(installation, &record).await?);
            }
        }
    }
    found.extend(of_engine(&info, installation.clock.now()));
    found.extend(of_proxy(&inventory, mine.iter().any(|c| c.name == installation.namespace.proxy())));
    found.extend(certificates::certificates(&inventory, installation.clock.now()));
    found.extend(databases(&containers));
    if let Some(machine) = engine.machine().await {
        found.extend(of_machine(&machine, &containers, &info));
    }
    found.sort_by(Finding::worst_first);
    Ok((inventory, found))
}

async fn drifted(installation: &Installation, record: &AppRecord) -> Result<Option<Finding>, Problem> {
    // What others made is as they made it.
    let Some(release) = record.serving_release().filter(|r| !r.adopted) else { return Ok(None) };
    let Some(found) = installation.engine.container(&release.container).await? else { return Ok(None) };
    let owner = Owner::of(&installation.namespace, record);
    let expected =
        container_spec(owner, release.number, &release.settings, &release.image, release.port, &record.generated);
    let changes = drift::drift(&expected, &release.image.id, &found);
    Ok(drift::finding(&record.name, &found, &changes))
}

fn of_engine(info: &EngineInfo, now: jiff::Timestamp) -> Vec<Finding> {
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

fn of_proxy(inventory: &Inventory, there: bool) -> Option<Finding> {
    const OURS: &str = env!("CARGO_PKG_VERSION");
    let version = inventory.snapshot.as_ref().map(|s| s.info.version.as_str());
    match (there, version) {
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

fn databases(containers: &[Container]) -> Vec<Finding> {
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

/// Pure: what the machine tells.
fn of_machine(machine: &Machine, containers: &[Container], info: &EngineInfo) -> Vec<Finding> {
    let mut found = Vec::new();
    for socket in machine.sockets.iter().filter(|s| ENGINE_PORTS.contains(&s.port) && !s.address.is_loopback()) {
        let what = format!("the engine listens on {}:{} without encryption", socket.address, socket.port);
        let why = "whoever reaches this port is root on this machine";
        let subject = socket.port.to_string();
        found.push(
            Finding::problem(Kind::EngineExposed, subject, what, why)
                .mend("remove `-H tcp://` from the engine's start"),
        );
    }
    let published = containers.iter().any(|c| c.running && (c.ports.contains(&80) || c.ports.contains(&443)));
    for socket in machine.sockets.iter().filter(|s| matches!(s.port, 80 | 443) && !published) {
        let by = socket.process.as_ref().map_or_else(
            || "a process that this user may not see".to_owned(),
            |(name, pid)| format!("{name} (process {pid})"),
        );
        let what = format!("port {} is held by {by}", socket.port);
        found.push(Finding::remark(Kind::Foreign, socket.port.to_string(), what, "the proxy cannot have it"));
    }
    if let Some(usage) = machine.usage {
        let share = |used: u64, all: u64| if all == 0 { 0.0 } else { used as f64 / all as f64 };
        if share(usage.disk, usage.disk_total) > DISK_FULL {
            let left = super::units::ByteSize(usage.disk_total - usage.disk.min(usage.disk_total));
            let what = format!("{left} are left where the engine keeps its data ({})", info.root_dir);
            let why = "a full disk stops deploys, logs and databases";
            found.push(
                Finding::problem(Kind::Disk, &info.root_dir, what, why)
                    .mend("docker system df")
                    .mend("docker image prune"),
            );
        }
        if share(usage.memory, usage.memory_total) > MEMORY_FULL {
            let what = format!(
                "{} of memory are left",
                super::units::ByteSize(usage.memory_total.saturating_sub(usage.memory))
            );
            let why = "the kernel ends the largest process when none is left";
            found.push(Finding::problem(Kind::Memory, &info.name, what, why).mend("once list"));
        }
    }
    for container in containers {
        let Some(bytes) = machine.logs.get(&container.id).filter(|bytes| **bytes > LOG_LARGE) else { continue };
        let what = format!("the log of {} has {}", container.name, super::units::ByteSize(*bytes));
        found.push(Finding::problem(Kind::Log, &container.name, what, "it grows until the disk is full"));
    }
    found
}

/// Pure: what the names of the apps lead to. Names of this machine alone are not looked at.
#[must_use]
pub fn names(inventory: &Inventory, lookups: &[Lookup]) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &inventory.apps {
        let hosts = app.record.settings().map(|s| s.hosts.as_slice()).unwrap_or_default();
        for lookup in lookups.iter().filter(|l| hosts.contains(&l.host)) {
            let (host, name) = (&lookup.host, &app.record.name);
            match &lookup.found {
                Err(why) => found.push(
                    Finding::problem(
                        Kind::Dns,
                        host.as_str(),
                        format!("{host} leads nowhere: {why}"),
                        "nobody finds the app",
                    )
                    .of(name)
                    .mend(format!("add an A or AAAA record for {host} that points to this machine")),
                ),
                Ok(addresses) if addresses.iter().all(|(_, ours)| !ours) => {
                    let list: Vec<String> = addresses.iter().map(|(ip, _)| ip.to_string()).collect();
                    let what = format!("{host} leads to {}, which is no address of this machine", list.join(", "));
                    let why = "fine behind a CDN, a load balancer or a router; else visitors get somewhere else";
                    found.push(Finding::remark(Kind::Dns, host.as_str(), what, why).of(name));
                }
                Ok(_) => {}
            }
        }
    }
    found
}

/// The hostnames that are worth a look-up: not those of this machine alone, and no wildcards.
#[must_use]
pub fn public_names(inventory: &Inventory) -> Vec<Hostname> {
    let hosts = inventory.apps.iter().filter_map(|a| a.record.settings()).flat_map(|s| s.hosts.iter());
    let local = |text: &str| text == "localhost" || text.ends_with(".localhost") || text.parse::<IpAddr>().is_ok();
    hosts
        .filter(|h| !local(h.as_str()) && !h.as_str().starts_with('*') && !h.as_str().starts_with('['))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests;
