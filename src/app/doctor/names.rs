//! What the hostnames of the apps lead to. Pure; whoever has a resolver asks it.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::doctor::finding::{Finding, Kind};
use crate::host::inventory::Inventory;
use crate::model::hostname::Hostname;
use crate::ports::engine::EngineInfo;

/// What a hostname leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Which.
    pub host: Hostname,
    /// Its addresses; or why there are none.
    pub found: Result<Vec<IpAddr>, String>,
    /// Whether one of them is the machine's; `None`: the machine's addresses are not known here.
    pub here: Option<bool>,
}

/// Whoever can find out what hostnames lead to.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// Looks them up; `info` says which machine they should lead to.
    async fn look_up(&self, hosts: Vec<Hostname>, info: &EngineInfo) -> Vec<Lookup>;
}

/// What is to be said of look-ups. `machine` is the name of the one the engine runs on.
#[must_use]
pub fn names(inventory: &Inventory, lookups: &[Lookup], machine: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for app in &inventory.apps {
        let hosts = app.record.settings().map(|s| s.hosts.as_slice()).unwrap_or_default();
        for lookup in lookups.iter().filter(|l| hosts.contains(&l.host)) {
            let (host, name) = (&lookup.host, &app.record.name);
            let record = format!("add an A or AAAA record for {host} that points to {machine}");
            match &lookup.found {
                Err(why) => {
                    let what = format!("{host} leads nowhere: {why}");
                    let found_nothing = Finding::problem(Kind::Dns, host.as_str(), what, "nobody finds the app");
                    found.push(found_nothing.of(name).mend(record));
                }
                Ok(addresses) if lookup.here == Some(false) => {
                    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                    let what = format!("{host} leads to {}, which is no address of {machine}", list.join(", "));
                    let why = "fine behind a CDN, a load balancer or a router; else visitors get somewhere else";
                    let elsewhere = Finding::remark(Kind::Dns, host.as_str(), what, why);
                    found.push(elsewhere.of(name).mend(format!("unless it is one of these: {record}")));
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
    hosts.filter(|h| !h.is_local() && !h.is_wildcard()).cloned().collect()
}
