//! The claim the whole thing stands on: no request is lost when releases follow each other.

use std::time::Duration;

use futures_util::StreamExt;
use once_app::ReleaseNumber;
use once_app::proxy::DrainLimits;
use once_demo::{LoadOptions, LoadReport, Mix, load};
use once_proxy::plane::{PlaneOptions, Timeouts};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Demo, House, app, request, route, until};

const GENTLE: DrainLimits = DrainLimits { requests_ms: 10_000, upgraded_ms: 50 };
const NONE: DrainLimits = DrainLimits { requests_ms: 0, upgraded_ms: 0 };

/// So many swaps under load, each old app killed as soon as its drain is over.
async fn swap(count: u64, mix: Mix, limits: DrainLimits) -> LoadReport {
    let house = House::with(PlaneOptions::default());
    let mut demo = Demo::start("0").await;
    house.plane.set_route(route(1, demo.address));
    let stop = CancellationToken::new();
    let options = LoadOptions {
        address: house.address.to_string(),
        host: "app.test".into(),
        connections: 24,
        duration: Duration::from_secs(300),
        pause: Duration::ZERO,
        mix,
    };
    let load = tokio::spawn(load::run(options, stop.clone()));
    crate::support::until("traffic", || house.plane.traffic(&app()).requests > 20).await;
    for swap in 1..=count {
        let next = Demo::start(&swap.to_string()).await;
        house.plane.set_route(route(swap + 1, next.address));
        let progress: Vec<_> = house.plane.drain(&app(), ReleaseNumber(swap), limits).collect().await;
        assert!(progress.last().unwrap().cut.is_some());
        demo.kill().await;
        demo = next;
        // Some of the load must meet each release while it serves alone.
        let before = house.plane.traffic(&app()).requests;
        crate::support::until("traffic", || house.plane.traffic(&app()).requests > before + 20).await;
    }
    stop.cancel();
    load.await.unwrap()
}

fn nothing_failed(report: &LoadReport, swaps: u64) {
    println!("{report}; {} went away, {} echoes, slowest {:?}", report.went_away, report.echoes, report.slowest);
    assert_eq!(report.failed, 0, "{report}: {:?} {:#?}", report.reasons, report.failures);
    assert!(report.requests > swaps * 20);
    let missed = (0..=swaps).filter(|v| !report.versions.contains_key(&v.to_string())).count();
    assert_eq!(missed, 0, "each version served: {:?}", report.versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_swaps_lose_nothing() {
    nothing_failed(&swap(100, Mix::ALL, GENTLE).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_swaps_lose_nothing_over_kept_connections() {
    nothing_failed(&swap(50, Mix::KEEP_ALIVE, GENTLE).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_swaps_lose_nothing_over_new_connections() {
    nothing_failed(&swap(50, Mix::CLOSE, GENTLE).await, 50);
}

/// The control that must fail: without a drain, what is under way is lost, and the load notices.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_drain_the_load_notices() {
    let report = swap(10, Mix::ALL, NONE).await;
    assert!(report.failed > 0, "{report}");
}

/// A release whose connections are never taken: what waits for one goes to the release that serves by then, with its
/// body, since nothing of it was sent.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_sent_goes_to_the_release_that_serves_by_then() {
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = full.listen(1).unwrap();
    let address = full.local_addr().unwrap();
    let mut fill = Vec::new();
    // Until its queue is full: then connections wait for an answer that does not come.
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        fill.push(stream.unwrap());
    }
    let new = Demo::start("new").await;
    let connect = Duration::from_secs(2);
    let timeouts = Timeouts { connect, ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, address));
    let switched = async {
        until("both wait", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 2)).await;
        house.plane.set_route(route(2, new.address));
    };
    let post = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let (get, post, ()) = tokio::join!(house.get("app.test", "/version"), request(house.address, post), switched);
    assert_eq!((get.status, get.text().as_str()), (200, "new"));
    assert!(post.text().starts_with("5 "), "{post:?}");
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.failed, traffic.in_flight.len()), (0, 0), "{traffic:?}");
    drop(full);
}
