//! An app that takes no connections for a while: who comes meanwhile waits, as long as that makes sense.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use once_app::ReleaseNumber;
use once_app::proxy::DrainLimits;
use once_demo::DemoMode;
use once_proxy::plane::{PlaneOptions, Timeouts};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::{Demo, House, app, request, route, until};

const DRAIN: DrainLimits = DrainLimits { requests_ms: 20_000, upgraded_ms: 20_000 };

/// The address of an app that was killed, with connections at rest.
async fn killed(house: &House) -> SocketAddr {
    let demo = Demo::start("first").await;
    let address = demo.address;
    house.plane.set_route(route(1, address));
    let replies = join_all((0..8).map(|_| house.get("app.test", "/version"))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    demo.kill().await;
    address
}

fn patient(outage: Duration) -> PlaneOptions {
    PlaneOptions { timeouts: Timeouts { outage, ..Timeouts::default() }, ..PlaneOptions::default() }
}

fn held(house: &House) -> u64 {
    house.plane.traffic(&app()).held
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_an_app_that_starts_again() {
    let house = House::new();
    let address = killed(&house).await;
    let upload = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let back = async {
        until("all wait", || held(&house) == 101).await;
        Demo::at(address, "second", DemoMode::Ok).await
    };
    // More than go on abreast, and one that must not be sent twice.
    let asked = join_all((0..100).map(|_| house.get("app.test", "/version")));
    let (replies, uploaded, demo) = tokio::join!(asked, request(house.address, upload), back);
    for reply in replies {
        assert_eq!((reply.status, reply.text().as_str()), (200, "second"));
    }
    assert_eq!(uploaded.status, 200);
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.held, traffic.failed), (0, 0));
    drop(demo);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_go_to_the_release_that_takes_over() {
    let house = House::new();
    killed(&house).await;
    let other = Demo::start("other").await;
    let switch = async {
        until("all wait", || held(&house) == 20).await;
        // What waits is not under way: a drain ends at once, its limit is of no concern.
        let progress: Vec<_> = house.plane.drain(&app(), ReleaseNumber(1), DRAIN).collect().await;
        assert_eq!(progress.last().unwrap().cut, Some(0));
        assert_eq!(held(&house), 20);
        house.plane.set_route(route(2, other.address));
    };
    let (replies, ()) = tokio::join!(join_all((0..20).map(|_| house.get("app.test", "/version"))), switch);
    assert!(replies.iter().all(|reply| (reply.status, reply.text().as_str()) == (200, "other")));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_can_be_held() {
    let house = House::new();
    let address = killed(&house).await;
    let hold = async {
        until("waits", || held(&house) == 1).await;
        assert!(house.plane.hold(&app(), Duration::from_secs(20)));
        let demo = Demo::at(address, "second", DemoMode::Ok).await;
        // It is there, and gets nothing as long as the hold lasts.
        assert_eq!(request(demo.address, "GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.status, 200);
        assert_eq!(held(&house), 1);
        house.plane.resume(&app());
        demo
    };
    let (reply, _demo) = tokio::join!(house.get("app.test", "/version"), hold);
    assert_eq!((reply.status, reply.text().as_str()), (200, "second"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_has_an_end_and_then_nobody_waits() {
    let limit = Duration::from_millis(500);
    let house = House::with(patient(limit));
    let address = killed(&house).await;
    let started = Instant::now();
    let replies = join_all((0..10).map(|_| house.get("app.test", "/version"))).await;
    assert!(replies.iter().all(|reply| (reply.status, reply.header("retry-after")) == (502, Some("1"))));
    assert!(started.elapsed() >= limit.mul_f32(0.98), "{:?}", started.elapsed());
    // It is still down, and known to be.
    let before = house.plane.traffic(&app()).slowest_ms;
    house.plane.mark(&app());
    for _ in 0..3 {
        assert_eq!(house.get("app.test", "/version").await.status, 502);
    }
    let slowest = house.plane.traffic(&app()).slowest_ms;
    assert!(slowest < before / 2, "{slowest} ms, and {before} ms of those that waited");
    // The release is told apart by its failures, as without the wait.
    let traffic = house.plane.traffic(&app());
    let of = traffic.releases.iter().find(|of| of.release == ReleaseNumber(1)).unwrap();
    assert_eq!((of.failed, of.errors), (13, 13));
    // Once it is back, it is asked at once, and the next outage is a new one.
    let demo = Demo::at(address, "second", DemoMode::Ok).await;
    assert_eq!(house.get("app.test", "/version").await.text(), "second");
    demo.kill().await;
    let back = async {
        until("waits", || held(&house) == 1).await;
        Demo::at(address, "third", DemoMode::Ok).await
    };
    let (reply, _demo) = tokio::join!(house.get("app.test", "/version"), back);
    assert_eq!(reply.text(), "third");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_wait() {
    let house = House::with(PlaneOptions { max_held: 3, ..PlaneOptions::default() });
    let address = killed(&house).await;
    let over = async {
        until("3 wait", || held(&house) == 3).await;
        let reply = house.get("app.test", "/").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
        Demo::at(address, "second", DemoMode::Ok).await
    };
    let (replies, _demo) = tokio::join!(join_all((0..3).map(|_| house.get("app.test", "/version"))), over);
    assert!(replies.iter().all(|reply| reply.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_do_not_wait_on() {
    let house = House::new();
    killed(&house).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        clients.push(stream);
    }
    until("5 wait", || held(&house) == 5).await;
    clients.truncate(2);
    until("2 wait", || held(&house) == 2).await;
}
