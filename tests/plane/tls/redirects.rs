//! From HTTP to HTTPS, and staying there.

use std::net::SocketAddr;

use once_app::{Hostname, Route, Tls, Web};
use once_proxy::plane::PlaneOptions;

use super::{TlsHouse, ask};
use crate::support::{Demo, Reply, request, route_of};

fn house(https_port: Option<u16>) -> TlsHouse {
    TlsHouse::with(PlaneOptions { https_port, ..PlaneOptions::default() })
}

fn route_to(address: SocketAddr, tls: Tls, web: Web) -> Route {
    Route { tls, web, ..route_of("shop", "shop.test", None, 1, &address.to_string()) }
}

async fn plain(house: &TlsHouse, method: &str, host: &str, target: &str) -> Reply {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    request(house.house.address, &head).await
}

async fn location(house: &TlsHouse, host: &str, target: &str) -> Option<String> {
    let reply = plain(house, "GET", host, target).await;
    assert_eq!(reply.status == 301, reply.header("location").is_some());
    reply.header("location").map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn path_query_and_escapes_are_kept() {
    let house = house(Some(443));
    let _app = house.app("shop", &["shop.test", "*.shop.test"]).await;
    for (host, target, to) in [
        ("shop.test", "/", "https://shop.test/"),
        ("shop.test", "/a/b?c=d&e", "https://shop.test/a/b?c=d&e"),
        ("shop.test", "/%2e%2E/%C3%BC%20?x=%0a", "https://shop.test/%2e%2E/%C3%BC%20?x=%0a"),
        ("shop.test", "/?", "https://shop.test/?"),
        ("shop.test", "//evil.test/x", "https://shop.test//evil.test/x"),
        ("Shop.Test:8080", "/x", "https://shop.test/x"),
        ("www.shop.test", "/x", "https://www.shop.test/x"),
        ("shop.test", "http://shop.test/abs?x", "https://shop.test/abs?x"),
    ] {
        assert_eq!(location(&house, host, target).await.as_deref(), Some(to), "{host} {target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_its_own_is_named() {
    let house = house(Some(8443));
    let _app = house.app("shop", &["shop.test"]).await;
    assert_eq!(location(&house, "shop.test:8080", "/x?y").await.as_deref(), Some("https://shop.test:8443/x?y"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_only_comes_again_as_it_was() {
    let house = house(Some(443));
    let _app = house.app("shop", &["shop.test"]).await;
    for (method, status) in
        [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308), ("PATCH", 308), ("DELETE", 308), ("OPTIONS", 308)]
    {
        let reply = plain(&house, method, "shop.test", "/version").await;
        assert_eq!((reply.status, reply.header("location")), (status, Some("https://shop.test/version")), "{method}");
        assert!(reply.body.is_empty() && reply.header("x-version").is_none(), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_where_there_is_no_certificate() {
    let house = house(Some(443));
    let _app = house.app_without("shop", &["shop.test", "www.shop.test"]).await;
    assert_eq!(house.house.get("shop.test", "/version").await.text(), "shop");
    house.install(&["shop.test"]);
    assert_eq!(plain(&house, "GET", "shop.test", "/version").await.status, 301);
    assert_eq!(house.house.get("www.shop.test", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_where_no_port_leads() {
    let house = house(None);
    let _app = house.app("shop", &["shop.test"]).await;
    assert_eq!(house.house.get("shop.test", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_want_none_of_it() {
    let house = house(Some(443));
    let demo = Demo::start("shop").await;
    house.install(&["shop.test"]);
    let off = Web { tls_redirect: false, ..Web::default() };
    for (tls, web, status) in [
        (Tls::Auto, Web::default(), 301),
        (Tls::Custom, Web::default(), 301),
        (Tls::Auto, off.clone(), 200),
        (Tls::Off, Web::default(), 200),
    ] {
        house.house.plane.set_route(route_to(demo.address, tls, web));
        assert_eq!(plain(&house, "GET", "shop.test", "/version").await.status, status, "{tls}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_and_https_are_never_redirected() {
    let house = house(Some(443));
    let _app = house.app("shop", &["shop.test"]).await;
    house.house.plane.certificates().set_http_challenge("tok", "tok.auth");
    let reply = plain(&house, "GET", "shop.test", "/.well-known/acme-challenge/tok").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "tok.auth"));
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
    let reply = plain(&house, "OPTIONS", "shop.test", "*").await;
    assert!(reply.header("location").is_none(), "{}", reply.head);
    assert_eq!(plain(&house, "GET", "nobody.test", "/").await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_counted_for_the_app() {
    let house = house(Some(443));
    let _app = house.app("shop", &["shop.test"]).await;
    plain(&house, "GET", "shop.test", "/").await;
    let traffic = || house.house.plane.traffic(&once_app::AppId("shop".into()));
    crate::support::until("counted", || traffic().classes == [0, 0, 1, 0, 0]).await;
    assert_eq!(traffic().failed, 0);
}

const STRICT: &str = "strict-transport-security";

#[tokio::test(flavor = "multi_thread")]
async fn strict_transport_security_is_said_over_https_only() {
    let house = house(Some(443));
    let demo = Demo::start("shop").await;
    house.install(&["shop.test"]);
    let hsts = Some("365d".parse().unwrap());
    house.house.plane.set_route(route_to(demo.address, Tls::Auto, Web { hsts, tls_redirect: false, ..Web::default() }));
    for target in ["/version", "/nothing-here"] {
        assert_eq!(house.get("shop.test", target).await.header(STRICT), Some("max-age=31536000"), "{target}");
        assert_eq!(house.house.get("shop.test", target).await.header(STRICT), None, "{target}");
    }
    house.house.plane.set_route(route_to(demo.address, Tls::Auto, Web { hsts, ..Web::default() }));
    let moved = plain(&house, "GET", "shop.test", "/").await;
    assert_eq!((moved.status, moved.header(STRICT)), (301, None));
    // The proxy's own pages say it too: the app is down, not its name.
    demo.kill().await;
    let reply = house.get("shop.test", "/").await;
    assert_eq!((reply.status, reply.header(STRICT)), (502, Some("max-age=31536000")));
    house.house.plane.set_route(route_to("127.0.0.1:1".parse().unwrap(), Tls::Auto, Web::default()));
    assert_eq!(house.get("shop.test", "/").await.header(STRICT), None, "not unless asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_own_word_about_it_stays() {
    let answer = b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=5; preload\r\nContent-Length: 2\r\n\r\nok";
    let (address, _questions) = crate::heads::canned(answer).await;
    let house = house(Some(443));
    house.install(&["shop.test"]);
    let hsts = Some("365d".parse().unwrap());
    house.house.plane.set_route(route_to(address, Tls::Auto, Web { hsts, ..Web::default() }));
    let reply = ask(house.open("shop.test").await, "shop.test", "/").await;
    assert_eq!(reply.header(STRICT), Some("max-age=5; preload"));
    assert_eq!(reply.head.to_lowercase().matches(STRICT).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_a_name_that_has_no_certificate_yet() {
    let house = house(Some(443));
    let demo = house.app("shop", &["old.test"]).await;
    let hosts = ["new.test", "old.test"].map(|host| host.parse::<Hostname>().unwrap());
    let web = Web { canonical_host: Some(hosts[0].clone()), ..Web::default() };
    let route = Route { hosts: hosts.into(), ..route_to(demo.address, Tls::Auto, web) };
    house.house.plane.set_route(route);
    assert_eq!(house.get("old.test", "/version").await.status, 200, "it answers under the old name");
    house.install(&["new.test"]);
    let moved = house.get("old.test", "/x?y").await;
    assert_eq!((moved.status, moved.header("location")), (301, Some("https://new.test/x?y")));
    assert_eq!(house.get("new.test", "/version").await.status, 200);
}
