use std::time::{Duration, Instant};

use futures_util::StreamExt;
use once::app::ReleaseNumber;
use once::app::proxy::{DrainLimits, DrainProgress};

use crate::support::{Demo, House, app, raw, route, until};

async fn drain(house: &House, release: u64, requests_ms: u64) -> Vec<DrainProgress> {
    let limits = DrainLimits { requests_ms, upgraded_ms: requests_ms };
    house.plane.drain(&app(), ReleaseNumber(release), limits).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_what_is_under_way() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let drained = async {
        until("under way", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 2)).await;
        house.plane.set_route(route(2, new.address));
        assert_eq!(house.get("app.test", "/version").await.text(), "new");
        let progress = drain(&house, 1, 10_000).await;
        assert!(house.plane.traffic(&app()).in_flight.is_empty());
        progress
    };
    let (slow, stream, progress) =
        tokio::join!(house.get("app.test", "/slow?ms=400"), house.get("app.test", "/stream?chunks=8&ms=50"), drained);
    assert_eq!((slow.status, slow.header("x-version")), (200, Some("old")));
    assert!(stream.text().ends_with("chunk 7\n"));
    assert_eq!(progress.first().unwrap(), &DrainProgress { requests: 2, upgraded: 0, cut: None });
    assert_eq!(progress.last().unwrap(), &DrainProgress { requests: 0, upgraded: 0, cut: Some(0) });
    assert!(progress.windows(2).all(|two| two[0] != two[1]), "only changes are told: {progress:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_at_the_limit() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let drained = async {
        until("under way", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 2)).await;
        house.plane.set_route(route(2, new.address));
        let started = Instant::now();
        let progress = drain(&house, 1, 300).await;
        (progress, started.elapsed())
    };
    let stream = raw(house.address, b"GET /stream?chunks=1000&ms=20 HTTP/1.1\r\nHost: app.test\r\n\r\n");
    let (slow, stream, (progress, took)) = tokio::join!(house.get("app.test", "/slow?ms=20000"), stream, drained);
    assert_eq!(slow.status, 504);
    let text = String::from_utf8(stream).unwrap();
    assert!(text.contains("chunk 1\n") && !text.ends_with("0\r\n\r\n"), "the client sees that it is not all");
    assert_eq!(progress.last().unwrap().cut, Some(2));
    assert!((Duration::from_millis(300)..Duration::from_secs(2)).contains(&took), "{took:?}");
    assert_eq!(house.plane.traffic(&app()).failed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_may_serve_again_after_a_cut() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), Duration::from_secs(20)));
    let progress = drain(&house, 1, 0).await;
    assert_eq!(progress, [DrainProgress { requests: 0, upgraded: 0, cut: Some(0) }]);
    house.plane.resume(&app());
    assert_eq!(house.get("app.test", "/slow?ms=50").await.status, 200);
    // Away and back again, as when a deploy is undone.
    let other = Demo::start("2").await;
    house.plane.set_route(route(2, other.address));
    drain(&house, 1, 0).await;
    house.plane.set_route(route(1, demo.address));
    assert_eq!(house.get("app.test", "/slow?ms=50").await.header("x-version"), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_app_can_be_drained() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let drained = async {
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        house.plane.remove_route(&app());
        drain(&house, 1, 10_000).await
    };
    let (slow, progress) = tokio::join!(house.get("app.test", "/slow?ms=300"), drained);
    assert_eq!(slow.status, 200);
    assert_eq!((progress[0].requests, progress.last().unwrap().cut), (1, Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_release_is_drained() {
    let house = House::new();
    assert_eq!(drain(&house, 9, 1000).await, [DrainProgress { requests: 0, upgraded: 0, cut: Some(0) }]);
}
