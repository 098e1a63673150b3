//! The examination of a host: what [`reconcile`] finds, whether containers still are what they were deployed as, and
//! what the engine, the machine, the certificates and the names tell.

mod certificates;
mod disk;
mod engine;
mod machine;
mod names;
mod ports;

pub use engine::without_engine;
pub use machine::{Machine, Socket};
pub use names::{Lookup, names, public_names};

use futures_util::StreamExt as _;

use super::drift;
use super::engine::ContainerDetail;
use super::finding::{Finding, Kind};
use super::installation::Installation;
use super::inventory::{Inventory, join, of_namespace};
use super::ledger::AppRecord;
use super::name::AppName;
use super::problem::Problem;
use super::proxy::Proxy;
use super::reconcile::{Sight, reconcile};
use super::shape::{Owner, container_spec};

/// Apps that are looked at closely at the same time: each costs the engine and the proxy a question.
const AT_ONCE: usize = 8;

/// Starts by the engine alone from which on a container is not just unlucky.
const LOOP_RESTARTS: u64 = 3;

/// How lately the last of them was, seconds: the engine waits for a minute at most between two.
const LOOP_LATELY: i64 = 10 * 60;

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
        found.extend(closely(installation, &**proxy, &inventory).await?);
    }
    let now = installation.clock.now();
    found.extend(engine::of_engine(&info, now));
    found.extend(engine::of_proxy(&inventory, mine.iter().any(|c| c.name == installation.namespace.proxy())));
    found.extend(engine::of_webhook(&inventory));
    found.extend(certificates::certificates(&inventory, now));
    found.extend(engine::databases(&containers));
    found.extend(engine::looping_others(&containers));
    let machine = engine.machine().await;
    match &machine {
        Some(machine) => {
            let usage = engine.usage(&containers.iter().map(|c| c.id.clone()).collect::<Vec<_>>()).await;
            found.extend(machine::of_machine(machine, &containers, &info, &usage));
            let wanted = installation.public_ports().await?;
            found.extend(ports::ports(&machine.sockets, &containers, &installation.namespace, wanted));
        }
        None => found.push(machine::elsewhere(&info)),
    }
    found.extend(disk::kept(&inventory, machine.as_ref()));
    let stored = engine.stored().await;
    found.push(disk::of_apps(&inventory, &volumes, stored.as_ref().ok(), machine.as_ref()));
    found.sort_by(Finding::worst_first);
    Ok((inventory, found))
}

/// What the records and the containers themselves tell, beyond the lists.
async fn closely(
    installation: &Installation,
    proxy: &dyn Proxy,
    inventory: &Inventory,
) -> Result<Vec<Finding>, Problem> {
    let names: Vec<AppName> = inventory.apps.iter().map(|app| app.record.name.clone()).collect();
    let looks = names.into_iter().map(|name| async move {
        // The snapshot masks secrets, and a variable that was changed may be one.
        match proxy.record(&name).await? {
            Some(record) => look(installation, &record).await,
            None => Ok(Vec::new()),
        }
    });
    let mut looks = futures_util::stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut found = Vec::new();
    while let Some(look) = looks.next().await {
        found.extend(look?);
    }
    Ok(found)
}

async fn look(installation: &Installation, record: &AppRecord) -> Result<Vec<Finding>, Problem> {
    let Some(release) = record.serving_release() else { return Ok(Vec::new()) };
    let Some(container) = installation.engine.container(&release.container).await? else { return Ok(Vec::new()) };
    let mut found: Vec<Finding> = looping(&record.name, &container, installation.clock.now()).into_iter().collect();
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
        super::units::Span::seconds(ago.unsigned_abs()),
    );
    let why = "it ends by itself: visitors get errors each time, and the next end may be near";
    let found = Finding::problem(Kind::RestartLoop, &container.name, what, why).of(app);
    Some(found.mend(format!("once logs {app}")).mend(format!("once rollback {app}")))
}

#[cfg(test)]
mod tests;
