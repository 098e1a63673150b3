//! What is on the host: records, containers and traffic joined, by one call to the engine and one to the proxy, however
//! many apps there are.

use super::certificate::CertificateView;
use super::engine::{Container, Role};
use super::installation::Installation;
use super::ledger::{AppRecord, RunState};
use super::name::{AppName, Namespace};
use super::problem::Problem;
use super::proxy::{AppTraffic, Snapshot};

/// A namespace at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Live apps by name.
    pub apps: Vec<AppView>,
    /// The proxy's side; `None`: there is no proxy container.
    pub snapshot: Option<Snapshot>,
    /// The proxy's container.
    pub proxy: Option<Container>,
    /// Containers of this namespace no record knows: left behind, or of a lost ledger.
    pub strays: Vec<Container>,
    /// All containers that were looked at.
    pub containers: Vec<Container>,
}

/// One app at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct AppView {
    /// The record, secrets masked.
    pub record: AppRecord,
    /// The serving release's container, where there is one.
    pub container: Option<Container>,
    /// The canary's container, where there is one.
    pub canary: Option<Container>,
    /// Its traffic since the proxy's start.
    pub traffic: AppTraffic,
    /// The certificates of its hostnames, where there are any or are to be.
    pub certificates: Vec<CertificateView>,
    /// How it stands.
    pub health: AppHealth,
}

/// How an app stands, in one word for people and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AppHealth {
    /// It serves.
    Running,
    /// A change is under way.
    Changing,
    /// Stopped on purpose.
    Stopped,
    /// Runs, and visitors see a 503 page on purpose.
    Maintenance,
    /// Runs, and requests wait on purpose.
    Paused,
    /// A change was left behind by a holder that died.
    Abandoned,
    /// Its container is not running, or gone.
    Down,
    /// It never served.
    Empty,
}

impl std::fmt::Display for AppHealth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Changing => "changing",
            Self::Stopped => "stopped",
            Self::Maintenance => "maintenance",
            Self::Paused => "paused",
            Self::Abandoned => "abandoned change",
            Self::Down => "down",
            Self::Empty => "never served",
        })
    }
}

impl AppHealth {
    /// Whether somebody should look at it.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        matches!(self, Self::Abandoned | Self::Down | Self::Empty)
    }
}

/// Looks at everything.
///
/// # Errors
/// The engine or the proxy does not answer. An unreadable list is never an empty one.
pub async fn observe(installation: &Installation) -> Result<Inventory, Problem> {
    let containers = installation.engine.containers(&installation.namespace).await?;
    let snapshot = match containers.iter().any(|c| c.name == installation.namespace.proxy()) {
        true => match installation.proxy().await? {
            Some(proxy) => Some(proxy.snapshot().await?),
            None => None,
        },
        false => None,
    };
    if !snapshot.as_ref().is_some_and(|s| s.apps.iter().any(has_adopted)) {
        return Ok(join(&containers, snapshot));
    }
    let all = installation.engine.all_containers().await?;
    Ok(join(&of_namespace(&all, &installation.namespace, snapshot.as_ref()), snapshot))
}

fn has_adopted(record: &AppRecord) -> bool {
    record.is_live() && record.releases.iter().any(|r| r.adopted && r.container_kept)
}

/// Those of the engine's containers that carry the namespace's labels, and those of others that apps of it were taken
/// over from and still run in.
pub(crate) fn of_namespace(all: &[Container], namespace: &Namespace, snapshot: Option<&Snapshot>) -> Vec<Container> {
    let records = || snapshot.iter().flat_map(|s| &s.apps).filter(|r| r.is_live());
    let ours = |c: &&Container| match &c.identity {
        Some(identity) => &identity.namespace == namespace,
        None => records().any(|r| r.has_adopted(&c.name)),
    };
    all.iter().filter(ours).cloned().collect()
}

/// Joins what both sides say. Pure.
#[must_use]
pub fn join(containers: &[Container], snapshot: Option<Snapshot>) -> Inventory {
    let role = |c: &Container| c.identity.as_ref().map(|i| i.role);
    let proxy = containers.iter().find(|c| role(c) == Some(Role::Proxy)).cloned();
    let mut apps: Vec<AppView> = Vec::new();
    for record in snapshot.iter().flat_map(|s| s.apps.iter()).filter(|r| r.is_live()) {
        let name = record.serving_release().map(|r| r.container.as_str());
        let of = |name: Option<&str>| containers.iter().find(|c| Some(c.name.as_str()) == name).cloned();
        let container = of(name);
        let locked = snapshot.iter().flat_map(|s| s.locks.iter()).any(|l| l.app == record.name && l.op.is_some());
        let traffic = snapshot.iter().flat_map(|s| s.traffic.iter()).find(|(id, _)| *id == record.id);
        apps.push(AppView {
            health: health(record, container.as_ref(), locked),
            record: record.clone(),
            traffic: traffic.map(|(_, t)| t.clone()).unwrap_or_default(),
            certificates: certificates_of(record, snapshot.as_ref().map_or(&[], |s| &s.certificates)),
            container,
            canary: of(record.canary_release().map(|r| r.container.as_str())),
        });
    }
    apps.sort_by(|a, b| a.record.name.cmp(&b.record.name));
    let known = |c: &Container| {
        apps.iter().any(|a| {
            a.record.release_of(&c.name).is_some()
                || a.record.intent.is_some() && c.identity.as_ref().is_some_and(|i| i.id.as_ref() == Some(&a.record.id))
        })
    };
    let strays = containers.iter().filter(|c| role(c) == Some(Role::Web) && !known(c)).cloned().collect();
    Inventory { apps, snapshot, proxy, strays, containers: containers.to_vec() }
}

/// Those of an app's hostnames.
#[must_use]
pub fn certificates_of(record: &AppRecord, all: &[CertificateView]) -> Vec<CertificateView> {
    let Some(settings) = record.settings() else { return Vec::new() };
    all.iter().filter(|view| settings.hosts.contains(&view.name)).cloned().collect()
}

fn health(record: &AppRecord, container: Option<&Container>, locked: bool) -> AppHealth {
    let runs = container.is_some_and(|c| c.running && c.state != "restarting");
    match (&record.state, &record.intent) {
        (_, Some(_)) if locked => AppHealth::Changing,
        (_, Some(_)) => AppHealth::Abandoned,
        _ if record.serving.is_none() => AppHealth::Empty,
        (RunState::Stopped, _) => AppHealth::Stopped,
        _ if !runs => AppHealth::Down,
        (RunState::Running, _) => AppHealth::Running,
        (RunState::Maintenance(_), _) => AppHealth::Maintenance,
        (RunState::Paused { .. }, _) => AppHealth::Paused,
    }
}

impl Inventory {
    /// The app that goes by a name or an alias, or serves a hostname.
    #[must_use]
    pub fn find(&self, selector: &str) -> Option<&AppView> {
        let name: Option<AppName> = selector.parse().ok();
        let by_name = name.and_then(|name| self.apps.iter().find(|a| a.record.is_called(&name)));
        by_name.or_else(|| {
            let host: super::host::Hostname = selector.parse().ok()?;
            self.apps.iter().find(|a| a.record.settings().is_some_and(|s| s.hosts.contains(&host)))
        })
    }
}
