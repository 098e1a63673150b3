//! Asks a candidate whether it is healthy, over the network that will carry its traffic.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::future::join_all;
use futures_util::stream::unfold;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, LOCATION, TE, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{Instrument, debug, debug_span};

use once_app::Upstream;
use once_app::proxy::{ProbeAnswer, ProbeRequest};

const FIRST_INTERVAL: Duration = Duration::from_millis(25);
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
const ONE_TRY: Duration = Duration::from_secs(5);
/// Looking for the right port takes connections: not while the app may only be slow to start, and rarely.
const SCAN_AFTER: Duration = Duration::from_secs(1);
const SCAN_EVERY: Duration = Duration::from_secs(5);
const SCAN_LIMIT: Duration = Duration::from_millis(300);
const USUAL_PORTS: [u16; 7] = [80, 3000, 8000, 8080, 4000, 5000, 9292];

struct Probe {
    request: ProbeRequest,
    started: Instant,
    end: Instant,
    interval: Duration,
    next: Instant,
    scanned: Option<Instant>,
    open_ports: Vec<u16>,
    over: bool,
}

pub(in crate::plane) fn probe(request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
    let span = debug_span!("probe", address = request.address, path = request.path.as_str());
    Box::pin(unfold((Some(request), None), move |(request, probe): (_, Option<Probe>)| {
        async move {
            // The time begins with the first poll.
            let mut probe = probe.or_else(|| request.map(Probe::new))?;
            let answer = probe.next_answer().await?;
            debug!(?answer, "probed");
            Some((answer, (None, Some(probe))))
        }
        .instrument(span.clone())
    }))
}

impl Probe {
    fn new(request: ProbeRequest) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            end: now + Duration::from_millis(request.timeout_ms),
            interval: FIRST_INTERVAL,
            next: now,
            scanned: None,
            open_ports: Vec::new(),
            over: false,
            request,
        }
    }

    async fn next_answer(&mut self) -> Option<ProbeAnswer> {
        if self.over {
            return None;
        }
        sleep_until(self.next).await;
        let started = Instant::now();
        let limit = (started + ONE_TRY).min(self.end);
        // A name server that does not answer has not given an address.
        let mut answer = match timeout_at(limit, resolve(&self.request.address)).await {
            Err(_) => ProbeAnswer::NoAddress,
            Ok(addresses) => match timeout_at(limit, ask(&self.request, &addresses)).await {
                Ok(Ok(status)) => Self::judge(status, started),
                Ok(Err(answer)) => answer,
                Err(_) => ProbeAnswer::TimedOut,
            },
        };
        let now = Instant::now();
        self.next = now + self.interval;
        self.interval = (self.interval * 2).min(LONGEST_INTERVAL);
        self.over = matches!(answer, ProbeAnswer::Healthy { .. }) || self.next >= self.end;
        if let ProbeAnswer::Refused { open_ports } = &mut answer {
            self.scan(now).await;
            open_ports.clone_from(&self.open_ports);
        }
        Some(answer)
    }

    fn judge((status, location): (StatusCode, Option<String>), started: Instant) -> ProbeAnswer {
        if status.is_success() {
            let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            return ProbeAnswer::Healthy { status: status.as_u16(), took_ms };
        }
        ProbeAnswer::Status { status: status.as_u16(), location: location.filter(|_| status.is_redirection()) }
    }

    async fn scan(&mut self, now: Instant) {
        let due = match self.scanned {
            None => now >= self.started + SCAN_AFTER,
            Some(at) => now >= at + SCAN_EVERY,
        };
        if !due && !self.over {
            return;
        }
        self.scanned = Some(now);
        self.open_ports = open_ports(&self.request).await;
    }
}

/// Where gRPC servers that have no other page say how they are.
const GRPC_HEALTH: &str = "/grpc.health.v1.Health/Check";
/// More than this is no answer to that.
const GRPC_ANSWER: usize = 4096;

fn broken(error: &dyn std::error::Error) -> ProbeAnswer {
    ProbeAnswer::Broken { message: innermost(error) }
}

async fn ask(request: &ProbeRequest, addresses: &[SocketAddr]) -> Result<(StatusCode, Option<String>), ProbeAnswer> {
    let stream = TokioIo::new(connect(addresses).await?);
    let host = request.host.as_str().trim_start_matches("*.");
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let head = Request::builder()
        .header(USER_AGENT, concat!("once/", env!("CARGO_PKG_VERSION"), " (health)"))
        .header(ACCEPT, "*/*");
    let path = request.path.as_str();
    match request.upstream {
        Upstream::Http1 => {
            let (mut sender, connection) = http1::handshake(stream).await.map_err(|e| broken(&e))?;
            let head = head.uri(path).header(HOST, host).header(CONNECTION, "close");
            let head = head.body(Full::<Bytes>::default()).map_err(|e| broken(&e))?;
            first(sender.send_request(head), connection).await.map(|response| told(&response))
        }
        Upstream::H2c => {
            let handshake = http2::handshake(TokioExecutor::new(), stream);
            let (mut sender, connection) = handshake.await.map_err(|e| broken(&e))?;
            let head = head.uri(format!("http://{host}{path}"));
            if path == GRPC_HEALTH {
                let head = head.method(Method::POST).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
                // An empty message: how is the server as a whole?
                let head = head.body(Full::new(Bytes::from_static(&[0; 5]))).map_err(|e| broken(&e))?;
                let asked = async { Ok(grpc(sender.send_request(head).await?).await) };
                return first(asked, connection).await?;
            }
            let head = head.body(Full::default()).map_err(|e| broken(&e))?;
            first(sender.send_request(head), connection).await.map(|response| told(&response))
        }
    }
}

/// What comes of a question, while its connection is driven. That is done with when the head is there: what the body says
/// does not matter.
async fn first<T>(
    asked: impl Future<Output = hyper::Result<T>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Result<T, ProbeAnswer> {
    tokio::select! {
        biased;
        answer = asked => answer,
        Err(error) = connection => Err(error),
    }
    .map_err(|error| broken(&error))
}

fn told<B>(response: &Response<B>) -> (StatusCode, Option<String>) {
    let location = response.headers().get(LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    (response.status(), location)
}

/// What a gRPC server says of its health: `grpc-status` 0, and a message with field 1 being 1, SERVING.
async fn grpc(response: Response<Incoming>) -> Result<(StatusCode, Option<String>), ProbeAnswer> {
    let (head, body) = response.into_parts();
    if !head.status.is_success() {
        return Ok((head.status, None));
    }
    let body = Limited::new(body, GRPC_ANSWER).collect().await;
    let body = body.map_err(|error| ProbeAnswer::Broken { message: error.to_string() })?;
    let status = |headers: &HeaderMap| headers.get("grpc-status").map(|v| v.as_bytes().to_vec());
    let status = body.trailers().and_then(status).or_else(|| status(&head.headers));
    let message = body.to_bytes();
    match status.as_deref() {
        Some(b"0") if message.get(5..) == Some(&[8, 1]) => Ok((head.status, None)),
        Some(b"0") => Err(ProbeAnswer::Broken { message: "its gRPC health is not SERVING".to_owned() }),
        Some(code) => {
            let code = String::from_utf8_lossy(code);
            Err(ProbeAnswer::Broken { message: format!("its gRPC health check ended with status {code}") })
        }
        None => Err(ProbeAnswer::Broken { message: "its answer is no gRPC".to_owned() }),
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, ProbeAnswer> {
    let mut answer = ProbeAnswer::NoAddress;
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                use std::io::ErrorKind as Kind;
                answer = match error.kind() {
                    Kind::ConnectionRefused => ProbeAnswer::Refused { open_ports: Vec::new() },
                    // The engine still knows the name, the container is off the network.
                    Kind::HostUnreachable | Kind::NetworkUnreachable => ProbeAnswer::NoAddress,
                    Kind::TimedOut => ProbeAnswer::TimedOut,
                    _ => ProbeAnswer::Broken { message: error.to_string() },
                };
            }
        }
    }
    Err(answer)
}

/// Empty: the name is not known, or not yet.
async fn resolve(address: &str) -> Vec<SocketAddr> {
    tokio::net::lookup_host(address).await.map(Iterator::collect).unwrap_or_default()
}

async fn open_ports(request: &ProbeRequest) -> Vec<u16> {
    let Some(first) = resolve(&request.address).await.into_iter().next() else { return Vec::new() };
    let mut ports: Vec<u16> = request.other_ports.iter().chain(&USUAL_PORTS).copied().collect();
    ports.sort_unstable();
    ports.dedup();
    ports.retain(|port| *port != first.port());
    let tries = ports.into_iter().map(|port| async move {
        let connected = timeout(SCAN_LIMIT, TcpStream::connect(SocketAddr::new(first.ip(), port))).await;
        matches!(connected, Ok(Ok(_))).then_some(port)
    });
    join_all(tries).await.into_iter().flatten().collect()
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
