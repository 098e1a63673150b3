//! Before a namespace is taken down and its data stays: its apps become removed ones whose data is kept, so that a proxy
//! that is made again does not lead visitors to containers that are gone.

use super::installation::Installation;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::OpId;
use crate::model::problem::Problem;
use crate::model::release::Caller;
use crate::model::volumes::OwnedVolume;
use crate::plan::volumes::unnamed;
use crate::ports::proxy::{LockRequest, Proxy};

/// Puts every live app of these records away; their containers are not touched.
///
/// # Errors
/// An app is locked by somebody else, or engine or proxy do not answer.
pub async fn put_away(
    installation: &Installation,
    proxy: &dyn Proxy,
    records: &[AppRecord],
    by: &Caller,
) -> Result<(), Problem> {
    let engine = &*installation.engine;
    let containers = engine.containers(&installation.namespace).await?;
    for record in records.iter().filter(|record| record.is_live()) {
        let (op, app) = (OpId(installation.entropy.id()), record.id.clone());
        let request = LockRequest { app: record.name.clone(), op, by: by.clone(), wait_ms: 0, part_of: None };
        let lease = proxy.lock(request).await?;
        let mut volumes = Vec::new();
        let of_app = |id: Option<&crate::model::name::AppId>| id == Some(&record.id);
        for container in containers.iter().filter(|c| of_app(c.identity.as_ref().and_then(|i| i.id.as_ref()))) {
            let Some(detail) = engine.container(&container.id).await? else { continue };
            let release = container.identity.as_ref().and_then(|i| i.release);
            let release = record.release_of(&container.name).map(|r| r.number).or(release).unwrap_or_default();
            let left = unnamed(record, &detail).into_iter();
            volumes.extend(left.map(|(path, name)| OwnedVolume { name, path, release }));
        }
        if !volumes.is_empty() {
            proxy.apply(lease.fence(), Transaction::Own { app: app.clone(), volumes }).await?;
        }
        proxy.apply(lease.fence(), Transaction::Remove { app, at: installation.clock.now() }).await?;
        lease.release().await?;
    }
    Ok(())
}
