//! Beginnings and ends: of the plane, of apps, of connections.

use std::net::TcpListener as StdListener;
use std::time::{Duration, Instant};

use once_demo::{LoadOptions, Mix, load};
use once_proxy::plane::{PlaneOptions, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::support::{Demo, House, app, impatient, route, route_of, until};

/// One plane after the other on the same socket, as when the proxy is upgraded: nobody notices.
async fn change_planes(mix: Mix, lame_duck: Duration) -> once_demo::LoadReport {
    let demo = Demo::start("1").await;
    let socket = StdListener::bind("127.0.0.1:0").unwrap();
    let timeouts = Timeouts { lame_duck, ..Timeouts::default() };
    let options = PlaneOptions { timeouts, ..PlaneOptions::default() };
    let start = || House::ready(socket.try_clone().unwrap(), options.clone(), vec![route(1, demo.address)]);
    let mut house = start();
    let stop = CancellationToken::new();
    let load = LoadOptions {
        address: house.address.to_string(),
        host: "app.test".into(),
        connections: 24,
        duration: Duration::from_secs(300),
        pause: Duration::from_micros(200),
        mix,
    };
    let load = tokio::spawn(load::run(load, stop.clone()));
    for _ in 0..3 {
        until("traffic", || house.plane.traffic(&app()).requests > 200).await;
        let next = start();
        let old = std::mem::replace(&mut house, next);
        old.stop.cancel();
        tokio::time::timeout(crate::support::PATIENCE, old.serving.finished()).await.expect("it ends");
    }
    stop.cancel();
    load.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_loses_nothing() {
    for mix in [Mix::ALL, Mix::KEEP_ALIVE, Mix::CLOSE] {
        let report = change_planes(mix, Timeouts::default().lame_duck).await;
        assert_eq!(report.failed, 0, "{report}: {:?} {:#?}", report.reasons, report.failures);
        assert!(report.requests > 600, "{report}");
    }
}

/// The control that must fail: without the lame-duck phase clients are reset. Whether one sends at just the wrong moment
/// is a matter of luck, so it is tried a few times.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_lame_duck_phase_the_load_notices() {
    for _ in 0..20 {
        if change_planes(Mix::KEEP_ALIVE, Duration::ZERO).await.failed > 0 {
            return;
        }
    }
    panic!("20 times nobody noticed");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_end_with_the_stop() {
    let demo = Demo::start("1").await;
    let timeouts = Timeouts { lame_duck: Duration::from_millis(300), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    let ask = b"GET /version HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(ask).await.unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(!String::from_utf8_lossy(&buffer[..read]).contains("connection: close"));
        clients.push(stream);
    }
    let started = Instant::now();
    house.stop.cancel();
    // What still comes is answered, and told to go.
    clients[0].write_all(ask).await.unwrap();
    let mut answer = String::new();
    clients[0].read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    for idle in &mut clients[1..] {
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(started.elapsed() >= Duration::from_millis(300));
    }
    house.serving.finished().await;
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_is_cut() {
    let demo = Demo::start("1").await;
    let timeouts =
        Timeouts { lame_duck: Duration::from_millis(50), stop: Duration::from_millis(400), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET /slow?ms=60000 HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
    let started = Instant::now();
    house.stop.cancel();
    house.serving.finished().await;
    assert!((Duration::from_millis(400)..Duration::from_secs(3)).contains(&started.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_app_is_a_502() {
    let demo = Demo::start("1").await;
    let house = House::with(impatient());
    house.plane.set_route(route(1, demo.address));
    assert_eq!(house.get("app.test", "/crash").await.status, 502);
    demo.kill().await;
    let reply = house.get("app.test", "/").await;
    assert_eq!((reply.status, reply.header("retry-after")), (502, Some("1")));
    house.plane.set_route(route_of("app0", "app.test", None, 2, "no-such-name.invalid:80"));
    assert_eq!(house.get("app.test", "/").await.status, 502);
}

/// The old app is gone before the request could be sent, and the route has changed by then: the request goes there.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_sent_is_sent_to_who_serves_now() {
    // A full queue: connections are neither taken nor refused, so that the request is stuck while the route changes.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let stuck: StdListener = socket.into();
    let address = stuck.local_addr().unwrap();
    let _fill: Vec<_> = (0..4)
        .map(|_| {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address.into());
            socket
        })
        .collect();
    let demo = Demo::start("new").await;
    let timeouts = Timeouts { connect: Duration::from_millis(700), ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, address));
    let change = async {
        until("claimed", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        house.plane.set_route(route(2, demo.address));
    };
    let (reply, ()) = tokio::join!(house.get("app.test", "/version"), change);
    assert_eq!((reply.status, reply.text().as_str()), (200, "new"));
}

/// Apps close connections that rest, without saying so. The proxy must not make an error of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_the_app_closed_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, mut connections) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.send_modify(|n| *n += 1);
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            // Closed without a word.
        }
    });
    let house = House::new();
    house.plane.set_route(route(1, address));
    for round in 1..=30 {
        for method in ["GET", "POST"] {
            let ask =
                format!("{method} / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let reply = crate::support::request(house.address, &ask).await;
            assert_eq!(reply.status, 200, "round {round} {method}");
            // Its end has to arrive here first: a POST may not be repeated.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    assert_eq!(*connections.borrow_and_update(), 60);
}

/// A question that kills the connection is asked twice at most, however many connections rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_connections_is_not_repeated_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, mut bombs) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read) = stream.read(&mut buffer).await
                    && read > 0
                {
                    if buffer.starts_with(b"GET /bomb") {
                        count.send_modify(|n| *n += 1);
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
            });
        }
    });
    let house = House::new();
    house.plane.set_route(route(1, address));
    // Leaves a dozen connections at rest.
    futures_util::future::join_all((0..12).map(|_| house.get("app.test", "/"))).await;
    assert_eq!(house.get("app.test", "/bomb").await.status, 502);
    assert_eq!(*bombs.borrow_and_update(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_apps_are_used_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (count, mut connections) = tokio::sync::watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.send_modify(|n| *n += 1);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
                }
            });
        }
    });
    let house = House::new();
    house.plane.set_route(route(1, address));
    for _ in 0..30 {
        assert_eq!(house.get("app.test", "/").await.text(), "ok");
    }
    // One a thread.
    assert!(*connections.borrow_and_update() <= 2, "{}", *connections.borrow());
}
