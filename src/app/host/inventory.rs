//! What is on the host: records, containers and traffic joined, by one call to the engine and one to the proxy, however
//! many apps there are.

use jiff::Timestamp;

use super::address::address;
use super::installation::{Installation, ProxyPorts};
use super::proxy_name::proxy_among;
use super::standing::{Seen, Standing};
use crate::ledger::AppRecord;
use crate::model::certificate::CertificateView;
use crate::model::name::{AppName, Namespace};
use crate::model::problem::Problem;
use crate::model::release::{Release, ReleaseStatus};
use crate::ports::engine::{Container, Role};
use crate::ports::proxy::{AppTraffic, Snapshot};
use crate::settings::Settings;

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
    /// The record, secrets masked; only those containers are kept that are there.
    pub record: AppRecord,
    /// The serving release's container, where there is one.
    pub container: Option<Container>,
    /// The canary's container, where there is one.
    pub canary: Option<Container>,
    /// Its traffic since the proxy's start.
    pub traffic: AppTraffic,
    /// The certificates of its hostnames, where there are any or are to be.
    pub certificates: Vec<CertificateView>,
    /// How it is, and why.
    pub standing: Standing,
}

impl AppView {
    /// The name it goes by.
    #[must_use]
    pub const fn name(&self) -> &AppName {
        &self.record.name
    }

    /// The serving release.
    #[must_use]
    pub fn release(&self) -> Option<&Release> {
        self.record.serving_release()
    }

    /// The settings that hold.
    #[must_use]
    pub fn settings(&self) -> Option<&Settings> {
        self.record.settings()
    }

    /// The primary hostname, or the name of an app that has never served.
    #[must_use]
    pub fn host(&self) -> String {
        self.settings().map_or_else(|| self.record.name.to_string(), |s| s.primary_host().to_string())
    }

    /// Where people reach it, as a URL.
    #[must_use]
    pub fn address(&self, ports: ProxyPorts, now: Timestamp) -> Option<String> {
        Some(address(self.settings()?, &self.certificates, ports, now))
    }

    /// The newest attempt that failed after what serves now was made, and why.
    #[must_use]
    pub fn failure(&self) -> Option<(&Release, &str)> {
        self.record.releases.last().and_then(|r| match &r.status {
            ReleaseStatus::Failed { why } => Some((r, why.as_str())),
            _ => None,
        })
    }
}

/// Looks at everything.
///
/// # Errors
/// The engine or the proxy does not answer. An unreadable list is never an empty one.
pub async fn observe(installation: &Installation) -> Result<Inventory, Problem> {
    let containers = installation.engine.containers(&installation.namespace).await?;
    let snapshot = match proxy_among(&containers, &installation.namespace)?.is_some() {
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
    record.is_live() && record.releases.iter().any(|r| r.adopted && record.needs(&r.container))
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
    let apps = snapshot.as_ref().map(|snapshot| views(containers, true, snapshot)).unwrap_or_default();
    let known = |c: &Container| {
        apps.iter().any(|a| {
            a.record.release_of(&c.name).is_some()
                || a.record.intent.is_some() && c.identity.as_ref().is_some_and(|i| i.id.as_ref() == Some(&a.record.id))
        })
    };
    let strays = containers.iter().filter(|c| role(c) == Some(Role::Web) && !known(c)).cloned().collect();
    Inventory { apps, snapshot, proxy, strays, containers: containers.to_vec() }
}

/// The live apps of a snapshot by name, each with its containers and with how it is. Pure. `current`: the list of
/// containers is as of now; that one is missing in an older list says nothing.
#[must_use]
pub fn views(containers: &[Container], current: bool, snapshot: &Snapshot) -> Vec<AppView> {
    let live = snapshot.apps.iter().filter(|r| r.is_live());
    let mut apps: Vec<AppView> = live.map(|record| view(containers, current, snapshot, record)).collect();
    apps.sort_by(|a, b| a.record.name.cmp(&b.record.name));
    apps
}

fn view(containers: &[Container], current: bool, snapshot: &Snapshot, record: &AppRecord) -> AppView {
    let of = |release: Option<&Release>| {
        let name = &release?.container;
        containers.iter().find(|c| &c.name == name).cloned()
    };
    let container = of(record.serving_release());
    let traffic = snapshot.traffic.iter().find(|(id, _)| *id == record.id).map(|(_, t)| t.clone()).unwrap_or_default();
    let lock = snapshot.locks.iter().find(|l| l.app == record.name && l.op.is_some());
    let standing = Standing::of(Seen { record, container: container.as_ref(), current, lock, traffic: &traffic });
    let mut record = record.clone();
    if current {
        // What others removed is not kept, whatever is remembered.
        for release in &mut record.releases {
            release.container_kept &= containers.iter().any(|c| c.name == release.container);
        }
    }
    let settings = record.settings();
    let is_its = |view: &&CertificateView| settings.is_some_and(|s| s.hosts.contains(&view.name));
    let certificates = snapshot.certificates.iter().filter(is_its).cloned().collect();
    let canary = of(record.canary_release());
    AppView { record, container, canary, traffic, certificates, standing }
}

impl Inventory {
    /// The app that goes by a name or an alias, or serves a hostname.
    #[must_use]
    pub fn find(&self, selector: &str) -> Option<&AppView> {
        let name: Option<AppName> = selector.parse().ok();
        let by_name = name.and_then(|name| self.apps.iter().find(|a| a.record.is_called(&name)));
        by_name.or_else(|| {
            let host: crate::model::hostname::Hostname = selector.parse().ok()?;
            self.apps.iter().find(|a| a.record.settings().is_some_and(|s| s.hosts.contains(&host)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::engine::sample::of_release;
    use crate::ports::proxy::ProxyInfo;
    use crate::request::target::tests::app;

    fn snapshot(apps: Vec<AppRecord>) -> Snapshot {
        Snapshot {
            info: ProxyInfo {
                protocol: 1,
                version: "0.1.1".into(),
                instance: "i".into(),
                started_at: Timestamp::UNIX_EPOCH,
                set_aside: Vec::new(),
                memory: 0,
                untold: None,
            },
            apps,
            locks: Vec::new(),
            traffic: Vec::new(),
            ops: Vec::new(),
            certificates: Vec::new(),
        }
    }

    #[test]
    fn a_container_that_others_removed_is_not_kept_unless_the_list_is_old() {
        let mut record = app("shop", "acme/shop:1", &["shop.example.com"], false);
        let mut older = record.releases[0].clone();
        (older.number, older.container) = (crate::ReleaseNumber(0), "once-shop-0".into());
        older.status = ReleaseStatus::Replaced { at: Timestamp::UNIX_EPOCH };
        record.releases.insert(0, older);
        let (all, seen) = ([of_release("shop", 0), of_release("shop", 1)], snapshot(vec![record]));
        let kept = |containers: &[Container], current| views(containers, current, &seen)[0].record.kept().count();
        assert_eq!((kept(&all, true), kept(&all[1..], true), kept(&all[1..], false)), (1, 0, 1));
    }
}
