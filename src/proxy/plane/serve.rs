//! Listening sockets and clients' connections, from accept to the lame-duck end.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::departure::Departure;
use super::exchange::Context;
use super::handle::Shared;
use super::options::Timeouts;
use super::record::Peer;
use super::worker::{Job, Threads};
use super::{forwarded, proxy_protocol};
use crate::proxy::tls::{Shaken, TlsServer};

/// A listening socket that is being served. Dropping it changes nothing; its end comes with the token given to
/// [`Plane::serve`](super::Plane::serve).
pub struct Serving {
    pub(super) listening: Arc<Listening>,
    pub(super) address: SocketAddr,
    /// The threads live as long as anybody wants them.
    pub(super) _threads: Arc<Threads>,
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
pub(super) struct Listening {
    pub(super) listener: TcpListener,
    pub(super) stop: CancellationToken,
    pub(super) departure: Arc<Departure>,
    pub(super) timeouts: Timeouts,
    pub(super) scheme: &'static str,
    pub(super) local_port: u16,
    /// Shakes hands first.
    tls: Option<Arc<TlsServer>>,
    stopping: AtomicBool,
    open: AtomicUsize,
    closed: Notify,
}

impl Listening {
    pub(super) fn new(
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
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(super) fn enter(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(Arc::clone(self))
    }
}

/// Something that [`Serving::finished`] waits for.
pub(super) struct Open(Arc<Listening>);

impl Open {
    /// Resolves when upgraded connections are to close.
    pub(super) async fn upgraded_end(&self) {
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
pub(super) struct Lanes {
    pub(super) loads: Arc<[AtomicUsize]>,
    pub(super) jobs: Arc<[tokio::sync::mpsc::WeakUnboundedSender<Job>]>,
}

/// A connection's weight on its thread.
pub(super) struct Load {
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
pub(super) struct Arrival {
    pub(super) address: SocketAddr,
    pub(super) listening: Arc<Listening>,
    pub(super) open: Open,
    pub(super) load: Load,
}

/// Accepts until the stop, then what waits in the queue.
pub(super) async fn accept(lane: usize, shared: Arc<Shared>, listening: Arc<Listening>, lanes: Lanes) {
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
            Ok((stream, address)) => take(stream, address),
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

/// One client's connection, to its end.
pub(super) async fn connection(lane: usize, shared: Arc<Shared>, mut stream: TcpStream, arrival: Arrival) {
    let Arrival { mut address, listening, open: _open, load: _load } = arrival;
    let _ = stream.set_nodelay(true);
    let (scheme, local_port) = (listening.scheme, listening.local_port);
    let config = shared.config.load_full();
    if forwarded::is_named(&config.proxy_protocol_from, address.ip()) {
        match Box::pin(introduction(&mut stream, &listening)).await {
            Some(source) => address = source.unwrap_or(address),
            None => return,
        }
    }
    let client = address.ip().to_canonical();
    let trusted = forwarded::is_named(&config.trusted_proxies, client);
    let mut peer = Peer { address, client, trusted, ip: ip(client), scheme, local_port, sni: None };
    match &listening.tls {
        None => serve(lane, shared, stream, false, peer, listening).await,
        // On the heap: a plain connection has no need of the room.
        Some(tls) => {
            let shaken = Box::pin(shake(tls, stream, &listening)).await;
            let Some(Shaken { stream, name, http2 }) = shaken else { return };
            peer.sni = Some(name);
            Box::pin(serve(lane, shared, stream, http2, peer, Arc::clone(&listening))).await;
        }
    }
}

/// Whom a named peer speaks for. `None`: it did not say so in time, or not as it must.
async fn introduction(stream: &mut TcpStream, listening: &Listening) -> Option<Option<SocketAddr>> {
    let read = tokio::time::timeout(listening.timeouts.head, proxy_protocol::read(stream));
    tokio::select! {
        read = read => read.ok()?.ok(),
        () = async { listening.stop.cancelled().await; tokio::time::sleep(listening.timeouts.lame_duck).await } => None,
    }
}

async fn shake(tls: &TlsServer, stream: TcpStream, listening: &Listening) -> Option<Shaken> {
    tokio::select! {
        shaken = tls.accept(stream, tokio::time::Instant::now() + listening.timeouts.handshake) => shaken,
        () = async { listening.stop.cancelled().await; tokio::time::sleep(listening.timeouts.lame_duck).await } => None,
    }
}

async fn serve<S>(lane: usize, shared: Arc<Shared>, stream: S, http2: bool, peer: Peer, listening: Arc<Listening>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pulse = Arc::new(Pulse::new());
    let buffer = shared.options.buffer;
    let context =
        Arc::new(Context { shared, listening: Arc::clone(&listening), lane, peer, pulse: Arc::clone(&pulse) });
    let service = service_fn(move |request| {
        let context = Arc::clone(&context);
        async move { Ok::<_, std::convert::Infallible>(context.exchange(request).await) }
    });
    let io = TokioIo::new(ClientIo { stream, pulse: Arc::clone(&pulse) });
    // A lock of its own: the listening socket's would be shared by all threads, for each request.
    let stop = listening.stop.child_token();
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        let served = pin!(builder.serve_connection(io, service));
        // Which says at once that no new stream is wanted, and takes those that are on their way.
        to_the_end(served, http2::Connection::graceful_shutdown, Leave::AtOnce, &pulse, &listening, &stop).await;
    } else {
        let mut builder = http1::Builder::new();
        builder.max_buf_size(buffer).max_header_size(buffer);
        let served = pin!(builder.serve_connection(io, service).with_upgrades());
        let wind_down = http1::UpgradeableConnection::graceful_shutdown;
        to_the_end(served, wind_down, Leave::AfterLameDuck, &pulse, &listening, &stop).await;
    }
}

async fn to_the_end<C: Future>(
    mut served: Pin<&mut C>,
    wind_down: impl Fn(Pin<&mut C>),
    leave: Leave,
    pulse: &Pulse,
    listening: &Listening,
    stop: &CancellationToken,
) {
    let timeouts = &listening.timeouts;
    let mut stopped = pin!(stop.cancelled());
    let mut watchdog = pin!(tokio::time::sleep(timeouts.head.min(timeouts.idle)));
    let mut end = End::Open;
    loop {
        tokio::select! {
            biased;
            _ = served.as_mut() => return,
            () = stopped.as_mut(), if end == End::Open => {
                end = End::LameDuck;
                let pause = if leave == Leave::AtOnce { Duration::ZERO } else { timeouts.lame_duck };
                watchdog.as_mut().reset(tokio::time::Instant::now() + pause);
            }
            () = watchdog.as_mut() => match end {
                End::Open => match pulse.next_look(timeouts) {
                    Some(at) => watchdog.as_mut().reset(at.into()),
                    None => return,
                },
                End::LameDuck => {
                    end = End::Closing;
                    wind_down(served.as_mut());
                    let rest = listening.departure.rest(timeouts);
                    watchdog.as_mut().reset(tokio::time::Instant::now() + rest);
                }
                End::Closing => return,
            },
        }
    }
}

/// When a connection may be wound down after the stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    AtOnce,
    /// hyper would reset a client that sends a request just now; so it is given time to.
    AfterLameDuck,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    LameDuck,
    Closing,
}

fn ip(ip: IpAddr) -> HeaderValue {
    HeaderValue::try_from(ip.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}

/// What a connection is doing, for the watchdog: one timer a connection instead of one or two a request.
pub(super) struct Pulse {
    state: AtomicU8,
    since: AtomicU64,
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

impl Pulse {
    /// A new connection owes its first head.
    fn new() -> Self {
        Self { state: AtomicU8::new(HEAD), since: AtomicU64::new(clock::millis(Instant::now())) }
    }

    fn enter(&self, state: u8) {
        self.since.store(clock::millis(Instant::now()), Ordering::Relaxed);
        self.state.store(state, Ordering::Relaxed);
    }

    /// A request has come.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.state.store(BUSY, Ordering::Relaxed);
        Busy(Arc::clone(self))
    }

    /// When to look again; `None`: the client took too long.
    fn next_look(&self, timeouts: &Timeouts) -> Option<Instant> {
        let now = Instant::now();
        let limit = match self.state.load(Ordering::Relaxed) {
            BUSY => return Some(now + timeouts.head),
            HEAD => timeouts.head,
            _ => timeouts.idle,
        };
        let due = clock::at_millis(self.since.load(Ordering::Relaxed)) + limit;
        // A head may begin at any time and has its own limit.
        (due > now).then(|| due.min(now + timeouts.head))
    }
}

/// A request's part of a connection's life.
pub(super) struct Busy(Arc<Pulse>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(IDLE);
    }
}

/// A client's socket that notices the first bytes of a head.
struct ClientIo<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() && self.pulse.state.load(Ordering::Relaxed) == IDLE {
            self.pulse.enter(HEAD);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
