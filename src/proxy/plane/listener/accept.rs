//! Listening sockets: who accepts which connection, and when all of them are gone.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::connection::connection;
use super::shutdown::Departure;
use super::worker::{Job, Threads};
use crate::plane::handle::Shared;
use crate::plane::options::Timeouts;
use crate::tls::TlsServer;

/// A listening socket that is being served. Dropping it changes nothing; its end comes with the token given to
/// [`Plane::serve`](crate::plane::Plane::serve).
pub struct Serving {
    pub(in crate::plane) listening: Arc<Listening>,
    pub(in crate::plane) address: SocketAddr,
    /// The threads live as long as anybody wants them.
    pub(in crate::plane) _threads: Arc<Threads>,
}

impl Serving {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Connections open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.listening.open.load(Ordering::SeqCst)
    }

    /// Resolves when the stop was asked for and nothing is open any more: what still came was answered with
    /// `Connection: close`, idle connections were closed after [`Timeouts::lame_duck`], the rest after
    /// [`Timeouts::stop`].
    pub async fn finished(self) {
        self.listening.stop.cancelled().await;
        loop {
            let closed = self.listening.closed.notified();
            if self.listening.open.load(Ordering::SeqCst) == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// What the threads know of a listening socket.
pub(in crate::plane) struct Listening {
    pub(in crate::plane) listener: TcpListener,
    pub(in crate::plane) stop: CancellationToken,
    pub(in crate::plane) departure: Arc<Departure>,
    pub(in crate::plane) timeouts: Timeouts,
    pub(in crate::plane) scheme: &'static str,
    pub(in crate::plane) local_port: u16,
    /// Shakes hands first.
    pub(in crate::plane) tls: Option<Arc<TlsServer>>,
    stopping: AtomicBool,
    open: AtomicUsize,
    closed: Notify,
}

impl Listening {
    pub(in crate::plane) fn new(
        listener: TcpListener,
        port: u16,
        tls: Option<Arc<TlsServer>>,
        stop: CancellationToken,
        departure: Arc<Departure>,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            listener,
            stop,
            departure,
            timeouts,
            scheme: if tls.is_some() { "https" } else { "http" },
            local_port: port,
            tls,
            stopping: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            closed: Notify::new(),
        }
    }

    /// Whether answers say `Connection: close`.
    pub(in crate::plane) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(in crate::plane) fn enter(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(Arc::clone(self))
    }
}

/// Something that [`Serving::finished`] waits for.
pub(in crate::plane) struct Open(Arc<Listening>);

impl Open {
    /// Resolves when upgraded connections are to close.
    pub(in crate::plane) async fn upgraded_end(&self) {
        self.0.stop.cancelled().await;
        self.0.departure.upgraded_end(&self.0.timeouts).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.closed.notify_waiters();
    }
}

/// How busy the threads are, and the way to them.
#[derive(Clone)]
pub(in crate::plane) struct Lanes {
    pub(in crate::plane) loads: Arc<[AtomicUsize]>,
    pub(in crate::plane) jobs: Arc<[tokio::sync::mpsc::WeakUnboundedSender<Job>]>,
}

/// A connection's weight on its thread.
pub(in crate::plane) struct Load {
    loads: Arc<[AtomicUsize]>,
    lane: usize,
}

impl Lanes {
    /// Stays where the kernel put it unless another thread has clearly fewer: a keep-alive connection never moves again.
    fn choose(&self, here: usize) -> Load {
        let load = |lane: &usize| self.loads[*lane].load(Ordering::Relaxed);
        let idlest = (0..self.loads.len()).min_by_key(load).unwrap_or(here);
        let lane = if load(&idlest) + 1 < load(&here) { idlest } else { here };
        self.loads[lane].fetch_add(1, Ordering::Relaxed);
        Load { loads: Arc::clone(&self.loads), lane }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.loads[self.lane].fetch_sub(1, Ordering::Relaxed);
    }
}

/// A client's connection on its way to the thread that serves it.
pub(in crate::plane) struct Arrival {
    pub(in crate::plane) address: SocketAddr,
    pub(in crate::plane) listening: Arc<Listening>,
    pub(in crate::plane) open: Open,
    pub(in crate::plane) load: Load,
}

/// Accepts until the stop, then what waits in the queue.
pub(in crate::plane) async fn accept(lane: usize, shared: Arc<Shared>, listening: Arc<Listening>, lanes: Lanes) {
    let _open = listening.enter();
    let Ok(listener) = listening.listener.try_clone().and_then(tokio::net::TcpListener::from_std) else { return };
    let take = |stream: TcpStream, address| {
        let load = lanes.choose(lane);
        let to = load.lane;
        let arrival = Arrival { address, listening: Arc::clone(&listening), open: listening.enter(), load };
        if to == lane {
            tokio::spawn(connection(lane, Arc::clone(&shared), stream, arrival));
        } else if let Some(jobs) = lanes.jobs[to].upgrade()
            && let Ok(stream) = stream.into_std()
        {
            // A thread that is gone is one of a process that ends.
            let _ = jobs.send(Job::Connection(stream, arrival));
        }
    };
    let stop = listening.stop.child_token();
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                take(stream, address);
                // Those who are let in already come first: of many handshakes at once, each would wait for all of them.
                tokio::task::yield_now().await;
            }
            Err(error) if is_about_one_client(&error) => {}
            // Out of descriptors: others need a moment to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    listening.stopping.store(true, Ordering::SeqCst);
    while let Some(Ok((stream, address))) = listener.accept().now_or_never() {
        take(stream, address);
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
