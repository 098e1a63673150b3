//! Who shakes hands on what, and what those hear who do not get to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_proxy::plane::{PlaneOptions, Timeouts};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{TlsHouse, ask, certificate, connect, said};
use crate::support::{PATIENCE, Reply, raw};

fn header(reply: &[u8], name: &str) -> Vec<String> {
    let head: Value = serde_json::from_slice(reply).unwrap();
    let pairs = head["headers"].as_array().unwrap().iter();
    pairs.filter(|p| p[0] == name).map(|p| p[1].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn http1_over_tls_and_the_app_hears_that_it_was_https() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let stream = house.open("shop.test").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    let request = "GET /headers HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n";
    let reply = said(stream, request).await;
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply.body, "x-forwarded-proto"), ["https"]);
    assert_eq!(header(&reply.body, "x-forwarded-port"), ["443"]);
    assert_eq!(header(&reply.body, "x-forwarded-host"), ["shop.test"]);
    let reply = ask(house.open("shop.test").await, "shop.test:8443", "/headers").await;
    assert_eq!(header(&reply.body, "x-forwarded-port"), ["8443"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_agreed_upon_where_the_client_knows_it() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let stream = house.connect(house.authority.client(&["h2", "http/1.1"]), "shop.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    for _ in 0..3 {
        let request = http::Request::get("https://shop.test/headers").body(Empty::<bytes::Bytes>::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(header(&body, "x-forwarded-proto"), ["https"]);
        assert_eq!(header(&body, "x-forwarded-host"), ["shop.test"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_alpn_gets_http1() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let stream = house.connect(house.authority.client(&[]), "shop.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
    assert_eq!(ask(stream, "shop.test", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_other_protocols_only_is_told_so() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let alert = house.alert(house.authority.client(&["spdy/3"]), "shop.test").await;
    assert_eq!(alert, AlertDescription::NoApplicationProtocol);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_and_1_3_are_spoken() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    for version in [&TLS12, &TLS13] {
        let config = house.authority.client_of(&["http/1.1"], &[version]);
        let stream = house.connect(config, "shop.test").await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(ask(stream, "shop.test", "/version").await.text(), "shop");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_gets_its_own_certificate() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app("a", &["a.test"]).await, house.app("b", &["b.test"]).await);
    assert_eq!(house.get("a.test", "/version").await.text(), "a");
    assert_eq!(house.get("b.test", "/version").await.text(), "b");
    assert_ne!(certificate(&house.open("a.test").await), certificate(&house.open("b.test").await));
    // As typed by somebody in capitals.
    assert_eq!(ask(house.open("A.TEST").await, "A.Test", "/version").await.text(), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wildcard_serves_the_names_one_label_below() {
    let house = TlsHouse::new();
    let _wild = house.app("wild", &["*.wild.test"]).await;
    let _own = house.app("own", &["own.wild.test"]).await;
    assert_eq!(house.get("x.wild.test", "/version").await.text(), "wild");
    assert_eq!(house.get("own.wild.test", "/version").await.text(), "own");
    assert_ne!(certificate(&house.open("own.wild.test").await), certificate(&house.open("x.wild.test").await));
    // The route takes these, a certificate for one label does not hold for them.
    for not in ["x.y.wild.test", "wild.test"] {
        let alert = house.alert(house.authority.client(&[]), not).await;
        assert_eq!(alert, AlertDescription::UnrecognisedName, "{not}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_gets_an_alert_and_nobodys_certificate() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let _bare = house.app_without("bare", &["bare.test"]).await;
    for version in [&TLS12, &TLS13] {
        for name in ["nobody.test", "bare.test", "shop.test.evil.test", "test"] {
            let config = house.authority.client_of(&["h2", "http/1.1"], &[version]);
            assert_eq!(house.alert(config, name).await, AlertDescription::UnrecognisedName, "{name}");
        }
    }
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_gets_an_alert_too() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let mut config = house.authority.client(&["http/1.1"]);
    config.enable_sni = false;
    assert_eq!(house.alert(config, "shop.test").await, AlertDescription::UnrecognisedName);
    // An address is no name in a handshake.
    assert_eq!(house.alert(house.authority.client(&[]), "127.0.0.1").await, AlertDescription::UnrecognisedName);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_tls_port_is_told_so() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let big = format!("POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 30000\r\n\r\n{}", "x".repeat(30_000));
    for request in ["GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n", &big] {
        let reply = Reply::parse(&half_closed(house.address, request.as_bytes()).await).expect("an answer in HTTP");
        assert_eq!((reply.status, reply.header("connection")), (400, Some("close")));
        assert!(reply.text().contains("HTTPS"), "{}", reply.text());
        assert_eq!(reply.header("content-length").unwrap(), reply.body.len().to_string());
    }
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
}

/// Says all of it, then that there is no more, and reads to the end.
async fn half_closed(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    end.expect("without a reset");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_ends_at_once() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    for garbage in
        [b"\0\0\0\0".as_slice(), b"\x16\x03\x01\0\x05hello", b"\x16\x03\x01\xff\xff", b"\x15\x03\x03\0\x02\x01\0"]
    {
        let answer = half_closed(house.address, garbage).await;
        assert!(answer.is_empty() || answer[0] == 21, "an alert or nothing: {answer:?}");
    }
    assert!(half_closed(house.address, b"").await.is_empty());
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handshake_is_cut_and_costs_nobody_else() {
    let timeouts = Timeouts { handshake: Duration::from_millis(400), ..Timeouts::default() };
    let house = TlsHouse::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    let _app = house.app("shop", &["shop.test"]).await;
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    let mut half = TcpStream::connect(house.address).await.unwrap();
    half.write_all(b"\x16\x03\x01\x02\0\x01").await.unwrap();
    let mut dripping = TcpStream::connect(house.address).await.unwrap();
    let drip = tokio::spawn(async move {
        dripping.write_all(b"\x16\x03\x01\x3f\xff\x01").await.unwrap();
        // Never more than a byte, never long without one: its end is the proxy's.
        while dripping.write_all(b"\0").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
    let mut nothing = Vec::new();
    for stream in [&mut silent, &mut half] {
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut nothing)).await.expect("it is cut");
    }
    tokio::time::timeout(PATIENCE, drip).await.expect("it is cut").unwrap();
    crate::support::until("nothing stays open", || house.serving.connections() <= 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_handshake_goes_by_ticket() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(house.authority.client_of(&["http/1.1"], &[version]));
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let mut stream = connect(house.address, Arc::clone(&config), "shop.test").await.unwrap();
            stream.write_all(b"GET /version HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n").await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            assert_eq!(Reply::parse(&answer).unwrap().text(), "shop");
            kinds.push(stream.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed], "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_of_no_use_for_another_name() {
    let house = TlsHouse::new();
    let (_a, _b) = (house.app("a", &["a.test"]).await, house.app("b", &["b.test"]).await);
    let config = Arc::new(house.authority.client_of(&["http/1.1"], &[&TLS13]));
    for name in ["a.test", "b.test", "a.test"] {
        let stream = connect(house.address, Arc::clone(&config), name).await.unwrap();
        assert_eq!(ask(stream, name, "/version").await.text(), name[..1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_both_ways() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let body = vec![b'z'; 8 << 20];
    let expected: String = Sha256::digest(&body).iter().map(|b| format!("{b:02x}")).collect();
    let (mut from, mut to) = tokio::io::split(house.open("shop.test").await);
    let sent = tokio::spawn(async move {
        let head = format!("POST /upload HTTP/1.1\r\nHost: shop.test\r\nContent-Length: {}\r\n\r\n", body.len());
        to.write_all(head.as_bytes()).await.unwrap();
        to.write_all(&body).await.unwrap();
        to.write_all(b"GET /bytes?n=8388608 HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n").await.unwrap();
        to.flush().await.unwrap();
        to
    });
    let mut answers = Vec::new();
    tokio::time::timeout(PATIENCE, from.read_to_end(&mut answers)).await.expect("it ends").unwrap();
    drop(sent.await.unwrap());
    let first = Reply::parse(&answers).unwrap();
    let length: usize = first.header("content-length").map_or(0, |n| n.parse().unwrap());
    let text = String::from_utf8_lossy(&first.body[..first.body.len().min(300)]).into_owned();
    assert!(text.contains(&format!("8388608 {expected}")), "{length} {text}");
    let zeros = answers.iter().rev().take_while(|b| **b == b'0').count();
    assert!(zeros >= 8 << 20, "{zeros}");
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_pass_over_tls() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let request = "wss://shop.test/ws".into_client_request().unwrap();
    let (mut socket, _) = client_async(request, house.open("shop.test").await).await.unwrap();
    for text in ["hello", &"x".repeat(200_000)] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_requests_and_not_for_handshakes() {
    let timeouts = Timeouts { lame_duck: Duration::from_millis(100), ..Timeouts::default() };
    let house = TlsHouse::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    let _app = house.app("shop", &["shop.test"]).await;
    let _silent = TcpStream::connect(house.address).await.unwrap();
    let _idle = house.open("shop.test").await;
    let mut slow = house.open("shop.test").await;
    slow.write_all(b"GET /slow?ms=900 HTTP/1.1\r\nHost: shop.test\r\n\r\n").await.unwrap();
    crate::support::until("three are open", || house.serving.connections() >= 3).await;
    house.stop.cancel();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, slow.read_to_end(&mut answer)).await.expect("it ends").unwrap();
    let reply = Reply::parse(&answer).unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    tokio::time::timeout(PATIENCE, house.serving.finished()).await.expect("all of it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_on_the_plain_port_gets_no_certificate() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let config = Arc::new(house.authority.client(&["http/1.1"]));
    assert!(connect(house.house.address, config, "shop.test").await.is_err());
    let reply = raw(house.house.address, b"GET /version HTTP/1.0\r\nHost: shop.test\r\n\r\n").await;
    assert!(!reply.is_empty());
}
