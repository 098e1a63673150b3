//! The examination of a host: what [`reconcile`] finds, whether containers still are what they were deployed as, and
//! what the engine, the machine, the certificates and the names tell.

mod certificates;
mod disk;
pub(crate) mod drift;
mod engine;
pub(crate) mod finding;
mod look;
mod machine;
mod names;
mod ports;
pub(crate) mod rebuild;
pub(crate) mod reconcile;

pub use engine::without_engine;
use look::Look;
pub use look::{Looks, Report, Seen};
pub use names::{Lookup, Resolver, names, public_names};

use futures_util::StreamExt as _;

use crate::host::installation::Installation;
use crate::host::inventory::{Inventory, join, of_namespace};
use crate::ledger::AppRecord;
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::plan::fingerprint::{Owner, container_spec};
use crate::ports::engine::{Container, ContainerDetail, EngineInfo};
use crate::ports::proxy::Proxy;
use finding::{Finding, Kind};
use reconcile::{Sight, or_back, reconcile};

/// Apps that are looked at closely at the same time: each costs the engine and the proxy a question.
const AT_ONCE: usize = 8;

/// Starts by the engine alone from which on a container is not just unlucky.
const LOOP_RESTARTS: u64 = 3;

/// How lately the last of them was, seconds: the engine waits for a minute at most between two.
const LOOP_LATELY: i64 = 10 * 60;

/// Examines the host. Each finding is reported when it is known; a look that takes longer than its limit is a finding of
/// the kind [`Kind::Unseen`], and the other looks go on.
///
/// # Errors
/// The engine cannot be reached, or a list could not be read for another reason than time. What was found before is
/// reported then as well: what could not be read is never taken for clean.
pub async fn examine(
    installation: &Installation,
    looks: Looks,
    resolver: &dyn Resolver,
    report: &Report<'_>,
) -> Result<(), Problem> {
    let look = Look::new(looks.limit, report);
    let engine = &*installation.engine;
    let now = installation.clock.now();
    let about = async {
        let info = look.within("the engine itself", engine.info()).await?;
        look.found(info.iter().flat_map(|info| engine::of_engine(info, now)));
        Ok::<_, Problem>(info)
    };
    let listed = async {
        let containers = look.within("the engine's containers", engine.all_containers()).await?;
        look.found(containers.iter().flat_map(|all| engine::databases(all)));
        look.found(containers.iter().flat_map(|all| engine::looping_others(all)));
        Ok::<_, Problem>(containers)
    };
    let volumes = look.within("the engine's volumes", engine.volumes(&installation.namespace));
    let ledger = look.within("the proxy and its ledger", async {
        let Some(proxy) = installation.proxy().await? else { return Ok::<_, Problem>(None) };
        let snapshot = proxy.snapshot().await?;
        Ok(Some((proxy, snapshot)))
    });
    let (info, containers, volumes, ledger) = tokio::join!(about, listed, volumes, ledger);
    // Without an engine the others fail for the same reason.
    let (info, containers) = (info?, containers?);
    let mut failed = [volumes.as_ref().err(), ledger.as_ref().err()].into_iter().flatten().next().cloned();
    let (volumes, ledger) = (volumes.ok().flatten(), ledger.ok().flatten());
    let there = containers.as_deref().zip(ledger.as_ref()).map(|(containers, ledger)| {
        let snapshot = ledger.as_ref().map(|(_, snapshot)| snapshot.clone());
        let mine = of_namespace(containers, &installation.namespace, snapshot.as_ref());
        join(&mine, snapshot)
    });
    if let Some(inventory) = &there {
        look.found(engine::of_proxy(inventory));
        look.found(engine::of_webhook(inventory));
        look.found(certificates::certificates(inventory, now));
    }
    if let (Some(inventory), Some(containers), Some(volumes)) = (&there, &containers, &volumes) {
        look.found(reconcile(Sight { namespace: &installation.namespace, inventory, containers, volumes }));
    }
    let apps = async {
        match (&there, ledger.iter().flatten().next()) {
            (Some(inventory), Some((proxy, _))) => closely(installation, &**proxy, inventory, &look).await,
            _ => Ok(()),
        }
    };
    let host = async {
        let (Some(info), Some(containers)) = (&info, &containers) else { return Ok(()) };
        let seen = Listed { info, containers, inventory: there.as_ref(), volumes: volumes.as_deref() };
        of_host(installation, looks, seen, &look).await
    };
    let leads = async {
        let (Some(info), Some(inventory)) = (&info, &there) else { return };
        let asked = async { Ok::<_, Problem>(resolver.look_up(public_names(inventory), info).await) };
        if let Ok(Some(lookups)) = look.within("the hostnames of the apps", asked).await {
            look.found(names(inventory, &lookups, &info.name));
        }
    };
    let (apps, host, ()) = tokio::join!(apps, host, leads);
    failed = failed.or(apps.err()).or(host.err());
    failed.map_or(Ok(()), Err)
}

/// The lists that the examination of the machine goes by.
#[derive(Clone, Copy)]
struct Listed<'a> {
    info: &'a EngineInfo,
    containers: &'a [Container],
    /// `None`: the ledger could not be read.
    inventory: Option<&'a Inventory>,
    /// `None`: they could not be listed.
    volumes: Option<&'a [crate::ports::engine::Volume]>,
}

/// The machine and its disk.
async fn of_host(installation: &Installation, looks: Looks, seen: Listed<'_>, look: &Look<'_>) -> Result<(), Problem> {
    let (engine, containers) = (&*installation.engine, seen.containers);
    let machine = async {
        let read = async { Ok::<_, Problem>(engine.machine().await) };
        let machine = look.within("this machine's ports, memory, logs and clock", read).await?;
        match &machine {
            Some(Some(machine)) => {
                let ids: Vec<_> = containers.iter().map(|c| c.id.clone()).collect();
                let used = look.within("what the containers use", async { Ok::<_, Problem>(engine.usage(&ids).await) });
                let used = used.await?.unwrap_or_default();
                look.found(machine::of_machine(machine, containers, seen.info, &used));
                if let Some(wanted) = look.within("the proxy's ports", installation.public_ports()).await? {
                    look.found(ports::ports(&machine.sockets, containers, &installation.namespace, wanted));
                }
            }
            Some(None) => look.found([machine::elsewhere(seen.info)]),
            None => {}
        }
        Ok::<_, Problem>(machine.flatten())
    };
    if !looks.disk {
        look.found(machine.await?.as_ref().and_then(disk::room));
        look.found(seen.inventory.iter().flat_map(|inventory| disk::kept(inventory, None)));
        return Ok(());
    }
    let (machine, stored, sizes) = tokio::join!(machine, disk::stored(engine, look), disk::sizes(engine, look));
    let machine = machine?;
    look.found(seen.inventory.iter().flat_map(|inventory| disk::kept(inventory, sizes.as_ref())));
    match (seen.inventory, seen.volumes) {
        (Some(inventory), Some(volumes)) => {
            let counted = disk::Counted { stored: stored.as_ref(), sizes: sizes.as_ref(), machine: machine.as_ref() };
            look.found([disk::of_apps(inventory, volumes, counted)]);
        }
        _ => look.found(machine.as_ref().and_then(disk::room)),
    }
    Ok(())
}

/// What the records and the containers themselves tell, beyond the lists.
async fn closely(
    installation: &Installation,
    proxy: &dyn Proxy,
    inventory: &Inventory,
    look: &Look<'_>,
) -> Result<(), Problem> {
    let names: Vec<AppName> = inventory.apps.iter().map(|app| app.record.name.clone()).collect();
    let looks = names.into_iter().map(|name| async move {
        let asked = async {
            // The snapshot masks secrets, and a variable that was changed may be one.
            match proxy.record(&name).await? {
                Some(record) => look_at(installation, &record).await,
                None => Ok(Vec::new()),
            }
        };
        look.within(&format!("the container of {name}"), asked).await
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut failed = None;
    while let Some(looked) = looks.next().await {
        match looked {
            Ok(found) => look.found(found.unwrap_or_default()),
            Err(problem) => failed = failed.or(Some(problem)),
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn look_at(installation: &Installation, record: &AppRecord) -> Result<Vec<Finding>, Problem> {
    let Some(release) = record.serving_release() else { return Ok(Vec::new()) };
    let Some(container) = installation.engine.container(&release.container).await? else { return Ok(Vec::new()) };
    let mut found: Vec<Finding> = looping(&record.name, &container, installation.clock.now())
        .map(|looping| or_back(looping, record))
        .into_iter()
        .collect();
    // What others made is as they made it.
    if !record.has_adopted(&release.container) {
        let owner = Owner::of(&installation.namespace, record);
        let expected = container_spec(
            owner,
            release.number,
            &release.settings,
            &release.image,
            release.port,
            &record.generated,
            &release.declared_volumes,
        );
        let changes = drift::drift(&expected, &release.image.id, &container);
        found.extend(drift::finding(&record.name, &container, &changes));
    }
    Ok(found)
}

/// A loop is seen here also while the container happens to run; while it waits for its next start the list shows it.
fn looping(app: &AppName, container: &ContainerDetail, now: jiff::Timestamp) -> Option<Finding> {
    let ago = now.duration_since(container.started_at?).as_secs();
    if container.restarting || container.restarts < LOOP_RESTARTS || ago > LOOP_LATELY {
        return None;
    }
    let memory = if container.out_of_memory { ", last for want of memory" } else { "" };
    let what = format!(
        "the engine had to start {app} again {} times{memory}, and it runs for {} again",
        container.restarts,
        crate::model::units::Span::seconds(ago.unsigned_abs()),
    );
    let why = "it ends by itself: visitors get errors each time, and the next end may be near";
    let found = Finding::problem(Kind::RestartLoop, &container.name, what, why).of(app);
    Some(found.mend(format!("once logs {app}")))
}

#[cfg(test)]
mod tests;
