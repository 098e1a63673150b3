//! What is believed about the client, and of whom.

use once_app::{ProxyConfig, ProxyDraft, ProxyField};
use serde_json::Value;

use crate::support::{Demo, House, request, route};

pub fn config(settings: &[(ProxyField, &str)]) -> ProxyConfig {
    let mut draft = ProxyDraft::default();
    for (field, text) in settings {
        draft.set(*field, text).unwrap();
    }
    draft.merge(&ProxyConfig::default())
}

async fn house(trusted: Option<&str>) -> (House, Demo) {
    let demo = Demo::start("1").await;
    let house = House::new();
    if let Some(ranges) = trusted {
        house.plane.configure(config(&[(ProxyField::TrustedProxies, ranges)]));
    }
    house.plane.set_route(route(1, demo.address));
    (house, demo)
}

/// What the app sees of a header; several are joined by `|`.
async fn sees(house: &House, headers: &str, name: &str) -> String {
    let line = format!("GET /headers HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n{headers}\r\n");
    let reply = request(house.address, &line).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let head: Value = serde_json::from_slice(&reply.body).unwrap();
    let named = head["headers"].as_array().unwrap().iter().filter(|p| p[0] == name);
    named.map(|p| p[1].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("|")
}

const SAID: &str = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: www.test\r\n\
                    X-Forwarded-Port: 8443\r\nX-Forwarded-Prefix: /outer\r\nForwarded: for=192.0.2.7\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_words_are_replaced() {
    let (house, _demo) = house(None).await;
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "app.test"),
        ("x-forwarded-port", "80"),
        ("x-forwarded-prefix", ""),
        ("forwarded", ""),
    ] {
        assert_eq!(sees(&house, SAID, name).await, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_proxys_words_are_kept_and_gone_on_with() {
    let (house, _demo) = house(Some("127.0.0.0/8")).await;
    for (name, value) in [
        ("x-forwarded-for", "192.0.2.7, 127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.test"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-prefix", "/outer"),
    ] {
        assert_eq!(sees(&house, SAID, name).await, value, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_range_makes_nobody_trusted() {
    let (house, _demo) = house(Some("10.0.0.0/8 2001:db8::/32")).await;
    assert_eq!(sees(&house, SAID, "x-forwarded-for").await, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_proxy_that_says_nothing_is_told_of_as_anybody() {
    let (house, _demo) = house(Some("127.0.0.1")).await;
    assert_eq!(sees(&house, "", "x-forwarded-for").await, "127.0.0.1");
    assert_eq!(sees(&house, "", "x-forwarded-proto").await, "http");
    assert_eq!(sees(&house, "", "x-forwarded-host").await, "app.test");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_headers_become_one_list_in_their_order() {
    let (house, _demo) = house(Some("127.0.0.1")).await;
    let said = "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.7\r\n";
    assert_eq!(sees(&house, said, "x-forwarded-for").await, "198.51.100.1, 192.0.2.7, 127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn https_outside_means_port_443_where_nothing_else_is_said() {
    let (house, _demo) = house(Some("127.0.0.1")).await;
    assert_eq!(sees(&house, "X-Forwarded-Proto: https\r\n", "x-forwarded-port").await, "443");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_of_a_named_proxy_is_not_passed_on() {
    let (house, _demo) = house(Some("127.0.0.1")).await;
    assert_eq!(sees(&house, "X-Forwarded-Proto: gopher\r\n", "x-forwarded-proto").await, "http");
    assert_eq!(
        sees(&house, "X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "x-forwarded-proto").await,
        "http"
    );
    assert_eq!(sees(&house, "X-Forwarded-Port: eighty\r\n", "x-forwarded-port").await, "80");
}

async fn logged(trusted: Option<&str>, headers: &str) -> Value {
    let (house, _demo) = house(trusted).await;
    sees(&house, headers, "host").await;
    house.lines(1).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_the_client_behind_a_named_proxy() {
    let line = logged(Some("127.0.0.1"), "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n").await;
    assert_eq!((&line["client_addr"], &line["remote_addr"]), (&"127.0.0.1".into(), &"192.0.2.7".into()), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn named_proxies_in_a_row_are_passed_over() {
    let said = "X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.0.0.2\r\n";
    let line = logged(Some("127.0.0.1 10.0.0.0/8"), said).await;
    assert_eq!(line["remote_addr"], "192.0.2.7");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_a_port_and_ipv6_are_understood() {
    let line = logged(Some("127.0.0.1"), "X-Forwarded-For: [2001:db8::7]:4711\r\n").await;
    assert_eq!(line["remote_addr"], "2001:db8::7");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_list_changes_no_log() {
    let line = logged(None, "X-Forwarded-For: 192.0.2.7\r\n").await;
    assert_eq!(line["remote_addr"], "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_behind_a_named_proxy_leads_to_https() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.configure(config(&[(ProxyField::TrustedProxies, "127.0.0.1")]));
    let mut route = route(1, demo.address);
    route.hosts.push("www.app.test".parse().unwrap());
    route.web.canonical_host = Some("app.test".parse().unwrap());
    house.plane.set_route(route);
    let line = "GET /x HTTP/1.1\r\nHost: www.app.test\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";
    assert_eq!(request(house.address, line).await.header("location"), Some("https://app.test/x"));
}
