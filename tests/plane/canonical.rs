//! The canonical host, and the default app.

use once_app::Route;

use crate::support::{Demo, House, request, route_of};

fn with_hosts(address: std::net::SocketAddr, hosts: &[&str], canonical: &str) -> Route {
    let mut route = route_of("shop", hosts[0], None, 1, &address.to_string());
    route.hosts = hosts.iter().map(|h| h.parse().unwrap()).collect();
    route.web.canonical_host = Some(canonical.parse().unwrap());
    route
}

async fn house(hosts: &[&str], canonical: &str) -> (House, Demo) {
    let demo = Demo::start("shop").await;
    let house = House::new();
    house.plane.set_route(with_hosts(demo.address, hosts, canonical));
    (house, demo)
}

async fn leads(house: &House, method: &str, host: &str, target: &str) -> (u16, Option<String>) {
    let line = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let reply = request(house.address, &line).await;
    (reply.status, reply.header("location").map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hostnames_are_redirected_for_good() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    assert_eq!(leads(&house, "GET", "www.shop.test", "/").await, (301, Some("http://shop.test/".into())));
    assert_eq!(leads(&house, "HEAD", "www.shop.test", "/").await.0, 301);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_one_is_served() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    assert_eq!(house.get("shop.test", "/version").await.text(), "shop");
    assert_eq!(house.get("SHOP.test.:80", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_send_something_are_kept() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        assert_eq!(leads(&house, method, "www.shop.test", "/x").await, (308, Some("http://shop.test/x".into())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_query_and_encoding_stay() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    let target = "/a%2Fb//c?x=%20&y=[1]";
    let (_, location) = leads(&house, "GET", "www.shop.test", target).await;
    assert_eq!(location, Some(format!("http://shop.test{target}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_stays() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    let (_, location) = leads(&house, "GET", "www.shop.test:8080", "/").await;
    assert_eq!(location.as_deref(), Some("http://shop.test:8080/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_below_a_wildcard_are_redirected_too() {
    let (house, _demo) = house(&["shop.test", "*.shop.test"], "shop.test").await;
    assert_eq!(leads(&house, "GET", "a.b.shop.test", "/").await, (301, Some("http://shop.test/".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_address_stands_in_brackets() {
    let (house, _demo) = house(&["2001:db8::1", "shop.test"], "2001:db8::1").await;
    assert_eq!(leads(&house, "GET", "shop.test", "/").await.1.as_deref(), Some("http://[2001:db8::1]/"));
    assert_eq!(house.get("[2001:DB8::1]:80", "/version").await.text(), "shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_counted_and_logged_as_the_apps() {
    let (house, _demo) = house(&["shop.test", "www.shop.test"], "shop.test").await;
    leads(&house, "GET", "www.shop.test", "/x").await;
    let line = house.lines(1).await.remove(0);
    assert_eq!((&line["status"], &line["service"]), (&301.into(), &"shop".into()), "{line}");
    assert_eq!(house.plane.traffic(&once_app::AppId("shop".into())).classes[2], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_app_gets_hostnames_nobody_serves() {
    let (main, other) = (Demo::start("main").await, Demo::start("other").await);
    let house = House::new();
    let mut route = route_of("main", "main.test", None, 1, &main.address.to_string());
    route.web.default_app = true;
    house.plane.set_route(route.clone());
    house.plane.set_route(route_of("other", "other.test", Some("/up"), 1, &other.address.to_string()));
    for host in ["nobody.test", "10.0.0.1:80", "[::1]", "main.test"] {
        assert_eq!(house.get(host, "/version").await.text(), "main", "{host}");
    }
    assert_eq!(house.get("other.test", "/up").await.header("x-version"), Some("other"));
    assert_eq!(house.get("other.test", "/version").await.status, 404, "a known host's other paths are nobody's");
    route.web.default_app = false;
    house.plane.set_route(route);
    assert_eq!(house.get("nobody.test", "/version").await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_app_redirects_its_own_names_alone() {
    let demo = Demo::start("shop").await;
    let house = House::new();
    let mut route = with_hosts(demo.address, &["shop.test", "www.shop.test"], "shop.test");
    route.web.default_app = true;
    house.plane.set_route(route);
    assert_eq!(leads(&house, "GET", "www.shop.test", "/").await.0, 301);
    assert_eq!(house.get("customer.test", "/version").await.text(), "shop");
}
