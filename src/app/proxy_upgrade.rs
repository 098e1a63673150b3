//! Puts this binary in charge of the proxy while all its sockets stay open.

use super::event::Outcome;
use super::installation::Installation;
use super::problem::Problem;
use super::proxy::{Proxy, ProxyError, ProxyProcesses, WorkerView};

/// What the proxy's first process must speak for it.
const SUPERVISOR: u32 = 1;

/// Bytes of a piece: small beside any limit, and quick to send again.
const PIECE: usize = 1 << 20;

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
        match proxy.upgrade(&digest).await {
            // Whether it was done is seen below.
            Ok(()) | Err(ProxyError::Interrupted { .. } | ProxyError::Unreachable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match proxy.processes().await?.workers.into_iter().next() {
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

fn too_old() -> Problem {
    let message = "the first process of the proxy is older than upgrades without a gap";
    Problem { retryable: false, ..Problem::new(Outcome::Environment, "proxy-too-old", message) }
        .hint("`once proxy upgrade --replace` replaces the whole container; apps are unreachable for about a second")
}
