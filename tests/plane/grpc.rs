//! Apps that speak HTTP/2 with prior knowledge and nothing else, as gRPC servers do.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_app::proxy::{DrainLimits, ProbeAnswer, ProbeRequest};
use once_app::{ReleaseNumber, Route, Upstream, Web};
use once_demo::DemoMode;
use once_proxy::plane::{Limits, Plane, PlaneOptions, Timeouts};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::support::{Demo, House, PATIENCE, app, request, route, until};

pub fn h2c(release: u64, address: SocketAddr) -> Route {
    let web = Web { upstream: Upstream::H2c, ..Web::default() };
    Route { web, ..route(release, address) }
}

pub async fn connect<B>(address: SocketAddr) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub fn call<B>(path: &str, body: B) -> Request<B> {
    call_of("http", path, body)
}

pub fn call_of<B>(scheme: &str, path: &str, body: B) -> Request<B> {
    let request = Request::post(format!("{scheme}://app.test{path}"));
    request.header("content-type", "application/grpc").header("te", "trailers").body(body).unwrap()
}

/// What a client goes on saying.
pub type Said = mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>;
pub type Saying = StreamBody<UnboundedReceiverStream<Result<Frame<Bytes>, Infallible>>>;

pub fn channel() -> (Said, Saying) {
    let (to, said) = mpsc::unbounded_channel();
    (to, StreamBody::new(UnboundedReceiverStream::new(said)))
}

/// Says something and waits until it comes back.
pub async fn say(text: &'static str, to: &Said, from: &mut Incoming) {
    to.send(Ok(Frame::data(Bytes::from_static(text.as_bytes())))).unwrap();
    let frame = tokio::time::timeout(PATIENCE, from.frame()).await.expect("an echo").unwrap().unwrap();
    assert_eq!(frame.data_ref().unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_both_ways_at_once_and_ends_in_trailers() {
    let demo = Demo::h2c("1").await;
    let house = House::new();
    house.plane.set_route(h2c(1, demo.address));
    let mut client = connect(house.address).await;
    let (to, body) = channel();
    let answer = client.send_request(call("/echo", body)).await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (StatusCode::OK, &"application/grpc".parse().unwrap())
    );
    let mut from = answer.into_body();
    for text in ["one", "two", "three"] {
        say(text, &to, &mut from).await;
    }
    let trailers =
        [(http::HeaderName::from_static("x-sum"), http::HeaderValue::from_static("3"))].into_iter().collect();
    to.send(Ok(Frame::trailers(trailers))).unwrap();
    drop(to);
    let trailers = from.frame().await.unwrap().unwrap().into_trailers().unwrap();
    assert_eq!((&trailers["grpc-status"], &trailers["x-sum"]), (&"0".parse().unwrap(), &"3".parse().unwrap()));
    until("uncounted", || house.plane.traffic(&app()).in_flight.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_sees_one_authority_the_trailers_it_may_send_and_no_chunks() {
    let demo = Demo::h2c("1").await;
    let house = House::new();
    house.plane.set_route(h2c(1, demo.address));
    let mut client = connect(house.address).await;
    let answer = client.send_request(call("/headers?a=%2F", Full::<Bytes>::from("x"))).await.unwrap();
    let head: serde_json::Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!((&head["method"], &head["target"]), (&"POST".into(), &"http://app.test/headers?a=%2F".into()));
    let pairs = head["headers"].as_array().unwrap();
    let all = |name: &str| pairs.iter().filter(|p| p[0] == name).map(|p| p[1].clone()).collect::<Vec<_>>();
    assert_eq!(all("te"), ["trailers"]);
    assert_eq!(all("x-forwarded-for"), ["127.0.0.1"]);
    for absent in ["host", "transfer-encoding", "connection"] {
        assert!(all(absent).is_empty(), "{absent}: {head}");
    }
}

/// Clients of HTTP/1.1 get answers of the same app.
#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_http1_is_answered_too() {
    let demo = Demo::h2c("1").await;
    let house = House::new();
    house.plane.set_route(h2c(1, demo.address));
    assert_eq!(house.get("app.test", "/version").await.text(), "1");
    let chunked = "POST /upload HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert!(request(house.address, chunked).await.text().starts_with("5 2cf24dba"));
    assert_eq!(house.get("app.test", "/bytes?n=3000000").await.body.len(), 3_000_000);
    assert_eq!(house.get("app.test", "/nowhere").await.status, 404);
}

/// An app of the tests' own: counts its connections, and handles each by `serve`.
async fn served<F>(serve: impl Fn(u64, TcpStream) -> F + Send + 'static) -> (SocketAddr, Arc<AtomicU64>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(counted.fetch_add(1, Ordering::SeqCst), stream));
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_share_connections_as_far_as_the_app_lets_them() {
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let (address, connections) = served(move |_, stream| {
        let (under_way, peak) = (Arc::clone(&under_way), Arc::clone(&peak));
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let (under_way, peak) = (Arc::clone(&under_way), Arc::clone(&peak));
            async move {
                peak.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let body = request.into_body().collect().await.unwrap().to_bytes();
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, Infallible>(Response::new(Full::new(body)))
            }
        });
        async move {
            let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = builder.max_concurrent_streams(10).serve_connection(TokioIo::new(stream), service).await;
        }
    })
    .await;
    let house = House::new();
    house.plane.set_route(h2c(1, address));
    let mut client = connect(house.address).await;
    // One at a time, so that it is known what the app allows.
    let mut calls = Vec::new();
    for i in 0..45 {
        let (to, body) = channel();
        let mut client = client.clone();
        calls.push((to, tokio::spawn(async move { client.send_request(call("/", body)).await })));
        until("it is there", || most.load(Ordering::SeqCst) == i + 1).await;
    }
    // All on one thread of the proxy: ten to a connection.
    assert_eq!(connections.load(Ordering::SeqCst), 5);
    for (to, answer) in calls {
        to.send(Ok(Frame::data(Bytes::from_static(b"bye")))).unwrap();
        drop(to);
        assert_eq!(answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "bye");
    }
    let (to, body) = channel();
    drop(to);
    client.send_request(call("/", body)).await.unwrap();
    assert_eq!(connections.load(Ordering::SeqCst), 5, "those are used again");
}

/// Refused, or left out by a GOAWAY: the app has not looked at it, so it is sent again, body and all.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_turned_away_unread_is_sent_again_with_its_body() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // A reset of stream 1, and that nothing behind it is taken.
    const REFUSED: [u8; 30] =
        [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for no in [REFUSED.as_slice(), &GOAWAY] {
        let (address, connections) = served(move |number, mut stream| async move {
            if number > 0 {
                let service = hyper::service::service_fn(|request: Request<Incoming>| async {
                    Ok::<_, Infallible>(Response::new(request.into_body()))
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                return;
            }
            stream.write_all(&SETTINGS).await.unwrap();
            // With its body on the way, its head has come.
            let mut seen = vec![0; 10_000];
            stream.read_exact(&mut seen).await.unwrap();
            stream.write_all(no).await.unwrap();
            while stream.read(&mut seen).await.is_ok_and(|read| read > 0) {}
        })
        .await;
        let house = House::new();
        house.plane.set_route(h2c(1, address));
        let mut client = connect(house.address).await;
        let body = Bytes::from((0..20_000_u32).map(|i| (i % 251) as u8).collect::<Vec<_>>());
        let answer = client.send_request(call("/", Full::new(body.clone())));
        let answer = tokio::time::timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), body);
        assert_eq!(connections.load(Ordering::SeqCst), 2);
        assert_eq!(house.plane.traffic(&app()).failed, 0);
    }
}

/// RFC 8297: hints come before the answer, and are not it. Whether the client is told them is another matter.
#[tokio::test(flavor = "multi_thread")]
async fn early_hints_of_an_app_do_not_harm_its_answer() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // `:status: 103`, `link: <a>`; `:status: 200`; "hi".
    const HINTS: &[u8] = b"\x00\x00\x0f\x01\x04\x00\x00\x00\x01\x08\x03103\x00\x04link\x03<a>";
    const ANSWER: &[u8] = b"\x00\x00\x01\x01\x04\x00\x00\x00\x01\x88\x00\x00\x02\x00\x01\x00\x00\x00\x01hi";
    // It answers the first request of a connection and no other, so each client below gets a proxy of its own.
    let (address, _) = served(|_, mut stream| async move {
        stream.write_all(&SETTINGS).await.unwrap();
        stream.read_exact(&mut [0; 24]).await.unwrap();
        let mut head = [0; 9];
        while head[3] != 1 {
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            stream.read_exact(&mut vec![0; length]).await.unwrap();
        }
        stream.write_all(HINTS).await.unwrap();
        stream.write_all(ANSWER).await.unwrap();
        while stream.read(&mut head).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let house = House::new();
    house.plane.set_route(h2c(1, address));
    let reply = house.get("app.test", "/").await;
    assert_eq!((reply.status, reply.text().as_str(), reply.header("link")), (200, "hi", None));
    let house = House::new();
    house.plane.set_route(h2c(1, address));
    let mut client = connect(house.address).await;
    let answer = client.send_request(call("/", Full::<Bytes>::default())).await.unwrap();
    assert_eq!((answer.status(), answer.headers().contains_key("link")), (StatusCode::OK, false));
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hi");
}

/// The time for the head of an answer is not for calls, unless it is set.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_be_silent_for_longer_than_other_requests() {
    let demo = Demo::h2c("1").await;
    let timeouts = Timeouts { response_head: Duration::from_millis(100), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(h2c(1, demo.address));
    let mut client = connect(house.address).await;
    let plain = Request::post("http://app.test/slow?ms=500").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(client.send_request(plain).await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(client.send_request(call("/slow?ms=500", Full::default())).await.unwrap().status(), StatusCode::OK);
    let mut limited = h2c(1, demo.address);
    limited.web.response_timeout = Some("1s".parse().unwrap());
    house.plane.set_route(limited);
    let late = client.send_request(call("/slow?ms=60000", Full::default())).await.unwrap();
    assert_eq!(late.status(), StatusCode::GATEWAY_TIMEOUT);
}

/// The least rate of a body is not for calls: a client that streams may have nothing to say for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_may_say_less_than_other_bodies_have_to() {
    let demo = Demo::h2c("1").await;
    let limits = Limits { body_grace: Duration::from_millis(100), ..Limits::default() };
    let house = House::with(PlaneOptions { limits, ..PlaneOptions::default() });
    house.plane.set_route(h2c(1, demo.address));
    let mut client = connect(house.address).await;
    let (plain, called) = (Request::post("http://app.test/upload"), call("/upload", ()).into_parts().0);
    let slow = |head: http::request::Parts| {
        let mut client = client.clone();
        async move {
            let (to, body) = channel();
            let answer = tokio::spawn(async move { client.send_request(Request::from_parts(head, body)).await });
            for _ in 0..2 {
                // Longer than the grace, and the app waits for more all the while.
                tokio::time::sleep(Duration::from_millis(300)).await;
                let _ = to.send(Ok(Frame::data(Bytes::from_static(b"x"))));
            }
            drop(to);
            answer.await.unwrap().unwrap().status()
        }
    };
    assert_eq!(slow(plain.body(()).unwrap().into_parts().0).await, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(slow(called).await, StatusCode::OK);
    // Both ways at once: the client is heard after a silence in the middle of an answer.
    let (to, body) = channel();
    let mut from = client.send_request(call("/echo", body)).await.unwrap().into_body();
    say("one", &to, &mut from).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    say("two", &to, &mut from).await;
    assert_eq!(house.plane.traffic(&app()).failed, 0);
}

async fn probed(address: SocketAddr, path: &str, upstream: Upstream) -> ProbeAnswer {
    let request = ProbeRequest {
        address: address.to_string(),
        path: path.parse().unwrap(),
        host: "app.test".parse().unwrap(),
        timeout_ms: 300,
        other_ports: Vec::new(),
        upstream,
    };
    Plane::new(PlaneOptions::default()).probe(request).collect::<Vec<_>>().await.pop().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_asked_for_in_what_the_app_speaks() {
    const HEALTH: &str = "/grpc.health.v1.Health/Check";
    let demo = Demo::h2c("1").await;
    for path in ["/up", HEALTH] {
        let answer = probed(demo.address, path, Upstream::H2c).await;
        assert!(matches!(answer, ProbeAnswer::Healthy { status: 200, .. }), "{path}: {answer:?}");
    }
    assert!(matches!(probed(demo.address, "/up", Upstream::Http1).await, ProbeAnswer::Broken { .. }));
    let answer = probed(demo.address, "/nowhere", Upstream::H2c).await;
    assert_eq!(answer, ProbeAnswer::Status { status: 404, location: None });
    let other = Demo::with("1", DemoMode::Ok).await;
    let answer = probed(other.address, "/up", Upstream::H2c).await;
    assert!(matches!(answer, ProbeAnswer::Broken { .. } | ProbeAnswer::TimedOut), "{answer:?}");
}

/// Calls that talk for a while, plain requests beside them, twenty releases one after the other, each killed as soon as it
/// is drained.
#[tokio::test(flavor = "multi_thread")]
async fn swaps_under_calls_lose_nothing() {
    let house = House::with(PlaneOptions::default());
    let mut demo = Demo::h2c("0").await;
    house.plane.set_route(h2c(1, demo.address));
    let over = tokio_util::sync::CancellationToken::new();
    let done = Arc::new(AtomicU64::new(0));
    let talk = |number: usize| {
        let (over, done, address) = (over.clone(), Arc::clone(&done), house.address);
        tokio::spawn(async move {
            let mut client = connect(address).await;
            while !over.is_cancelled() {
                let (to, body) = channel();
                let answer = client.send_request(call("/echo", body)).await.unwrap();
                assert_eq!(answer.status(), StatusCode::OK);
                let mut from = answer.into_body();
                for _ in 0..number % 5 {
                    say("hello", &to, &mut from).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                drop(to);
                let trailers = from.frame().await.expect("trailers").unwrap().into_trailers().unwrap();
                assert_eq!(trailers["grpc-status"], "0");
                done.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let talks: Vec<_> = (0..20).map(talk).collect();
    for swap in 1..=20 {
        let before = done.load(Ordering::Relaxed);
        until("calls", || done.load(Ordering::Relaxed) > before + 20).await;
        let next = Demo::h2c(&swap.to_string()).await;
        house.plane.set_route(h2c(swap + 1, next.address));
        let limits = DrainLimits { requests_ms: 10_000, upgraded_ms: 10_000 };
        let progress: Vec<_> = house.plane.drain(&app(), ReleaseNumber(swap), limits).collect().await;
        assert_eq!(progress.last().unwrap().cut, Some(0));
        demo.kill().await;
        demo = next;
    }
    over.cancel();
    for talk in join_all(talks).await {
        talk.unwrap();
    }
    assert_eq!(house.plane.traffic(&app()).failed, 0);
}
