//! The process that does the proxy's work: the supervisor's sockets, the state directory and the control socket, put
//! together.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::acme::IssuerOptions;
use super::control::Server;
use super::plane::{Plane, PlaneOptions, Serving};
use super::service::Service;
use super::store::StoreError;

/// The control socket's name in the state directory.
pub const SOCKET: &str = "control.sock";

/// How long a former worker may take to let go of the ledger.
const HANDOVER: Duration = Duration::from_secs(15);

/// What a worker works with.
#[derive(Debug)]
pub struct WorkerOptions {
    /// The state directory.
    pub state: PathBuf,
    /// Listening sockets, from the supervisor.
    pub listeners: Vec<TcpListener>,
    /// How requests are served.
    pub plane: PlaneOptions,
    /// How certificates are obtained.
    pub issuer: IssuerOptions,
}

/// Why a worker could not begin.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The state directory.
    #[error("cannot use the state directory {}", .path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A socket or a signal handler.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's words.
        source: io::Error,
    },
}

fn during<T>(result: io::Result<T>, what: impl Into<String>) -> Result<T, WorkerError> {
    result.map_err(|source| WorkerError::Io { what: what.into(), source })
}

/// Serves until SIGTERM or SIGINT, and then to the end of what is under way, within the limits of
/// [`Timeouts`](super::plane::Timeouts).
///
/// # Errors
/// It could not begin.
pub async fn run(options: WorkerOptions) -> Result<(), WorkerError> {
    let mut term = during(signal(SignalKind::terminate()), "listen for SIGTERM")?;
    let mut int = during(signal(SignalKind::interrupt()), "listen for SIGINT")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    let signals = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        told.cancel();
        std::future::pending().await
    };
    tokio::select! {
        ended = serve(options, stop) => ended,
        never = signals => never,
    }
}

/// Serves until told to stop.
///
/// # Errors
/// It could not begin.
pub async fn serve(options: WorkerOptions, stop: CancellationToken) -> Result<(), WorkerError> {
    let WorkerOptions { state, listeners, plane, issuer } = options;
    let plane = Plane::new(plane);
    let service = open(&state, &plane).await?;
    let socket = state.join(SOCKET);
    let server = during(Server::bind(&socket), format!("listen on {}", socket.display()))?;
    // With all its routes: nobody gets a wrong answer from a proxy that has just begun.
    let serving = listeners.into_iter().map(|listener| plane.serve(listener, stop.clone()));
    let serving: Vec<_> = during(serving.collect::<io::Result<_>>(), "serve a listening socket")?;
    let (asked, dir) = (service.clone(), state.clone());
    let issuer = tokio::task::spawn_blocking(move || asked.issue(&dir, issuer)).await;
    let issuer = during(issuer.map_err(io::Error::other), "open the accounts of certificates")?;
    let issuer = issuer.map_err(|source| WorkerError::State { path: state.clone(), source })?;
    let issuing = tokio::spawn(issuer.run(stop.clone()));
    tracing::info!(state = %state.display(), sockets = serving.len(), "the worker serves");
    server.run(service, stop).await;
    tracing::info!("the worker ends what is under way");
    join_all(serving.into_iter().map(Serving::finished)).await;
    if let Err(error) = issuing.await {
        tracing::warn!(%error, "what gets certificates ended badly");
    }
    Ok(())
}

/// Opens the ledger and publishes its routes, away from the runtime's threads.
async fn open(state: &Path, plane: &Plane) -> Result<Service, WorkerError> {
    let limit = Instant::now() + HANDOVER;
    loop {
        let (path, routes) = (state.to_owned(), Arc::new(plane.clone()));
        let opened = tokio::task::spawn_blocking(move || Service::open(&path, routes)).await;
        match during(opened.map_err(io::Error::other), "open the state directory")? {
            Err(StoreError::InUse) if Instant::now() < limit => sleep(Duration::from_millis(50)).await,
            opened => return opened.map_err(|source| WorkerError::State { path: state.to_owned(), source }),
        }
    }
}
