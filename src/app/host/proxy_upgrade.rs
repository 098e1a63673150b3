//! Puts this binary in charge of the proxy while all its sockets stay open.

use std::time::Duration;

use tokio::time::Instant;

use super::installation::Installation;
use crate::model::name::OpId;
use crate::model::problem::Problem;
use crate::model::release::Caller;
use crate::ports::proxy::{LockRequest, Proxy, ProxyError, ProxyProcesses, WorkerView};
use crate::progress::event::Outcome;

/// What the proxy's first process must speak for it.
const SUPERVISOR: u32 = 1;

/// Bytes of a piece: small beside any limit, and quick to send again.
const PIECE: usize = 1 << 20;

/// How long a decision may be awaited that nobody told of: as long as the supervisor waits for a newer program, and a bit.
const DECIDED: Duration = Duration::from_secs(35);
/// Between two looks at it.
const BETWEEN: Duration = Duration::from_millis(100);

/// The lock that one upgrade at a time holds. To the proxy it is an app's, so that an older one knows it too.
const LOCK: &str = "proxy-upgrade";
/// How long another upgrade is waited for: longer than one takes.
const TURN: Duration = Duration::from_secs(120);

/// What came of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyUpgrade {
    /// This very binary was in charge.
    Unchanged(WorkerView),
    /// It is in charge now.
    Upgraded {
        /// The worker that was relieved.
        before: WorkerView,
        /// The one that serves.
        now: WorkerView,
    },
}

impl Installation {
    /// Puts this binary in charge of the running proxy. No request fails for it; deploys under way go on. Another upgrade
    /// under way is waited for, and may leave nothing to do.
    ///
    /// # Errors
    /// The proxy's first process is too old; this binary was refused, and the one before serves on; another upgrade does
    /// not end; engine or proxy do not answer.
    pub async fn upgrade_proxy(&self, proxy: &dyn Proxy, by: &Caller) -> Result<ProxyUpgrade, Problem> {
        let digest = self.engine.own_digest().await?;
        let (before, able) = in_charge(proxy).await?;
        if let Some(worker) = before.filter(|worker| worker.hash == digest) {
            return Ok(ProxyUpgrade::Unchanged(worker));
        }
        if !able {
            return Err(too_old());
        }
        let app = LOCK.parse().map_err(|error| {
            Problem::new(Outcome::Internal, "bad-lock", "the lock of upgrades has no good name").because(&error)
        })?;
        let request = LockRequest {
            app,
            op: OpId(self.entropy.id()),
            by: by.clone(),
            wait_ms: TURN.as_millis() as u64,
            part_of: None,
        };
        let lease = proxy.lock(request).await?;
        let result = self.upgrade_alone(proxy, &digest).await;
        if let Err(error) = lease.release().await {
            tracing::debug!("the lock of the upgrade was not given back, it runs out by itself: {error}");
        }
        result
    }

    /// With the lock: what was seen before it was waited for may hold no longer.
    async fn upgrade_alone(&self, proxy: &dyn Proxy, digest: &str) -> Result<ProxyUpgrade, Problem> {
        let before = match in_charge(proxy).await? {
            (Some(worker), _) if worker.hash == digest => return Ok(ProxyUpgrade::Unchanged(worker)),
            (Some(worker), true) => worker,
            _ => return Err(too_old()),
        };
        self.hand_over_binary(proxy, digest).await?;
        let lost = match proxy.upgrade(digest).await {
            Ok(()) => false,
            Err(error) if is_lost(&error) => true,
            Err(error) => return Err(error.into()),
        };
        match serving(proxy, digest, lost).await? {
            Some(now) if now.hash == digest => Ok(ProxyUpgrade::Upgraded { before, now }),
            now => {
                let hash = now.map(|now| now.hash).unwrap_or_default();
                let message = format!("the proxy runs {hash:.12} and not this binary, {digest:.12}");
                Err(Problem { retryable: true, ..Problem::new(Outcome::Failed, "upgrade-unfinished", message) }
                    .hint("`once proxy status` and `once proxy logs` say more; the same command again is safe"))
            }
        }
    }

    async fn hand_over_binary(&self, proxy: &dyn Proxy, digest: &str) -> Result<(), Problem> {
        let mut offset = 0;
        loop {
            let piece = self.engine.own_bytes(offset, PIECE).await?;
            if piece.is_empty() {
                return Ok(());
            }
            proxy.put_binary(digest, offset, &piece).await?;
            offset += piece.len() as u64;
        }
    }
}

/// The worker in charge, and whether the first process can put another one in its place.
async fn in_charge(proxy: &dyn Proxy) -> Result<(Option<WorkerView>, bool), ProxyError> {
    let processes = match proxy.processes().await {
        // It does not know the call.
        Err(ProxyError::Failed { .. }) => ProxyProcesses::default(),
        processes => processes?,
    };
    let able = processes.supervisor.is_some_and(|speaks| speaks >= SUPERVISOR);
    let worker = processes.workers.into_iter().next();
    Ok((worker.clone(), able && worker.is_some()))
}

/// Whether something was done is not known from this.
const fn is_lost(error: &ProxyError) -> bool {
    matches!(error, ProxyError::Interrupted { .. } | ProxyError::Unreachable { .. })
}

/// The worker that serves after an upgrade. Where the answer was lost, the worker that was to give it may have died, with
/// the decision still to come: then it is looked for until this binary serves, or the time is over.
async fn serving(proxy: &dyn Proxy, digest: &str, lost: bool) -> Result<Option<WorkerView>, ProxyError> {
    let end = Instant::now() + DECIDED;
    loop {
        let seen = proxy.processes().await.map(|processes| processes.workers.into_iter().next());
        let settled = match &seen {
            Ok(Some(worker)) => !lost || worker.hash == digest,
            Ok(None) => !lost,
            Err(error) => !is_lost(error),
        };
        if settled || Instant::now() >= end {
            return seen;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

fn too_old() -> Problem {
    let message = "the first process of the proxy is older than upgrades without a gap";
    Problem { retryable: false, ..Problem::new(Outcome::Environment, "proxy-too-old", message) }
        .hint("`once proxy upgrade --replace` replaces the whole container; apps are unreachable for about a second")
}
