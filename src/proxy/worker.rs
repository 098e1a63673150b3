//! The process that does the proxy's work: the supervisor's sockets, the state directory and the control socket, put
//! together.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::acme::{Issuer, IssuerOptions};
use crate::client::Client;
use crate::control::Server;
use crate::parent::{Line, Order, Report};
use crate::plane::{Plane, PlaneOptions, Serving};
use crate::scrape;
use crate::service::{HandOver, Service};
use crate::store::StoreError;
use once_app::proxy::ProxyError;

/// The control socket's name in the state directory.
pub const SOCKET: &str = "control.sock";

/// Where a worker listens that is about to relieve another.
const NEXT_SOCKET: &str = "control.next.sock";

/// How long a former worker may take to let go of the ledger.
const HANDOVER: Duration = Duration::from_secs(15);

/// What a worker works with.
#[derive(Debug)]
pub struct WorkerOptions {
    /// The state directory.
    pub state: PathBuf,
    /// Listening sockets, from the supervisor.
    pub listeners: Vec<TcpListener>,
    /// The same, for clients that speak TLS.
    pub tls_listeners: Vec<TcpListener>,
    /// How requests are served.
    pub plane: PlaneOptions,
    /// How certificates are obtained.
    pub issuer: IssuerOptions,
    /// The line to the supervisor, where there is one.
    pub line: Option<Line>,
    /// Whether another worker serves and is to be relieved.
    pub relieves: bool,
    /// The port for Prometheus, open while [`ProxyConfig::metrics_port`](once_app::ProxyConfig::metrics_port) is set.
    pub metrics: u16,
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
    /// The worker that serves does not let itself be relieved.
    #[error("the serving worker does not hand over")]
    HandOver(#[source] ProxyError),
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
/// [`Timeouts`](crate::plane::Timeouts).
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

/// Serves until told to stop, or until it was relieved and has nothing under way any more.
///
/// # Errors
/// It could not begin.
pub async fn serve(options: WorkerOptions, stop: CancellationToken) -> Result<(), WorkerError> {
    let WorkerOptions { state, listeners, tls_listeners, plane, issuer, mut line, relieves, metrics } = options;
    let limits = plane.timeouts.clone();
    let plane = Plane::new(plane);
    let socket = state.join(SOCKET);
    let handed = if relieves { ask_for_the_rest(&socket).await? } else { None };
    let service = open(&state, &plane).await?;
    if let Some(handed) = handed {
        service.inherit(handed);
    }
    let place = if relieves { state.join(NEXT_SOCKET) } else { socket.clone() };
    let mut server = during(Server::bind(&place), format!("listen on {}", place.display()))?;
    if relieves {
        if !is_put_in_charge(line.as_mut(), &stop).await {
            return Ok(());
        }
        during(server.move_to(&socket), format!("listen on {}", socket.display()))?;
    } else {
        service.mirror_all().await;
    }
    // With all its routes: nobody gets a wrong answer from a proxy that has just begun.
    let end = CancellationToken::new();
    let plain = listeners.into_iter().map(|listener| plane.serve(listener, end.clone()));
    let tls = tls_listeners.into_iter().map(|listener| plane.serve_tls(listener, end.clone()));
    let serving: Vec<_> = during(plain.chain(tls).collect::<io::Result<_>>(), "serve a listening socket")?;
    let issuer = issuer_of(&service, &state, issuer).await;
    let issuing = tokio::spawn({
        let end = end.clone();
        async move {
            if let Some(issuer) = issuer {
                issuer.run(end).await;
            }
        }
    });
    tracing::info!(state = %state.display(), sockets = serving.len(), "the worker serves");
    if let Some(mut line) = line {
        if !relieves {
            line.tell(&Report::Ready).await;
        }
        let service = service.clone();
        tokio::spawn(async move { service.serve_for(line).await });
    }
    let shown = plane.clone();
    let exposition = Arc::new(move || shown.exposition());
    let scraped = tokio::spawn(scrape::follow(metrics, plane.metrics_wanted(), exposition));
    let told = tokio::spawn(server.run(service.clone(), end.clone()));
    let relieved = tokio::select! {
        () = stop.cancelled() => false,
        () = service.moved() => true,
    };
    scraped.abort();
    if relieved {
        plane.leave();
    }
    tracing::info!(relieved, "the worker ends what is under way");
    end.cancel();
    let mut finished = pin!(join_all(serving.into_iter().map(Serving::finished)));
    tokio::select! {
        _ = finished.as_mut() => {}
        () = stop.cancelled(), if relieved => {
            plane.hurry();
            // What does not end by then ends with the process.
            let _ = timeout(limits.stop, finished).await;
        }
    }
    if let Err(error) = told.await {
        tracing::warn!(%error, "the control socket's end");
    }
    if let Err(error) = issuing.await {
        tracing::warn!(%error, "what gets certificates ended badly");
    }
    service.finish().await;
    Ok(())
}

/// A directory that cannot be used costs new certificates, and not the apps that are served.
async fn issuer_of(service: &Service, state: &Path, options: IssuerOptions) -> Option<Issuer> {
    let (service, state) = (service.clone(), state.to_owned());
    let opened = tokio::task::spawn_blocking(move || service.issue(&state, options).map_err(io::Error::other)).await;
    match opened.map_err(io::Error::other).and_then(|opened| opened) {
        Ok(issuer) => Some(issuer),
        Err(error) => {
            tracing::error!(%error, "no certificates are obtained: accounts and schedules cannot be read");
            None
        }
    }
}

/// What the serving worker has in memory only; `None`: it died meanwhile, and took it along.
async fn ask_for_the_rest(socket: &Path) -> Result<Option<HandOver>, WorkerError> {
    match Client::connect_unix(socket).hand_over().await {
        Ok(handed) => Ok(Some(handed)),
        Err(ProxyError::Unreachable { message } | ProxyError::Interrupted { message }) => {
            tracing::warn!(message, "the serving worker is gone: locks and holds begin anew");
            Ok(None)
        }
        Err(error) => Err(WorkerError::HandOver(error)),
    }
}

/// Says that it is ready, and waits for the supervisor's decision.
async fn is_put_in_charge(line: Option<&mut Line>, stop: &CancellationToken) -> bool {
    let Some(line) = line else { return false };
    line.tell(&Report::Ready).await;
    tokio::select! {
        order = line.order() => order == Order::Serve,
        () = stop.cancelled() => false,
    }
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
