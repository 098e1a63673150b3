//! One client's connection: which protocol it speaks, and when it ends.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::accept::{Arrival, Listening};
use super::activity::Pulse;
use super::client_socket::{ClientSocket, Protocol};
use super::connection_limit;
use super::h2_streams::Streams;
use super::proxy_protocol;
use crate::plane::body::AnswerBody;
use crate::plane::handle::Shared;
use crate::plane::options::{PlaneOptions, Timeouts};
use crate::plane::request::exchange::Context;
use crate::plane::request::forwarded;
use crate::plane::telemetry::record::Peer;
use crate::tls::{Shaken, TlsServer};

/// One client's connection, to its end.
pub(in crate::plane) async fn connection(lane: usize, shared: Arc<Shared>, mut stream: TcpStream, arrival: Arrival) {
    let Arrival { mut address, listening, open: _open, load: _load } = arrival;
    let _ = stream.set_nodelay(true);
    let (scheme, local_port) = (listening.scheme, listening.local_port);
    // A lock of its own: the listening socket's would be shared by all threads, for each request.
    let stop = listening.stop.child_token();
    let config = shared.config.load_full();
    if forwarded::is_named(&config.proxy_protocol_from, address.ip()) {
        match Box::pin(introduction(&mut stream, &listening.timeouts, &stop)).await {
            Some(source) => address = source.unwrap_or(address),
            None => return,
        }
    }
    let client = address.ip().to_canonical();
    let Some(_place) = shared.crowd.admit(client, &config) else {
        if listening.tls.is_none() {
            // Whether it arrives or not, the connection ends here.
            let _ = stream.try_write(connection_limit::BUSY);
        }
        return;
    };
    let trusted = forwarded::is_named(&config.trusted_proxies, client);
    let mut peer = Peer { address, client, trusted, ip: ip(client), scheme, local_port, sni: None };
    match &listening.tls {
        None => serve(lane, shared, stream, None, peer, listening, stop).await,
        // On the heap: a plain connection has no need of the room.
        Some(tls) => {
            let shaken = Box::pin(shake(tls, stream, &listening.timeouts, &stop)).await;
            let Some(Shaken { stream, name, http2 }) = shaken else { return };
            peer.sni = Some(name);
            let protocol = Some(if http2 { Protocol::Http2 } else { Protocol::Http1 });
            Box::pin(serve(lane, shared, stream, protocol, peer, Arc::clone(&listening), stop)).await;
        }
    }
}

/// Whom a named peer speaks for. `None`: it did not say so in time, or not as it must.
async fn introduction(
    stream: &mut TcpStream,
    timeouts: &Timeouts,
    stop: &CancellationToken,
) -> Option<Option<SocketAddr>> {
    tokio::select! {
        read = tokio::time::timeout(timeouts.head, proxy_protocol::read(stream)) => read.ok()?.ok(),
        () = lame_duck(timeouts, stop) => None,
    }
}

async fn shake(tls: &TlsServer, stream: TcpStream, timeouts: &Timeouts, stop: &CancellationToken) -> Option<Shaken> {
    tokio::select! {
        shaken = tls.accept(stream, Instant::now() + timeouts.handshake) => shaken,
        () = lame_duck(timeouts, stop) => None,
    }
}

/// Resolves when connections that have not said anything are to close.
async fn lame_duck(timeouts: &Timeouts, stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(timeouts.lame_duck).await;
}

/// Serves a connection whose other end is known. `protocol`: agreed upon already; else it shows.
pub(in crate::plane) async fn serve<S>(
    lane: usize,
    shared: Arc<Shared>,
    stream: S,
    protocol: Option<Protocol>,
    peer: Peer,
    listening: Arc<Listening>,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = &shared.options;
    let pulse = Arc::new(Pulse::new(&options.limits));
    let mut socket = ClientSocket::new(stream, Arc::clone(&pulse), options.limits.clone());
    let protocol = match protocol {
        Some(protocol) => protocol,
        None => match first_bytes(&mut socket, &options.timeouts, &stop).await {
            Some(protocol) => protocol,
            None => return,
        },
    };
    let context = Context {
        shared: Arc::clone(&shared),
        listening: Arc::clone(&listening),
        lane,
        peer,
        pulse: Arc::clone(&pulse),
    };
    let context = Arc::new(context);
    let service = service_fn(move |request| {
        let context = Arc::clone(&context);
        async move { Ok::<_, std::convert::Infallible>(context.exchange(request).await) }
    });
    let io = TokioIo::new(socket);
    match protocol {
        Protocol::Http1 => {
            let (mut io, mut service) = (io, service);
            loop {
                let mut served = http1(options).serve_connection(io, service).with_upgrades();
                let ended = to_the_end(Pin::new(&mut served), &pulse, &listening, &stop).await;
                // An idle connection keeps its socket only: hyper's buffers are the largest part of it.
                let (Ended::Resting, Some(parts)) = (ended, served.into_parts()) else { return };
                (io, service) = (parts.io, parts.service);
                io.inner_mut().put_back(parts.read_buf);
                if !woken(io.inner_mut(), pulse.rests_until(&listening.timeouts), &listening.timeouts, &stop).await {
                    return;
                }
            }
        }
        // On the heap: most connections are none, and wait in the same room.
        Protocol::Http2 => {
            pulse.multiplex();
            let mut served = Box::pin(http2(options).serve_connection(io, service));
            to_the_end(served.as_mut(), &pulse, &listening, &stop).await;
        }
    }
}

/// Waits until a resting connection is used again. `false`: it has ended, or is to end.
async fn woken<S>(
    socket: &mut ClientSocket<S>,
    until: std::time::Instant,
    timeouts: &Timeouts,
    stop: &CancellationToken,
) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        biased;
        woken = socket.wake() => woken,
        () = sleep_until(until.into()) => false,
        () = lame_duck(timeouts, stop) => false,
    }
}

async fn first_bytes<S>(socket: &mut ClientSocket<S>, timeouts: &Timeouts, stop: &CancellationToken) -> Option<Protocol>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        biased;
        protocol = socket.sniff() => protocol.ok(),
        () = sleep(timeouts.head.min(timeouts.idle)) => None,
        () = lame_duck(timeouts, stop) => None,
    }
}

pub(in crate::plane) fn http1(options: &PlaneOptions) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(options.buffer).max_header_size(options.buffer);
    builder
}

fn http2(options: &PlaneOptions) -> http2::Builder<Streams> {
    let limits = &options.limits;
    let mut builder = http2::Builder::new(Streams { stall: options.timeouts.stall });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(options.buffer).unwrap_or(u32::MAX))
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_send_buf_size(options.buffer)
        .max_local_error_reset_streams(limits.faults)
        .enable_connect_protocol();
    builder
}

/// What is the same for every protocol.
trait Served: Future {
    /// Lets what is under way end, takes nothing new.
    fn wind_down(self: Pin<&mut Self>);
}

impl<I, S> Served for http1::UpgradeableConnection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<AnswerBody>>,
    S::Error: std::error::Error + Send + Sync + 'static,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Served for http2::Connection<I, S, Streams>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: Service<Request<Incoming>, Response = Response<AnswerBody>>,
    S::Error: std::error::Error + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    fn wind_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// hyper would reset an HTTP/1 client that sends a request just now; so it is given time to.
    LameDuck,
    /// An HTTP/2 client was idle for too long and is told to go; what it asks for meanwhile is answered.
    Leaving,
    Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Nothing is under way, and nothing has come for a while.
    Resting,
    Over,
}

async fn to_the_end<C: Served>(
    mut served: Pin<&mut C>,
    pulse: &Pulse,
    listening: &Listening,
    stop: &CancellationToken,
) -> Ended {
    let timeouts = &listening.timeouts;
    let mut stopped = pin!(stop.cancelled());
    let mut watchdog = pin!(sleep(timeouts.head.min(timeouts.idle).min(timeouts.stall)));
    let mut end = End::Open;
    loop {
        tokio::select! {
            biased;
            _ = served.as_mut() => return Ended::Over,
            () = stopped.as_mut(), if matches!(end, End::Open | End::Leaving) => {
                if pulse.is_multiplexed() {
                    // GOAWAY loses nothing: it says which requests still count.
                    end = End::Closing;
                    served.as_mut().wind_down();
                    watchdog.as_mut().reset(Instant::now() + listening.departure.rest(timeouts));
                } else {
                    end = End::LameDuck;
                    watchdog.as_mut().reset(Instant::now() + timeouts.lame_duck);
                }
            }
            () = watchdog.as_mut() => match end {
                End::Open if pulse.rests() => return Ended::Resting,
                End::Open => match pulse.next_look(timeouts) {
                    Some(at) => watchdog.as_mut().reset(at.into()),
                    None if pulse.is_owed_a_word() => {
                        pulse.expire();
                        end = End::Closing;
                        watchdog.as_mut().reset(Instant::now() + timeouts.lame_duck);
                    }
                    None if pulse.is_multiplexed() && !pulse.is_stuck() => {
                        end = End::Leaving;
                        served.as_mut().wind_down();
                        watchdog.as_mut().reset(Instant::now() + timeouts.lame_duck);
                    }
                    None => return Ended::Over,
                },
                End::Leaving if pulse.is_busy() && !pulse.is_stuck() => {
                    watchdog.as_mut().reset(Instant::now() + timeouts.lame_duck);
                }
                End::LameDuck => {
                    end = End::Closing;
                    served.as_mut().wind_down();
                    watchdog.as_mut().reset(Instant::now() + listening.departure.rest(timeouts));
                }
                End::Leaving | End::Closing => return Ended::Over,
            },
        }
    }
}

fn ip(ip: IpAddr) -> HeaderValue {
    HeaderValue::try_from(ip.to_string()).unwrap_or(HeaderValue::from_static("unknown"))
}
