//! Why a request failed, as the access log and Prometheus tell it: each cause is brought about for real.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_app::proxy::DrainLimits;
use once_app::{ReleaseNumber, Route, RouteState, Upstream};
use once_proxy::plane::{PlaneOptions, Timeouts};
use serde_json::Value;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Demo, House, app, route, route_of, until};

const BOTH: [Upstream; 2] = [Upstream::Http1, Upstream::H2c];

/// Nobody waits for an app that is not there, and what has a limit has a short one.
fn hasty() -> PlaneOptions {
    let short = Duration::from_millis(400);
    let timeouts = Timeouts { outage: Duration::ZERO, connect: short, response_head: short, ..Timeouts::default() };
    PlaneOptions { timeouts, ..PlaneOptions::default() }
}

fn speaking(route: Route, upstream: Upstream) -> Route {
    let mut route = route;
    route.web.upstream = upstream;
    route
}

/// What the log says of one request: level, status and error.
fn told(line: &Value) -> (&str, u64, &str) {
    (line["level"].as_str().unwrap(), line["status"].as_u64().unwrap(), line["error"].as_str().unwrap_or_default())
}

/// One request to an app at this address, and its line.
async fn asked(address: &str, upstream: Upstream) -> Value {
    let house = House::with(hasty());
    house.plane.set_route(speaking(route_of("app0", "app.test", None, 1, address), upstream));
    // An answer that breaks off is none.
    crate::support::raw(house.address, b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
    let line = house.lines(1).await.remove(0);
    let (cause, figures) = (line["error"].as_str().unwrap_or_default(), house.plane.exposition());
    let series = format!("once_http_failed_total{{service=\"app0\",cause=\"{cause}\"}} 1\n");
    assert!(figures.contains(&series), "{series} is not in\n{figures}");
    assert!(figures.contains("once_http_failed_total{service=\"app0\"} 0\n"), "{figures}");
    line
}

/// A port that nobody listens on and nobody else can take.
fn deaf() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// An app that reads a request's first bytes, says this and hangs up; `None`: it says nothing and stays.
async fn says(words: Option<&'static [u8]>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = [0; 4096];
            let _ = stream.read(&mut seen).await;
            match words {
                Some(words) => {
                    let _ = stream.write_all(words).await;
                    let _ = stream.shutdown().await;
                    // All of it is read, so that the end is no reset.
                    tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
                }
                None => kept.push(stream),
            }
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_refuses() {
    let (_kept, address) = deaf();
    for upstream in BOTH {
        let line = asked(&address.to_string(), upstream).await;
        assert_eq!(told(&line), ("WARN", 502, "refused"));
        assert!(line["error_detail"].as_str().unwrap().starts_with("Connection refused"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_known() {
    for upstream in BOTH {
        assert_eq!(told(&asked("nobody.invalid:80", upstream).await), ("WARN", 502, "no-address"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_no_connection() {
    let (socket, address) = deaf();
    socket.listen(0).unwrap();
    // Its queue is full when the next one does not get through.
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queue.push(stream.unwrap());
    }
    for upstream in BOTH {
        assert_eq!(told(&asked(&address.to_string(), upstream).await), ("WARN", 502, "connect-timeout"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_does_not_begin_its_answer() {
    for upstream in BOTH {
        let line = asked(&says(None).await.to_string(), upstream).await;
        assert_eq!(told(&line), ("WARN", 504, "head-timeout"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_up_before_its_answer() {
    for upstream in BOTH {
        let line = asked(&says(Some(b"")).await.to_string(), upstream).await;
        assert_eq!(told(&line), ("WARN", 502, "closed-early"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_speaks_something_else() {
    for upstream in BOTH {
        let line = asked(&says(Some(b"SSH-2.0-OpenSSH_9.6 and more of it\r\n")).await.to_string(), upstream).await;
        assert_eq!(told(&line), ("WARN", 502, "not-http"), "{line}");
        assert!(!line["error_detail"].as_str().unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_breaks_off() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it";
    let line = asked(&says(Some(half)).await.to_string(), Upstream::Http1).await;
    assert_eq!(told(&line), ("WARN", 200, "broken-off"), "{line}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = |_: Request<Incoming>| async {
            // More than the window takes: when the last one is asked for, the first ones have been read.
            let piece = || Ok(Frame::data(Bytes::from_static(&[b'x'; 65_535])));
            let pieces = [piece(), piece(), piece(), Err(std::io::Error::other("no more"))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(pieces))))
        };
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service_fn(answer)).await;
    });
    let line = asked(&address.to_string(), Upstream::H2c).await;
    assert_eq!(told(&line), ("WARN", 200, "broken-off"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cuts() {
    for upstream in BOTH {
        let house = House::new();
        house.plane.set_route(speaking(route(1, says(None).await), upstream));
        let mut client = TcpStream::connect(house.address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        let limits = DrainLimits { requests_ms: 0, upgraded_ms: 0 };
        house.plane.drain(&app(), ReleaseNumber(1), limits).collect::<Vec<_>>().await;
        assert_eq!(told(&house.lines(1).await[0]), ("WARN", 504, "cut"));
    }
}

/// Who tries it says what it met, the others that they waited for somebody else's try.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_outlasts_those_who_wait() {
    let (_kept, address) = deaf();
    for upstream in BOTH {
        let timeouts = Timeouts { outage: Duration::from_secs(1), ..Timeouts::default() };
        let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
        house.plane.set_route(speaking(route(1, address), upstream));
        let second = async {
            until("the first one waits", || house.plane.traffic(&app()).held == 1).await;
            house.get("app.test", "/second").await
        };
        let (first, second) = tokio::join!(house.get("app.test", "/first"), second);
        assert_eq!((first.status, second.status), (502, 502));
        let lines = house.lines(2).await;
        let of = |path: &str| told(lines.iter().find(|line| line["path"] == path).unwrap());
        assert_eq!(of("/first"), ("WARN", 502, "refused"));
        assert_eq!(of("/second"), ("WARN", 502, "outage"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_no_failure_of_the_app() {
    for upstream in BOTH {
        let house = House::new();
        house.plane.set_route(speaking(route(1, says(None).await), upstream));
        let mut client = TcpStream::connect(house.address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        drop(client);
        assert_eq!(told(&house.lines(1).await[0]), ("INFO", 499, "client-gone"));
        assert!(!house.plane.exposition().contains("client-gone"));
    }
    // In the middle of an answer.
    let (demo, house) = (Demo::start("1").await, House::new());
    house.plane.set_route(route(1, demo.address));
    let mut client = TcpStream::connect(house.address).await.unwrap();
    client.write_all(b"GET /bytes?n=100000000 HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    client.read_exact(&mut [0; 100_000]).await.unwrap();
    drop(client);
    assert_eq!(told(&house.lines(1).await[0]), ("INFO", 200, "client-gone"));
}

/// Answers of the proxy's own say what they are; what is as it should be says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_proxys_own_have_a_word() {
    let (demo, house) = (Demo::start("1").await, House::new());
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/stream?chunks=3&ms=1").await;
    house.get("app.test", "/bytes?n=100000").await;
    house.get("other.test", "/").await;
    house.plane.set_route(Route { state: RouteState::Stopped, ..route(1, demo.address) });
    house.get("app.test", "/closed").await;
    let lines = house.lines(4).await;
    let of = |path: &str| told(lines.iter().find(|line| line["path"] == path).unwrap());
    assert_eq!(of("/stream"), ("INFO", 200, ""));
    assert_eq!(of("/bytes"), ("INFO", 200, ""));
    assert_eq!(of("/"), ("INFO", 421, "unknown-host"));
    assert_eq!(of("/closed"), ("WARN", 503, "stopped"));
    let fine = lines.iter().find(|line| line["path"] == "/bytes").unwrap();
    assert!(fine.get("error").is_none() && fine.get("error_detail").is_none(), "{fine}");
}

/// Where a log at the level "debug" goes.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<u8>>>);

impl Write for Notes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_a_request_can_be_followed_by_its_id() {
    let notes = Notes::default();
    let to = notes.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::DEBUG);
    log.with_writer(move || to.clone()).init();
    let (demo, (_kept, deaf)) = (Demo::start("1").await, deaf());
    let house = House::with(PlaneOptions {
        timeouts: Timeouts { outage: Duration::from_millis(50), ..<_>::default() },
        ..<_>::default()
    });
    house.plane.set_route(route(1, demo.address));
    let ask = async |id: &str| {
        let head =
            format!("GET /version HTTP/1.1\r\nHost: app.test\r\nX-Request-ID: {id}\r\nConnection: close\r\n\r\n");
        crate::support::request(house.address, &head).await.status
    };
    // Two of them on each of the two threads, or more.
    for _ in 0..8 {
        assert_eq!(ask("req-ok").await, 200);
    }
    house.plane.set_route(route(2, deaf));
    assert_eq!(ask("req-lost").await, 502);
    let limits = DrainLimits { requests_ms: 0, upgraded_ms: 0 };
    house.plane.drain(&app(), ReleaseNumber(1), limits).collect::<Vec<_>>().await;
    let text = String::from_utf8(notes.0.lock().unwrap().clone()).unwrap();
    let has = |words: &[&str]| {
        let found = text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line has {words:?}:\n{text}");
    };
    has(&["over a new connection", "request_id=\"req-ok\""]);
    has(&["over a connection that rested", "request_id=\"req-ok\""]);
    has(&["connect{address=", "connected"]);
    has(&["switch{app=\"app0\" release=2}", "the route is switched"]);
    has(&["nobody is there", "request_id=\"req-lost\"", "refused"]);
    has(&["an outage begins"]);
    has(&["drain{app=\"app0\" release=1}", "drained"]);
}
