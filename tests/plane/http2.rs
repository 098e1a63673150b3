//! Clients that speak HTTP/2, apps that speak HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_app::ReleaseNumber;
use once_app::proxy::DrainLimits;
use once_proxy::plane::{Plane, PlaneOptions, Timeouts};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Demo, House, PATIENCE, app, raw, route, until};

type Client = SendRequest<Full<Bytes>>;

async fn connect(house: &House) -> Client {
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(target: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://app.test{target}")).body(Full::default()).unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_a_connection_and_each_is_counted() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut client = connect(&house).await;
    let slow: Vec<_> = (0..50).map(|_| client.send_request(get("/slow?ms=60000"))).collect();
    let under_way = || house.plane.traffic(&app()).in_flight.iter().map(|f| f.requests).sum::<u64>();
    until("fifty under way", || under_way() == 50).await;
    let answer = client.send_request(get("/version")).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(text(answer).await, "1");
    // Taken back by the client: no longer counted.
    drop(slow);
    until("none under way", || under_way() == 0).await;
    assert_eq!(text(client.send_request(get("/version")).await.unwrap()).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_sees_each_stream_and_cuts_it_at_the_limit() {
    use futures_util::StreamExt;
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let mut client = connect(&house).await;
    let slow: Vec<_> = (0..5).map(|_| client.send_request(get("/slow?ms=60000"))).collect();
    until("under way", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 5)).await;
    house.plane.set_route(route(2, new.address));
    let limits = DrainLimits { requests_ms: 100, upgraded_ms: 100 };
    let progress: Vec<_> = house.plane.drain(&app(), ReleaseNumber(1), limits).collect().await;
    assert_eq!(progress.first().unwrap().requests, 5);
    assert_eq!(progress.last().unwrap().cut, Some(5));
    for answer in slow {
        assert_eq!(answer.await.unwrap().status(), StatusCode::GATEWAY_TIMEOUT);
    }
    assert_eq!(text(client.send_request(get("/version")).await.unwrap()).await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_sees_an_ordinary_request() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut client = connect(&house).await;
    let mut request = get("/headers?a=1");
    for (name, value) in [("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-forwarded-for", "6.6.6.6")] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let answer = client.send_request(request).await.unwrap();
    let head: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!((&head["method"], &head["target"]), (&"GET".into(), &"/headers?a=1".into()));
    let all = |name: &str| -> Vec<&str> {
        let pairs = head["headers"].as_array().unwrap().iter();
        pairs.filter(|p| p[0] == name).map(|p| p[1].as_str().unwrap()).collect()
    };
    assert_eq!(all("host"), ["app.test"]);
    assert_eq!(all("cookie"), ["a=1; b=2"]);
    assert_eq!(all("te"), ["trailers"]);
    assert_eq!(all("x-forwarded-for"), ["127.0.0.1"]);
    let log = house.lines(1).await;
    assert_eq!((&log[0]["proto"], &log[0]["host"]), (&"HTTP/2.0".into(), &"app.test".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_go_both_ways() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut client = connect(&house).await;
    let body = Bytes::from(vec![b'x'; 3_000_000]);
    let upload = Request::post("http://app.test/upload").body(Full::new(body)).unwrap();
    assert!(text(client.send_request(upload).await.unwrap()).await.starts_with("3000000 "));
    let answer = client.send_request(get("/bytes?n=3000000")).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "3000000");
    assert_eq!(text(answer).await.len(), 3_000_000);
    let head = Request::head("http://app.test/bytes?n=1000").body(Full::default()).unwrap();
    let answer = client.send_request(head).await.unwrap();
    assert_eq!(answer.headers()["content-length"], "1000");
    assert_eq!(text(answer).await, "");
}

/// RFC 8441: what browsers do with WebSockets on a connection that speaks HTTP/2.
pub async fn websocket_as_a_stream(mut client: SendRequest<Empty<Bytes>>, scheme: &str, plane: &Plane) {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;
    let ask = |target: &str| {
        Request::builder()
            .method(Method::CONNECT)
            .uri(format!("{scheme}://app.test{target}"))
            .header("sec-websocket-version", "13")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(Empty::new())
            .unwrap()
    };
    // By the first answer the server has said that it can.
    let first = Request::get(format!("{scheme}://app.test/version")).body(Empty::new()).unwrap();
    assert_eq!(client.send_request(first).await.unwrap().status(), StatusCode::OK);
    let mut answer = client.send_request(ask("/ws")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    let io = TokioIo::new(hyper::upgrade::on(&mut answer).await.unwrap());
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    for text in ["hello", &"x".repeat(300_000)] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
    assert_eq!(plane.traffic(&app()).in_flight[0].upgraded, 1);
    // Not everything that can be asked for is a WebSocket: an app's 200 does not mean "connected".
    assert_eq!(client.send_request(ask("/version")).await.unwrap().status(), StatusCode::BAD_GATEWAY);
    drop(socket);
    until("uncounted", || plane.traffic(&app()).in_flight.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_a_stream_like_others() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    websocket_as_a_stream(client, "http", &house.plane).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goaway_and_loses_nothing() {
    let demo = Demo::start("1").await;
    let timeouts = Timeouts { lame_duck: Duration::from_secs(20), stop: PATIENCE, ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    let mut client = connect(&house).await;
    let slow = client.send_request(get("/slow?ms=1000"));
    until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
    house.stop.cancel();
    assert_eq!(slow.await.unwrap().status(), StatusCode::OK);
    // Long before the lame duck's end.
    tokio::time::timeout(Duration::from_secs(15), house.serving.finished()).await.expect("closed by GOAWAY");
    until("closed here, too", || client.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_told_to_go() {
    let demo = Demo::start("1").await;
    let timeouts = Timeouts { idle: Duration::from_millis(300), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    let mut client = connect(&house).await;
    assert_eq!(text(client.send_request(get("/version")).await.unwrap()).await, "1");
    until("closed", || client.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_is_a_408() {
    let timeouts = Timeouts { head: Duration::from_millis(300), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    for begun in [b"GET / HTTP/1.1\r\nHost: app".as_slice(), b"P"] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(begun).await.unwrap();
        let mut answer = String::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 ") || begun == b"P" && answer.is_empty(), "{answer}");
    }
    // Who said nothing is told nothing.
    assert_eq!(raw(house.address, b"").await, b"");
}

/// Half a preface is the head of something else.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_like_http2_need_not_be() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    for first in ["P", "PR", "POST /up"] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        let whole = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
        let rest = match first {
            "PR" => "OPFIND /version HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n",
            _ => &whole[first.len()..],
        };
        stream.write_all(rest.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{first}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_come_through() {
    let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n2\r\nhi\r\n0\r\n\
        grpc-status: 0\r\ncontent-length: 7\r\n\r\n";
    let (address, _questions) = crate::heads::canned(answer).await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    let mut client = connect(&house).await;
    let collected = client.send_request(get("/")).await.unwrap().into_body().collect().await.unwrap();
    let mut expected = HeaderMap::new();
    expected.insert("grpc-status", "0".parse().unwrap());
    assert_eq!(collected.trailers(), Some(&expected));
    assert_eq!(collected.to_bytes(), "hi");
}
