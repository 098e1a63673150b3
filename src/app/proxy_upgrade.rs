//! Puts this binary in charge of the proxy while all its sockets stay open.

use std::time::Duration;

use tokio::time::Instant;

use super::event::Outcome;
use super::installation::Installation;
use super::problem::Problem;
use super::proxy::{Proxy, ProxyError, ProxyProcesses, WorkerView};

/// What the proxy's first process must speak for it.
const SUPERVISOR: u32 = 1;

/// Bytes of a piece: small beside any limit, and quick to send again.
const PIECE: usize = 1 << 20;

/// How long a decision may be awaited that nobody told of: as long as the supervisor waits for a newer program, and a bit.
const DECIDED: Duration = Duration::from_secs(35);
/// Between two looks at it.
const BETWEEN: Duration = Duration::from_millis(100);

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
    /// Puts this binary in charge of the running proxy. No request fails for it; deploys under way go on.
    ///
    /// # Errors
    /// The proxy's first process is too old; this binary was refused, and the one before serves on; engine or proxy do not
    /// answer.
    pub async fn upgrade_proxy(&self, proxy: &dyn Proxy) -> Result<ProxyUpgrade, Problem> {
        let digest = self.engine.own_digest().await?;
        let processes = match proxy.processes().await {
            // It does not know the call.
            Err(ProxyError::Failed { .. }) => ProxyProcesses::default(),
            processes => processes?,
        };
        let before = processes.workers.into_iter().next();
        if let Some(worker) = before.as_ref().filter(|worker| worker.hash == digest) {
            return Ok(ProxyUpgrade::Unchanged(worker.clone()));
        }
        let Some(before) = before.filter(|_| processes.supervisor.is_some_and(|speaks| speaks >= SUPERVISOR)) else {
            return Err(too_old());
        };
        self.hand_over_binary(proxy, &digest).await?;
        let lost = match proxy.upgrade(&digest).await {
            Ok(()) => false,
            Err(error) if is_lost(&error) => true,
            Err(error) => return Err(error.into()),
        };
        match serving(proxy, &digest, lost).await? {
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
