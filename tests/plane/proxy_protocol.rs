//! The PROXY protocol: who may speak it, and what comes of what they say.

use std::time::Duration;

use once_app::ProxyField;
use once_proxy::plane::{PlaneOptions, Timeouts};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Demo, House, PATIENCE, Reply, raw, route};
use crate::trusted::config;

const GET: &[u8] = b"GET /headers HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n";

async fn house(named: &str, timeouts: Timeouts) -> (House, Demo) {
    let demo = Demo::start("1").await;
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.configure(config(&[(ProxyField::ProxyProtocolFrom, named)]));
    house.plane.set_route(route(1, demo.address));
    (house, demo)
}

async fn named() -> (House, Demo) {
    house("127.0.0.0/8", Timeouts::default()).await
}

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
    bytes.extend(rest);
    bytes
}

const V4: [u8; 12] = [192, 0, 2, 7, 127, 0, 0, 1, 0x12, 0x67, 0, 80];

/// Whom the app takes for the client.
async fn client(house: &House, header: &[u8]) -> String {
    let answer = raw(house.address, &[header, GET].concat()).await;
    let reply = Reply::parse(&answer).unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&answer)));
    assert_eq!(reply.status, 200, "{reply:?}");
    let head: Value = serde_json::from_slice(&reply.body).unwrap();
    let pairs = head["headers"].as_array().unwrap();
    pairs.iter().find(|p| p[0] == "x-forwarded-for").unwrap()[1].as_str().unwrap().to_owned()
}

async fn is_closed_without_a_word(house: &House, bytes: &[u8]) {
    let answer = raw(house.address, bytes).await;
    assert!(answer.is_empty(), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_tells_the_client() {
    let (house, _demo) = named().await;
    assert_eq!(client(&house, V1).await, "192.0.2.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_tells_an_ipv6_client() {
    let (house, _demo) = named().await;
    assert_eq!(client(&house, b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n").await, "2001:db8::7");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_1_of_somebody_unknown_leaves_the_peer() {
    let (house, _demo) = named().await;
    assert_eq!(client(&house, b"PROXY UNKNOWN\r\n").await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_tells_the_client() {
    let (house, _demo) = named().await;
    assert_eq!(client(&house, &v2(0x21, 0x11, &V4)).await, "192.0.2.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_tells_an_ipv6_client_and_its_remarks_are_skipped() {
    let (house, _demo) = named().await;
    let mut rest = vec![0; 36];
    rest[..2].copy_from_slice(&[0x20, 0x01]);
    rest[15] = 7;
    rest.extend(b"\x04\x00\x05hello");
    assert_eq!(client(&house, &v2(0x21, 0x21, &rest)).await, "2001::7");
}

#[tokio::test(flavor = "multi_thread")]
async fn version_2_of_the_balancer_itself_leaves_the_peer() {
    let (house, _demo) = named().await;
    assert_eq!(client(&house, &v2(0x20, 0x00, &[])).await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_client_and_port() {
    let (house, _demo) = named().await;
    client(&house, V1).await;
    let line = house.lines(1).await.remove(0);
    assert_eq!((&line["client_addr"], &line["client_port"]), (&"192.0.2.7".into(), &"4711".into()), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_in_single_bytes_is_understood() {
    let (house, _demo) = named().await;
    for header in [V1.to_vec(), v2(0x21, 0x11, &V4)] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in &header {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(GET).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&answer).contains("192.0.2.7"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_peer_without_a_header_is_cut_off() {
    let (house, _demo) = named().await;
    is_closed_without_a_word(&house, GET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_headers_are_cut_off() {
    let (house, _demo) = named().await;
    let long = [&b"PROXY TCP4 "[..], &[b'1'; 200], b"\r\n"].concat();
    for header in [
        &b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n"[..],
        b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\n",
        b"PROXY TCP4 shop.test 127.0.0.1 4711 80\r\n",
        b"PROXY UDP4 192.0.2.7 127.0.0.1 4711 80\r\n",
        &long,
        &v2(0x31, 0x11, &V4),
        &v2(0x22, 0x11, &V4),
        &v2(0x21, 0x12, &V4),
        &v2(0x21, 0x11, &V4[..11]),
        &v2(0x21, 0x11, &[0; 5000]),
    ] {
        is_closed_without_a_word(&house, &[header, GET].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_never_ends_is_given_up() {
    let timeouts = Timeouts { head: Duration::from_millis(200), ..Timeouts::default() };
    let (house, _demo) = house("127.0.0.1", timeouts).await;
    for part in [&b""[..], b"PROXY TCP4 192.", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"] {
        is_closed_without_a_word(&house, part).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_others_it_is_a_bad_request() {
    let (house, _demo) = house("10.0.0.0/8", Timeouts::default()).await;
    for header in [V1.to_vec(), v2(0x21, 0x11, &V4)] {
        let answer = raw(house.address, &[&header[..], GET].concat()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer:?}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer:?}");
    }
    assert_eq!(client(&house, b"").await, "127.0.0.1", "and they are served without one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_told_of_is_no_trusted_proxy_because_the_balancer_is() {
    let (house, _demo) = named().await;
    house.plane.configure(config(&[
        (ProxyField::ProxyProtocolFrom, "127.0.0.1"),
        (ProxyField::TrustedProxies, "127.0.0.1, 198.51.100.1"),
    ]));
    let get = b"GET /headers HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close\r\n\r\n";
    let said = |header: &'static [u8]| [header, &get[..]].concat();
    let stranger = raw(house.address, &said(V1)).await;
    assert!(!String::from_utf8_lossy(&stranger).contains("6.6.6.6"));
    let named = raw(house.address, &said(b"PROXY TCP4 198.51.100.1 127.0.0.1 1 80\r\n")).await;
    assert!(String::from_utf8_lossy(&named).contains("6.6.6.6, 198.51.100.1"));
}
