//! Path prefixes: whose requests they are, and what the app sees of them.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::heads::canned;
use crate::support::{Demo, House, request, route_of};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// An app at `shop.test/api` that is stripped of it, and what it was asked.
async fn stripped(prefix: &str) -> (House, UnboundedReceiver<String>) {
    let (address, asked) = canned(OK).await;
    let house = House::new();
    let mut route = route_of("api", "shop.test", Some(prefix), 1, &address.to_string());
    route.web.strip_prefix = true;
    house.plane.set_route(route);
    (house, asked)
}

fn target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|l| l.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
}

async fn sees(prefix: &str, sent: &str, expected: &str) {
    let (house, mut asked) = stripped(prefix).await;
    assert_eq!(house.get("shop.test", sent).await.status, 200, "{sent}");
    let head = asked.recv().await.unwrap();
    assert_eq!(target(&head), expected, "{sent}: {head}");
    assert_eq!(header(&head, "x-forwarded-prefix"), Some(prefix.trim_end_matches('/')), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripped_prefix_is_gone_and_told_beside_it() {
    sees("/api", "/api/x", "/x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_itself_becomes_the_root() {
    sees("/api", "/api", "/").await;
    sees("/api", "/api/", "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_right_behind_the_prefix_stays() {
    sees("/api", "/api?a=%2F&b=c", "/?a=%2F&b=c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_slash_stays_encoded() {
    sees("/api", "/api/a%2Fb", "/a%2Fb").await;
    sees("/api", "/api/a%2fb", "/a%2fb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encoded_letters_and_bytes_stay_as_they_were_written() {
    sees("/api", "/api/%61%C3%A4%00", "/%61%C3%A4%00").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_the_client_encoded_is_found_and_stripped() {
    sees("/api", "/%61p%69/x", "/x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn double_slashes_and_dots_behind_the_prefix_are_left_to_the_app() {
    sees("/api", "/api//x", "//x").await;
    sees("/api", "/api/../x", "/../x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_is_stripped_once() {
    sees("/api", "/api/api/x", "/api/x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_at_the_prefix_end_makes_no_difference() {
    sees("/api/", "/api/x", "/x").await;
    sees("/api/", "/api", "/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_address_in_the_request_line_is_stripped_too() {
    let (house, mut asked) = stripped("/api").await;
    let line = "GET http://shop.test/api/a%2Fb?x HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n";
    assert_eq!(request(house.address, line).await.status, 200);
    assert_eq!(target(&asked.recv().await.unwrap()), "/a%2Fb?x");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_strip_the_app_sees_all_and_no_prefix_that_a_stranger_made_up() {
    let (address, mut asked) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(route_of("api", "shop.test", Some("/api"), 1, &address.to_string()));
    let line = "GET /api/a%2Fb HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-Prefix: /evil\r\nConnection: close\r\n\r\n";
    assert_eq!(request(house.address, line).await.status, 200);
    let head = asked.recv().await.unwrap();
    assert_eq!((target(&head), header(&head, "x-forwarded-prefix")), ("/api/a%2Fb", None), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_begins_like_the_prefix_belongs_to_somebody_else() {
    let (house, _asked) = stripped("/api").await;
    for path in ["/apix", "/ap", "/", "/api%2Fx", "/API"] {
        assert_eq!(house.get("shop.test", path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_prefix_wins_and_each_app_is_stripped_of_its_own() {
    let (short, mut short_asked) = canned(OK).await;
    let (long, mut long_asked) = canned(OK).await;
    let house = House::new();
    for (app, prefix, address) in [("short", "/api", short), ("long", "/api/v2", long)] {
        let mut route = route_of(app, "shop.test", Some(prefix), 1, &address.to_string());
        route.web.strip_prefix = true;
        house.plane.set_route(route);
    }
    house.get("shop.test", "/api/v2/x").await;
    assert_eq!(target(&long_asked.recv().await.unwrap()), "/x");
    house.get("shop.test", "/api/v22").await;
    assert_eq!(target(&short_asked.recv().await.unwrap()), "/v22");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_nobody_has_under_a_known_host_goes_to_the_wildcard_and_else_nowhere() {
    let (api, wild) = (Demo::start("api").await, Demo::start("wild").await);
    let house = House::new();
    house.plane.set_route(route_of("api", "a.shop.test", Some("/api"), 1, &api.address.to_string()));
    assert_eq!(house.get("a.shop.test", "/version").await.status, 404);
    house.plane.set_route(route_of("wild", "*.shop.test", None, 1, &wild.address.to_string()));
    assert_eq!(house.get("a.shop.test", "/version").await.text(), "wild");
    assert_eq!(house.get("a.shop.test", "/api/x").await.header("x-version"), Some("api"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_goes_to_the_next_app_with_the_address_it_came_with() {
    let (first, _) = canned(OK).await;
    let (second, mut asked) = canned(OK).await;
    let house = House::new();
    let mut route = route_of("first", "shop.test", Some("/api"), 1, &first.to_string());
    route.web.strip_prefix = true;
    house.plane.set_route(route);
    let first = once_app::AppId("first".into());
    assert!(house.plane.hold(&first, crate::support::PATIENCE));
    let change = async {
        crate::support::until("held", || house.plane.traffic(&first).held == 1).await;
        // Whoever takes the address over is there before the other one goes.
        house.plane.publish(vec![route_of("second", "shop.test", None, 1, &second.to_string())]);
    };
    let (reply, ()) = tokio::join!(house.get("shop.test", "/api/x"), change);
    assert_eq!(reply.status, 200);
    let head = asked.recv().await.unwrap();
    assert_eq!((target(&head), header(&head, "x-forwarded-prefix")), ("/api/x", None), "{head}");
}
