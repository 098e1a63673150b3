use std::time::{Duration, Instant};

use once_demo::DemoMode;
use once_proxy::plane::{PlaneOptions, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Demo, House, app, raw, route};

fn quick() -> PlaneOptions {
    let timeouts = Timeouts {
        head: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        response_head: Duration::from_millis(400),
        ..Timeouts::default()
    };
    PlaneOptions { timeouts, ..PlaneOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_cut_and_hurts_nobody_else() {
    let demo = Demo::start("1").await;
    let house = House::with(quick());
    house.plane.set_route(route(1, demo.address));
    let started = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        let asked = Instant::now();
        assert_eq!(house.get("app.test", "/version").await.status, 200);
        assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    }
    for stream in &mut slow {
        // A byte now and then does not help.
        let _ = stream.write_all(b".").await;
        let _ = stream.read(&mut [0; 64]).await;
    }
    let took = started.elapsed();
    assert!((Duration::from_millis(290)..Duration::from_secs(3)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_and_a_slow_second_head_sooner() {
    let demo = Demo::start("1").await;
    let house = House::with(quick());
    house.plane.set_route(route(1, demo.address));
    let ask = b"GET /version HTTP/1.1\r\nHost: app.test\r\n\r\n";
    for (more, least, most) in [(b"".as_slice(), 590, 1400), (b"GET / H", 290, 580)] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(ask).await.unwrap();
        let mut buffer = [0; 1024];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        let started = Instant::now();
        stream.write_all(more).await.unwrap();
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        let took = started.elapsed();
        assert!((Duration::from_millis(least)..Duration::from_millis(most)).contains(&took), "{more:?}: {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_app_is_a_504() {
    let demo = Demo::with("1", DemoMode::Hang).await;
    let house = House::with(quick());
    house.plane.set_route(route(1, demo.address));
    let started = Instant::now();
    assert_eq!(house.get("app.test", "/").await.status, 504);
    assert!(started.elapsed() >= Duration::from_millis(390));
    assert_eq!(house.plane.traffic(&app()).failed, 1);
}

/// The app's time begins when it has the whole request.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_is_no_silence() {
    let demo = Demo::start("1").await;
    let house = House::with(quick());
    house.plane.set_route(route(1, demo.address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(b"x").await.unwrap();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\n\r\n10 "), "{answer}");
    // Nor is it the proxy's fault when the client stops sending.
    let cut = raw(house.address, b"POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nxxx");
    assert!(cut.await.starts_with(b"HTTP/1.1 408"));
    assert_eq!(house.plane.traffic(&app()).failed, 0);
}
