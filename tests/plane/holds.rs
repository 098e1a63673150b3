use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use once_app::proxy::DrainLimits;
use once_app::{AppId, ReleaseNumber};
use once_proxy::plane::PlaneOptions;
use tokio::io::AsyncWriteExt;

use crate::support::{Demo, House, app, route, route_of, until};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn held_requests_go_to_whoever_serves_then() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    assert!(house.plane.hold(&app(), LONG));
    let asked = async {
        until("20 held", || house.plane.traffic(&app()).held == 20).await;
        // Drained while it is held: nothing of it is under way.
        let limits = DrainLimits { requests_ms: 5000, upgraded_ms: 5000 };
        let progress: Vec<_> = house.plane.drain(&app(), ReleaseNumber(1), limits).collect().await;
        assert_eq!(progress.last().unwrap().cut, Some(0));
        old.kill().await;
        // Probes from outside are answered meanwhile.
        let alive = house.get("app.test", "/up").await;
        assert_eq!((alive.status, alive.body.len()), (200, 0));
        house.plane.set_route(route(2, new.address));
    };
    let (replies, ()) = tokio::join!(join_all((0..20).map(|_| house.get("app.test", "/version"))), asked);
    for reply in replies {
        assert_eq!((reply.status, reply.text().as_str()), (200, "new"));
    }
    assert_eq!(house.plane.traffic(&app()).held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn resumed_requests_go_on_to_the_same_release() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), LONG));
    let resume = async {
        until("held", || house.plane.traffic(&app()).held == 1).await;
        house.plane.resume(&app());
    };
    let (reply, ()) = tokio::join!(house.get("app.test", "/version"), resume);
    assert_eq!(reply.text(), "1");
    assert!(!house.plane.hold(&once_app::AppId("other".into()), LONG));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_has_an_end() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), Duration::from_millis(200)));
    let started = Instant::now();
    assert_eq!(house.get("app.test", "/").await.status, 504);
    assert!(started.elapsed() >= Duration::from_millis(195), "{:?}", started.elapsed());
    assert_eq!(house.get("app.test", "/").await.status, 504, "and stays ended until somebody decides");
    house.plane.resume(&app());
    assert_eq!(house.get("app.test", "/version").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_are_held() {
    let demo = Demo::start("1").await;
    let house = House::with(PlaneOptions { max_held: 3, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), LONG));
    let over = async {
        until("3 held", || house.plane.traffic(&app()).held == 3).await;
        let reply = house.get("app.test", "/").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
        house.plane.resume(&app());
    };
    let (replies, ()) = tokio::join!(join_all((0..3).map(|_| house.get("app.test", "/version"))), over);
    assert!(replies.iter().all(|reply| reply.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_app_leaves_room_for_the_others() {
    let demo = Demo::start("1").await;
    let house = House::with(PlaneOptions { max_held: 5, max_held_of_app: 3, ..PlaneOptions::default() });
    let address = demo.address.to_string();
    let (one, other) = (AppId("app1".into()), AppId("app2".into()));
    house.plane.set_route(route_of("app1", "one.test", None, 1, &address));
    house.plane.set_route(route_of("app2", "other.test", None, 1, &address));
    assert!(house.plane.hold(&one, LONG) && house.plane.hold(&other, LONG));
    let held = |app: &AppId| house.plane.traffic(app).held;
    let crowd = async {
        until("3 held", || held(&one) == 3).await;
        assert_eq!(house.get("one.test", "/").await.status, 503);
        // Whom that one does not keep out.
        let others = join_all((0..2).map(|_| house.get("other.test", "/version")));
        let full = async {
            until("2 held", || held(&other) == 2).await;
            assert_eq!(house.get("other.test", "/").await.status, 503, "more than of all");
            house.plane.resume(&one);
            house.plane.resume(&other);
        };
        let (replies, ()) = tokio::join!(others, full);
        assert!(replies.iter().all(|reply| reply.status == 200));
    };
    let (replies, ()) = tokio::join!(join_all((0..3).map(|_| house.get("one.test", "/version"))), crowd);
    assert!(replies.iter().all(|reply| reply.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_are_let_go() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), LONG));
    let mut clients = Vec::new();
    for _ in 0..5 {
        let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        clients.push(stream);
    }
    until("5 held", || house.plane.traffic(&app()).held == 5).await;
    clients.truncate(2);
    until("2 held", || house.plane.traffic(&app()).held == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removed_and_stopped_apps_hold_nobody() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    assert!(house.plane.hold(&app(), LONG));
    let remove = async {
        until("held", || house.plane.traffic(&app()).held == 1).await;
        house.plane.remove_route(&app());
    };
    let (reply, ()) = tokio::join!(house.get("app.test", "/"), remove);
    assert_eq!(reply.status, 421);
}
