//! Being relieved by a newer program, and taking over from an older one.
//!
//! The serving worker asks the supervisor for it. The newer one asks here for what is in memory only; from then on nothing
//! changes, and the ledger's files are its. When it is ready the supervisor decides: this one leaves, or serves on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, OnceCell};
use tokio_util::sync::CancellationToken;

use super::gate::Frozen;
use super::locks::HeldLease;
use super::transact::blocking;
use super::{LEASE_EXPIRY, Service, Shared};
use crate::binaries::{Binaries, hash_of};
use crate::control::Server;
use crate::parent::{self, Line, Order, Report};
use crate::service::relieved::RouteChange;
use once_app::AppId;
use once_app::proxy::{ProxyError, ProxyProcesses, WorkerView};

/// What is in memory only, on its way to the process that takes over.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HandOver {
    leases: Vec<HeldLease>,
    holds: Vec<(AppId, Duration)>,
}

pub(super) struct Succession {
    pub(super) binaries: Binaries,
    /// Set once this process serves. Whoever has it has asked to be relieved.
    line: OnceCell<Mutex<Line>>,
    stage: Mutex<Stage>,
    hash: OnceCell<String>,
}

enum Stage {
    Serving,
    Asked,
    HandedOver(Frozen, CancellationToken),
}

impl Succession {
    pub(super) fn new(binaries: Binaries) -> Self {
        Self { binaries, line: OnceCell::new(), stage: Mutex::new(Stage::Serving), hash: OnceCell::new() }
    }

    /// The SHA-256 of this process's program.
    async fn hash(&self) -> Result<String, ProxyError> {
        let found = self.hash.get_or_try_init(async || {
            let hashed = tokio::task::spawn_blocking(|| hash_of("/proc/self/exe".as_ref())).await;
            hashed.map_err(io::Error::other).flatten().map_err(|error| failed("read its own program", &error))
        });
        found.await.cloned()
    }
}

fn failed(what: &str, error: &dyn std::error::Error) -> ProxyError {
    ProxyError::Failed { what: what.to_owned(), message: error.to_string() }
}

fn refused(why: impl Into<String>) -> ProxyError {
    ProxyError::UpgradeRefused { why: why.into() }
}

impl Service {
    /// From now on this process serves, and can be relieved by way of this line.
    pub(crate) async fn serve_for(&self, line: Line) {
        let succession = &self.shared.succession;
        drop(succession.line.set(Mutex::new(line)));
        // Programs that were in charge before are of no use any more.
        if succession.binaries.is_used()
            && let Ok(hash) = succession.hash().await
        {
            let binaries = succession.binaries.clone();
            let kept = tokio::task::spawn_blocking(move || binaries.keep_only(Some(&hash))).await;
            if let Err(error) = kept.map_err(io::Error::other).flatten() {
                tracing::warn!(%error, "older programs stay");
            }
        }
    }

    /// Goes on with what the former process had in memory.
    pub(crate) fn inherit(&self, handed: HandOver) {
        self.shared.locks.inherit(handed.leases, LEASE_EXPIRY);
        for (app, left) in handed.holds {
            if !self.shared.routes.hold(&app, left) {
                tracing::warn!(%app, "it was held and is not known here");
            }
        }
    }

    /// Gives away what is in memory only. Nothing changes until the supervisor has decided.
    pub(crate) async fn hand_over(&self) -> Result<HandOver, ProxyError> {
        let shared = &self.shared;
        let mut stage = shared.succession.stage.lock().await;
        if !matches!(*stage, Stage::Asked) {
            return Err(refused("nobody asked for it"));
        }
        let frozen = shared.gate.freeze().await;
        let path = shared.relieved.own();
        let server = Server::bind(&path).map_err(|error| failed("listen where only workers ask", &error))?;
        let store = shared.store.clone().lock_owned().await;
        blocking(move || store.let_go()).await?;
        if let Some(issuer) = shared.issuer.get() {
            issuer.let_go().await;
        }
        let end = CancellationToken::new();
        tokio::spawn(server.run_for_workers(self.clone(), end.clone()));
        let handed = HandOver { leases: shared.locks.close(LEASE_EXPIRY), holds: shared.routes.holds() };
        *stage = Stage::HandedOver(frozen, end);
        Ok(handed)
    }

    /// Takes a change of another process's routes over.
    pub(crate) fn mirror(&self, change: RouteChange) {
        let routes = &self.shared.routes;
        match change {
            RouteChange::Set(route) => routes.set_route(*route),
            RouteChange::Remove(app) => routes.remove_route(&app),
            RouteChange::Hold(app, limit) => drop(routes.hold(&app, limit)),
            RouteChange::Resume(app) => routes.resume(&app),
        }
    }

    /// Tells the relieved ones of all routes: the process they were told by may have died over it.
    pub(crate) async fn mirror_all(&self) {
        for route in self.shared.ledger.load().records().filter_map(once_app::ledger::AppRecord::route) {
            self.shared.relieved.tell(&RouteChange::Set(Box::new(route))).await;
        }
    }

    /// Resolves when another process is in charge.
    pub(crate) async fn moved(&self) {
        self.shared.gate.moved().await;
    }

    pub(super) async fn put_piece(&self, hash: &str, offset: u64, piece: Vec<u8>) -> Result<(), ProxyError> {
        let (binaries, hash) = (self.shared.succession.binaries.clone(), hash.to_owned());
        let put = tokio::task::spawn_blocking(move || binaries.put(&hash, offset, &piece)).await;
        put.map_err(io::Error::other)
            .flatten()
            .map_err(|error| ProxyError::Storage { message: format!("could not keep the newer program: {error}") })
    }

    /// Runs to its end also when the caller goes away.
    pub(super) async fn be_relieved(&self, hash: &str) -> Result<(), ProxyError> {
        let (shared, hash) = (self.shared.clone(), hash.to_owned());
        let ended = tokio::spawn(async move { shared.be_relieved(&hash).await }).await;
        ended.map_err(|error| failed("be relieved", &error))?
    }

    pub(super) async fn look_at_processes(&self) -> Result<ProxyProcesses, ProxyError> {
        let shared = &self.shared;
        let serving = shared.gate.check().is_ok();
        let in_flight = shared.routes.traffic_all().into_iter().flat_map(|(_, traffic)| traffic.in_flight);
        let (requests, upgraded) = in_flight.fold((0, 0), |(r, u), one| (r + one.requests, u + one.upgraded));
        let own = WorkerView {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hash: shared.succession.hash().await?,
            started_at: shared.started_at,
            serving,
            requests,
            upgraded,
        };
        let others = if serving { shared.relieved.views().await } else { Vec::new() };
        let spoken = std::env::var(parent::SUPERVISOR).ok().and_then(|version| version.parse().ok());
        Ok(ProxyProcesses {
            supervisor: spoken.filter(|_| shared.succession.line.initialized()),
            note: std::env::var(parent::NOTE).ok(),
            workers: std::iter::once(own).chain(others).collect(),
        })
    }
}

impl Shared {
    async fn be_relieved(self: &Arc<Self>, hash: &str) -> Result<(), ProxyError> {
        let succession = &self.succession;
        let Some(line) = succession.line.get() else {
            return Err(refused("its first process is older than this, and does not know how"));
        };
        let Ok(mut line) = line.try_lock() else { return Err(refused("another upgrade is under way")) };
        self.gate.check()?;
        let own = succession.hash().await?;
        if own == hash {
            return Ok(());
        }
        let (binaries, name) = (succession.binaries.clone(), hash.to_owned());
        let complete = tokio::task::spawn_blocking(move || binaries.complete(&name)).await;
        let complete = complete.map_err(io::Error::other).flatten();
        if !complete.map_err(|error| failed("keep the newer program", &error))? {
            return Err(refused("it was damaged on its way here: its SHA-256 is another"));
        }
        *succession.stage.lock().await = Stage::Asked;
        line.tell(&Report::Upgrade(hash.to_owned())).await;
        let order = line.order().await;
        let stage = std::mem::replace(&mut *succession.stage.lock().await, Stage::Serving);
        match (order, stage) {
            (Order::Refused(why), stage) => {
                if let Stage::HandedOver(frozen, end) = stage {
                    end.cancel();
                    self.go_on(frozen).await?;
                }
                let binaries = succession.binaries.clone();
                let kept = tokio::task::spawn_blocking(move || binaries.keep_only(Some(&own))).await;
                if let Err(error) = kept.map_err(io::Error::other).flatten() {
                    tracing::warn!(%error, "the refused program stays");
                }
                Err(refused(why))
            }
            (Order::Leave | Order::Serve, stage) => {
                let frozen = match stage {
                    Stage::HandedOver(frozen, _) => Some(frozen),
                    Stage::Asked | Stage::Serving => None,
                };
                self.gate.leave(frozen);
                Ok(())
            }
        }
    }

    /// Back to work, with everything as it was.
    async fn go_on(&self, frozen: Frozen) -> Result<(), ProxyError> {
        let store = self.store.clone().lock_owned().await;
        blocking(move || store.take_back()).await?;
        if let Some(issuer) = self.issuer.get() {
            issuer.take_back().await;
        }
        self.locks.reopen();
        drop(frozen);
        Ok(())
    }
}
