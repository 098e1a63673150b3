//! One change of the ledger: check, apply to a copy, write, make it the truth, let the routes follow, answer.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;

use super::{RouteChange, Service, Shared, view};
use crate::store::{Store, StoreError};
use once_app::ledger::{AppRecord, Applied, Ledger, Transaction};
use once_app::proxy::ProxyError;
use once_app::{AppId, Route};

type Result<T, E = ProxyError> = std::result::Result<T, E>;

impl Service {
    /// Runs to its end also when the caller goes away: half of it would leave disk and memory apart.
    pub(super) async fn transact(&self, fence: u64, transaction: Transaction) -> Result<Applied> {
        let shared = self.shared.clone();
        let ended = tokio::spawn(async move { shared.transact(fence, transaction).await }).await;
        ended.map_err(|e| ProxyError::Failed { what: "change its ledger".to_owned(), message: e.to_string() })?
    }
}

impl Shared {
    async fn transact(&self, fence: u64, transaction: Transaction) -> Result<Applied> {
        let _entered = self.gate.enter().await?;
        let store = self.store.clone().lock_owned().await;
        let before = self.ledger.load_full();
        self.check_fence(&before, fence, &transaction)?;
        let switches = matches!(transaction, Transaction::Switch { .. });
        let given = transaction.app().clone();
        let mut after = Ledger::clone(&before);
        let applied = after.apply(transaction)?;
        if applied.replayed {
            return Ok(applied);
        }
        let id = applied.record.as_ref().map_or(given, |record| record.id.clone());
        let (old, new) = (before.get(&id), applied.record.as_ref());
        let store = persist(store, id.clone(), old.cloned(), new.cloned()).await?;
        let after = Arc::new(after);
        self.ledger.store(Arc::clone(&after));
        self.follow_names(&after);
        self.follow_route(&id, old.and_then(AppRecord::route).as_ref(), new.and_then(AppRecord::route), switches).await;
        if let (Some(old), Some(new)) = (old, new)
            && old.name != new.name
        {
            self.locks.set_manual(&old.name, None);
        }
        if let Some(name) = new.or(old).map(|record| &record.name) {
            self.locks.set_manual(name, new.and_then(view::manual_lock));
        }
        drop(store);
        Ok(applied)
    }

    /// A change is made by whoever holds the lock of the app's name now.
    fn check_fence(&self, ledger: &Ledger, fence: u64, transaction: &Transaction) -> Result<()> {
        let held = match (transaction, ledger.get(transaction.app())) {
            (Transaction::ManualLock { .. }, _) => true,
            (Transaction::Create { record }, _) => self.locks.is_held(&record.name, fence),
            (_, Some(record)) => self.locks.is_held(&record.name, fence),
            // There is nothing to protect; the ledger says so.
            (_, None) => self.locks.app_of(fence).is_some(),
        };
        if held { Ok(()) } else { Err(ProxyError::LockLost) }
    }

    async fn follow_route(&self, id: &AppId, old: Option<&Route>, new: Option<Route>, switches: bool) {
        match new {
            Some(route) if switches || old != Some(&route) => {
                let change = RouteChange::Set(Box::new(route.clone()));
                self.routes.set_route(route);
                if switches {
                    self.routes.resume(id);
                }
                self.relieved.tell(&change).await;
            }
            None if old.is_some() => {
                self.routes.remove_route(id);
                self.relieved.tell(&RouteChange::Remove(id.clone())).await;
            }
            _ => {}
        }
    }
}

/// Away from the runtime's threads: a sync takes as long as the disk likes.
async fn persist(
    store: OwnedMutexGuard<Store>,
    id: AppId,
    old: Option<AppRecord>,
    new: Option<AppRecord>,
) -> Result<OwnedMutexGuard<Store>> {
    let put = move |store: &Store, record: Option<&AppRecord>| match record {
        Some(record) => store.write(record),
        None => store.forget(&id),
    };
    blocking(move || {
        let left = old.as_ref().zip(new.as_ref()).map(|(old, new)| old.let_go(new)).unwrap_or_default();
        if let (Some(old), false) = (&old, left.is_empty()) {
            // First, so that what the record no longer has is never nowhere.
            store.remember(&old.id, &left)?;
        }
        if let Err(error) = put(&store, new.as_ref()) {
            // It may be on disk without being synced: what is refused must not come back at the next start.
            if let Err(again) = put(&store, old.as_ref()) {
                tracing::warn!(error = %again, "the record before could not be written again either");
            }
            return Err(error);
        }
        Ok(store)
    })
    .await
}

/// Runs disk work on the threads made for it.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T> {
    let ended = tokio::task::spawn_blocking(work).await;
    let ended = ended.map_err(|e| ProxyError::Failed { what: "reach its disk".to_owned(), message: e.to_string() })?;
    Ok(ended?)
}
