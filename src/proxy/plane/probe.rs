//! Asks a candidate whether it is healthy, over the network that will carry its traffic.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::future::join_all;
use futures_util::stream::unfold;
use http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::app::proxy::{ProbeAnswer, ProbeRequest};

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

pub(super) fn probe(request: ProbeRequest) -> BoxStream<'static, ProbeAnswer> {
    Box::pin(unfold((Some(request), None), |(request, probe): (_, Option<Probe>)| async move {
        // The time begins with the first poll.
        let mut probe = probe.or_else(|| request.map(Probe::new))?;
        let answer = probe.next_answer().await?;
        Some((answer, (None, Some(probe))))
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

async fn ask(request: &ProbeRequest, addresses: &[SocketAddr]) -> Result<(StatusCode, Option<String>), ProbeAnswer> {
    let stream = connect(addresses).await?;
    let broken = |error: &dyn std::error::Error| ProbeAnswer::Broken { message: innermost(error) };
    let (mut sender, connection) =
        http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(|e| broken(&e))?;
    let host = request.host.as_str().trim_start_matches("*.");
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let head = Request::builder()
        .uri(request.path.as_str())
        .header(HOST, host)
        .header(USER_AGENT, concat!("once/", env!("CARGO_PKG_VERSION"), " (health)"))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| broken(&e))?;
    let response = async {
        // The connection is done with when the head is there: what the body says does not matter.
        tokio::select! {
            biased;
            response = sender.send_request(head) => response,
            Err(error) = connection => Err(error),
        }
    };
    let response = response.await.map_err(|e| broken(&e))?;
    let location = response.headers().get(LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    Ok((response.status(), location))
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
