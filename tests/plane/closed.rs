//! Maintenance, pause and resume, as visitors see them.

use std::time::Duration;

use futures_util::future::join_all;
use once_app::{Notice, Route, RouteState};
use once_proxy::plane::PlaneOptions;
use tokio::io::AsyncWriteExt;

use crate::support::{Demo, House, app, request, route, until};

async fn house(state: RouteState) -> (House, Demo, Route) {
    let demo = Demo::start("1").await;
    let house = House::new();
    let serving = route(1, demo.address);
    house.plane.set_route(Route { state, ..serving.clone() });
    (house, demo, serving)
}

fn maintenance(message: Option<&str>, page: Option<&str>) -> RouteState {
    RouteState::Maintenance(Notice { message: message.map(str::to_owned), page: page.map(str::to_owned) })
}

fn paused(max_wait: &str) -> RouteState {
    RouteState::Paused { max_wait: max_wait.parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_a_503_that_says_when_to_come_back() {
    let (house, _demo, serving) = house(maintenance(None, None)).await;
    let reply = house.get("app.test", "/x").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.text().contains("being worked on"), "{}", reply.text());
    house.plane.set_route(serving);
    assert_eq!(house.get("app.test", "/version").await.text(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_message_is_text_whatever_it_looks_like() {
    let (house, _demo, _) = house(maintenance(Some("<script>a & b</script> {title}"), None)).await;
    let text = house.get("app.test", "/").await.text();
    assert!(text.contains("&lt;script&gt;a &amp; b&lt;/script&gt; {title}"), "{text}");
    assert!(!text.contains("<script>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_page_is_shown_as_it_is_with_the_message_in_its_place() {
    let (house, _demo, _) = house(maintenance(Some("until <9>"), Some("<h1>Moving</h1><p>{message}</p>"))).await;
    let reply = house.get("app.test", "/").await;
    assert_eq!(reply.text(), "<h1>Moving</h1><p>until &lt;9&gt;</p>");
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_get_json() {
    let (house, _demo, serving) = house(maintenance(Some("back at \"9\""), Some("<h1>Moving</h1>"))).await;
    let ask = "GET / HTTP/1.1\r\nHost: app.test\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let reply = request(house.address, ask).await;
    assert_eq!((reply.status, reply.header("content-type")), (503, Some("application/json")));
    let json: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!((&json["status"], &json["message"]), (&503.into(), &"back at \"9\"".into()));
    house.plane.set_route(Route { state: RouteState::Stopped, ..serving });
    let reply = request(house.address, ask).await;
    assert_eq!((reply.status, reply.header("content-type")), (503, Some("application/json")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_gets_no_body() {
    let (house, _demo, _) = house(maintenance(None, None)).await;
    let reply = request(house.address, "HEAD / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!((reply.status, reply.body.len()), (503, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_apps_are_not_concerned() {
    let (house, demo, _) = house(maintenance(None, None)).await;
    house.plane.set_route(crate::support::route_of("other", "other.test", None, 1, &demo.address.to_string()));
    assert_eq!(house.get("other.test", "/version").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_during_a_hand_over_is_said_at_once() {
    let (house, _demo, _) = house(maintenance(None, None)).await;
    assert!(house.plane.hold(&app(), Duration::from_secs(60)));
    assert_eq!(house.get("app.test", "/").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_requests_wait_and_go_on_without_a_loss() {
    let (house, _demo, serving) = house(paused("60s")).await;
    let resume = async {
        until("20 held", || house.plane.traffic(&app()).held == 20).await;
        house.plane.set_route(serving);
    };
    let (replies, ()) = tokio::join!(join_all((0..20).map(|_| house.get("app.test", "/version"))), resume);
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.text() == "1"));
    assert_eq!(house.plane.traffic(&app()).held, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_requests_go_to_the_release_that_came_meanwhile() {
    let (house, _demo, _) = house(paused("60s")).await;
    let new = Demo::start("2").await;
    let change = async {
        until("held", || house.plane.traffic(&app()).held == 1).await;
        // A deploy keeps the pause.
        house.plane.set_route(Route { state: paused("60s"), ..route(2, new.address) });
        house.plane.resume(&app());
        assert_eq!(house.plane.traffic(&app()).held, 1);
        house.plane.set_route(route(2, new.address));
    };
    let (reply, ()) = tokio::join!(house.get("app.test", "/version"), change);
    assert_eq!(reply.text(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_waits_so_long_and_then_gets_a_503() {
    let (house, _demo, _) = house(paused("200ms")).await;
    for _ in 0..2 {
        let reply = house.get("app.test", "/").await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("10")));
        assert!(reply.text().contains("paused"), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_wait() {
    let demo = Demo::start("1").await;
    let house = House::with(PlaneOptions { max_held: 2, ..PlaneOptions::default() });
    house.plane.set_route(Route { state: paused("60s"), ..route(1, demo.address) });
    let over = async {
        until("2 held", || house.plane.traffic(&app()).held == 2).await;
        assert_eq!(house.get("app.test", "/").await.status, 503);
        house.plane.set_route(route(1, demo.address));
    };
    let (replies, ()) = tokio::join!(join_all((0..2).map(|_| house.get("app.test", "/version"))), over);
    assert!(replies.iter().all(|reply| reply.status == 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_clients_that_leave_are_let_go() {
    let (house, _demo, _) = house(paused("60s")).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        clients.push(stream);
    }
    until("3 held", || house.plane.traffic(&app()).held == 3).await;
    clients.clear();
    until("none held", || house.plane.traffic(&app()).held == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_from_outside_are_answered_while_paused() {
    let (house, _demo, _) = house(paused("60s")).await;
    assert_eq!(house.get("app.test", "/up").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_when_maintenance_begins_is_told_so() {
    let (house, demo, _) = house(paused("60s")).await;
    let change = async {
        until("held", || house.plane.traffic(&app()).held == 1).await;
        house.plane.set_route(Route { state: maintenance(Some("moving"), None), ..route(1, demo.address) });
    };
    let (reply, ()) = tokio::join!(house.get("app.test", "/"), change);
    assert_eq!(reply.status, 503);
    assert!(reply.text().contains("moving"), "{}", reply.text());
}
