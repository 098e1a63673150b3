//! Settings of the proxy as a whole: connections of one address, and the access log's switch.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use once_app::ProxyConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::heads::canned;
use crate::support::{Demo, House, PATIENCE, Reply, app, route};

fn at_most(connections: u32) -> ProxyConfig {
    ProxyConfig { connections_per_address: NonZeroU32::new(connections), ..ProxyConfig::default() }
}

async fn connect(house: &House, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    socket.connect(house.address).await.unwrap()
}

/// The status of an answer to a request over an open connection; 0: it was closed without one.
async fn status(stream: &mut TcpStream) -> u16 {
    // Who is not wanted may be reset while writing.
    let _ = stream.write_all(b"GET /version HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while Reply::parse(&answer).is_none() {
        match tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer or an end") {
            Ok(read) if read > 0 => answer.extend_from_slice(&buffer[..read]),
            _ => return 0,
        }
    }
    Reply::parse(&answer).unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_too_many_connections_gets_503_and_no_more() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.plane.configure(at_most(2));
    let (mut one, mut two) = (connect(&house, [127, 0, 0, 2]).await, connect(&house, [127, 0, 0, 2]).await);
    assert_eq!((status(&mut one).await, status(&mut two).await), (200, 200));
    // A reset may take the answer with it.
    let mut three = connect(&house, [127, 0, 0, 2]).await;
    assert!(matches!(status(&mut three).await, 0 | 503));
    assert_eq!((status(&mut one).await, status(&mut two).await), (200, 200), "those that are open stay open");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_addresses_are_not_concerned() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.plane.configure(at_most(1));
    let mut one = connect(&house, [127, 0, 0, 2]).await;
    assert_eq!(status(&mut one).await, 200);
    let mut other = connect(&house, [127, 0, 0, 3]).await;
    assert_eq!(status(&mut other).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_connection_makes_room() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.plane.configure(at_most(1));
    for _ in 0..5 {
        // The place is free a moment after the client has closed.
        let answered = async {
            while status(&mut connect(&house, [127, 0, 0, 2]).await).await != 200 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("room");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_proxies_speak_for_many() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.plane.configure(ProxyConfig { trusted_proxies: ["127.0.0.2".parse().unwrap()].into(), ..at_most(1) });
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&house, [127, 0, 0, 2]).await;
        assert_eq!(status(&mut stream).await, 200);
        open.push(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_said_there_is_room_for_hundreds() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut open = Vec::new();
    for _ in 0..300 {
        open.push(connect(&house, [127, 0, 0, 2]).await);
    }
    assert_eq!(status(open.last_mut().unwrap()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_can_be_switched_off_and_on_while_the_figures_go_on() {
    let (address, _questions) = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    house.get("app.test", "/first").await;
    house.plane.configure(ProxyConfig { access_log: false, ..ProxyConfig::default() });
    house.get("app.test", "/second").await;
    house.plane.configure(ProxyConfig::default());
    house.get("app.test", "/third").await;
    let lines = house.lines(2).await;
    let mut paths: Vec<_> = lines.iter().map(|line| line["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/first", "/third"]);
    assert_eq!(house.plane.traffic(&app()).requests, 3);
    assert_eq!(house.plane.traffic_report(&app()).paths.len(), 3);
}
