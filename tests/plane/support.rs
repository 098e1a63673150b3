//! A plane with demo apps behind it, and the plainest of clients.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use once_app::{AppId, ReleaseNumber, Route, RouteState, Target, Tls, UrlPath, Web};
use once_demo::app::serve;
use once_demo::{DemoConfig, DemoMode};
use once_proxy::plane::{AccessLog, Plane, PlaneOptions, Serving, Timeouts};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing here takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct House {
    pub plane: Plane,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: Serving,
    pub log: Arc<Mutex<Vec<u8>>>,
}

/// Nobody waits for an app that is not there.
pub fn impatient() -> PlaneOptions {
    let timeouts = Timeouts { outage: Duration::ZERO, ..Timeouts::default() };
    PlaneOptions { timeouts, ..PlaneOptions::default() }
}

impl House {
    pub fn new() -> Self {
        Self::with(PlaneOptions::default())
    }

    pub fn with(options: PlaneOptions) -> Self {
        Self::on(StdListener::bind("127.0.0.1:0").unwrap(), options)
    }

    pub fn on(listener: StdListener, options: PlaneOptions) -> Self {
        Self::ready(listener, options, Vec::new())
    }

    /// Knows its routes before it serves.
    pub fn ready(listener: StdListener, options: PlaneOptions, routes: Vec<Route>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        let access_log = AccessLog::To(Arc::new(move |block| sink.lock().unwrap().extend_from_slice(block)));
        let plane = Plane::new(PlaneOptions { access_log, threads: 2, ..options });
        plane.publish(routes);
        let stop = CancellationToken::new();
        let serving = plane.serve(listener, stop.clone()).unwrap();
        Self { address: serving.local_addr(), plane, stop, serving, log }
    }

    /// The log's lines once there are `count` of them.
    pub async fn lines(&self, count: usize) -> Vec<Value> {
        let lines = async {
            loop {
                let text = String::from_utf8(self.log.lock().unwrap().clone()).expect("the log is UTF-8");
                let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).expect(l)).collect();
                if lines.len() >= count {
                    return lines;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, lines).await.expect("log lines")
    }

    pub async fn get(&self, host: &str, target: &str) -> Reply {
        request(self.address, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }
}

/// A demo app on a port of its own; dropping it ends it as a crash would.
pub struct Demo {
    pub address: SocketAddr,
    pub end: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Demo {
    pub async fn start(version: &str) -> Self {
        Self::with(version, DemoMode::Ok).await
    }

    /// Speaks HTTP/2 and nothing else.
    pub async fn h2c(version: &str) -> Self {
        Self::configured(DemoConfig { version: version.to_owned(), h2c: true, ..DemoConfig::default() }).await
    }

    pub async fn with(version: &str, mode: DemoMode) -> Self {
        Self::configured(DemoConfig { version: version.to_owned(), mode, ..DemoConfig::default() }).await
    }

    /// On a port that may have been another one's before, as a container that is started again.
    pub async fn at(address: SocketAddr, version: &str, mode: DemoMode) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self::over(listener, DemoConfig { version: version.to_owned(), mode, ..DemoConfig::default() })
    }

    async fn configured(config: DemoConfig) -> Self {
        // One that nobody takes while it is dead.
        let port = crate::ports::free().unwrap();
        Self::over(TcpListener::bind(("127.0.0.1", port)).await.unwrap(), config)
    }

    fn over(listener: TcpListener, config: DemoConfig) -> Self {
        let address = listener.local_addr().unwrap();
        let end = CancellationToken::new();
        // A runtime of its own, so that ending it ends every connection at once.
        let ended = end.clone();
        let task = tokio::task::spawn_blocking(move || {
            let listener = listener.into_std().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let until = ended.clone();
                tokio::select! {
                    () = serve(listener, config, std::future::pending()) => {}
                    () = until.cancelled() => {}
                }
            });
        });
        Self { address, end, task }
    }

    /// As `kill -9` would: all its sockets close now.
    pub async fn kill(mut self) {
        self.end.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

pub fn app() -> AppId {
    AppId("app0".into())
}

pub fn route(release: u64, address: SocketAddr) -> Route {
    route_of("app0", "app.test", None, release, &address.to_string())
}

pub fn route_of(app: &str, host: &str, prefix: Option<&str>, release: u64, address: &str) -> Route {
    Route {
        app: AppId(app.into()),
        name: app.parse().unwrap(),
        hosts: vec![host.parse().unwrap()],
        path_prefix: prefix.map(|p| p.parse().unwrap()),
        tls: Tls::default(),
        web: Web::default(),
        target: Target { release: ReleaseNumber(release), address: address.to_owned() },
        state: RouteState::Serving,
        health_path: UrlPath::up(),
        canary: None,
    }
}

/// An answer, read until the connection's end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.eq_ignore_ascii_case(name));
        self.head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
    }

    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut reply = Self { status, head, body: bytes[at + 4..].to_vec() };
        if reply.header("transfer-encoding").is_some() {
            reply.body = unchunk(&reply.body);
        }
        Some(reply)
    }
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(at) = bytes.windows(2).position(|w| w == b"\r\n") {
        let Ok(length) = usize::from_str_radix(std::str::from_utf8(&bytes[..at]).unwrap_or("x"), 16) else { break };
        if length == 0 {
            break;
        }
        body.extend_from_slice(&bytes[at + 2..at + 2 + length]);
        bytes = &bytes[at + 4 + length..];
    }
    body
}

/// Sends bytes and reads to the end of the connection.
pub async fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is one way to close.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    answer
}

pub async fn request(address: SocketAddr, request: &str) -> Reply {
    let answer = raw(address, request.as_bytes()).await;
    Reply::parse(&answer).unwrap_or_else(|| panic!("no HTTP: {:?}", String::from_utf8_lossy(&answer)))
}

/// Waits until `is` says so.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let wait = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Bytes that a narrow socket's buffers are asked to take; the kernel doubles it.
pub const NARROW: usize = 4096;

/// A listening socket whose connections send from a buffer of so many bytes.
pub fn sends_from(bytes: usize) -> StdListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_send_buffer_size(bytes).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(128).unwrap();
    socket.into()
}

/// A client whose kernel takes little before it reads.
pub async fn narrow_client(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(u32::try_from(NARROW).unwrap()).unwrap();
    socket.connect(address).await.unwrap()
}
