//! What can be seen of an app's traffic afterwards.

use std::time::Duration;

use once_app::proxy::AppTraffic;
use once_app::traffic::Recent;
use once_app::{Notice, ReleaseNumber, Route, RouteState, Span, Web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::heads::canned;
use crate::support::{Demo, House, app, request, route, route_of, until};

const FAILS: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

async fn settled(house: &House, requests: u64) -> AppTraffic {
    until("counted", || house.plane.traffic(&app()).requests >= requests).await;
    house.plane.traffic(&app())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_counted_by_class_and_release_with_their_bytes() {
    let (one, two) = (Demo::start("1").await, Demo::start("2").await);
    let house = House::new();
    house.plane.set_route(route(1, one.address));
    let reply = house.get("app.test", "/").await;
    house.get("app.test", "/nowhere").await;
    house.plane.set_route(route(2, two.address));
    let ask = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    let uploaded = request(house.address, ask).await;
    let traffic = settled(&house, 3).await;
    assert_eq!(traffic.classes, [0, 2, 0, 1, 0]);
    let [two, one] = &traffic.releases[..] else { panic!("{:?}", traffic.releases) };
    assert_eq!((one.release, two.release), (ReleaseNumber(1), ReleaseNumber(2)));
    assert_eq!((one.classes, two.classes), ([0, 1, 0, 1, 0], [0, 1, 0, 0, 0]));
    assert_eq!((one.bytes_in, two.bytes_in), (0, 5));
    assert_eq!(two.bytes_out, uploaded.body.len() as u64);
    assert!(one.bytes_out >= reply.body.len() as u64);
    assert!(one.p50_ms.unwrap() > 0.0 && two.p99_ms.is_some());
    assert_eq!((traffic.bytes_in, traffic.bytes_out), (5, one.bytes_out + two.bytes_out));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_websockets_count_both_ways() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let ask = b"GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    // A masked ping of two bytes.
    stream.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut all = Vec::new();
    while !all.windows(2).any(|w| w == b"hi") {
        let mut buffer = [0; 512];
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "{:?}", String::from_utf8_lossy(&all));
        all.extend_from_slice(&buffer[..read]);
    }
    drop(stream);
    let traffic = settled(&house, 1).await;
    assert_eq!((traffic.classes[0], traffic.bytes_in), (1, 8));
    assert!(traffic.bytes_out >= 4);
    assert_eq!((traffic.releases[0].bytes_in, traffic.releases[0].requests), (8, 1));
    assert_eq!(traffic.p50_ms, None, "a WebSocket's life is no latency");
}

#[tokio::test(flavor = "multi_thread")]
async fn top_paths_are_told_without_their_queries() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    for i in 0..5 {
        house.get("app.test", &format!("/cart?token=secret{i}")).await;
    }
    house.get("app.test", "/").await;
    settled(&house, 6).await;
    let report = house.plane.traffic_report(&app());
    let paths: Vec<_> = report.paths.iter().map(|p| (p.path.as_str(), p.requests, p.at_least)).collect();
    assert_eq!(paths, [("/cart", 5, 5), ("/", 1, 1)]);
    assert!(!serde_json::to_string(&report).unwrap().contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_paths_do_not_grow_the_report() {
    let (address, _questions) = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    for i in 0..300 {
        house.get("app.test", &format!("/{i}/{}", "x".repeat(2000))).await;
    }
    settled(&house, 300).await;
    let report = house.plane.traffic_report(&app());
    assert!(report.paths.len() <= 20, "{}", report.paths.len());
    assert!(serde_json::to_string(&report).unwrap().len() < 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_visitor_counts_once_however_often_he_asks() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    for _ in 0..5 {
        house.get("app.test", "/").await;
    }
    let traffic = settled(&house, 5).await;
    assert_eq!((traffic.visitors_today, traffic.visitors_24h), (1, 1));
    assert_eq!(house.plane.traffic_report(&app()).visitors_by_hour.iter().sum::<u32>(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hour_and_day_are_there_and_end_now() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/").await;
    let (failing, _questions) = canned(FAILS).await;
    house.plane.set_route(route(2, failing));
    house.get("app.test", "/").await;
    settled(&house, 2).await;
    let report = house.plane.traffic_report(&app());
    for series in [&report.hour, &report.day] {
        assert_eq!((series.requests.iter().sum::<u32>(), series.errors.iter().sum::<u32>()), (2, 1));
        // A minute may have ended between the two.
        let len = series.requests.len();
        assert_eq!(series.requests[len - 2..].iter().sum::<u32>(), 2, "{series:?}");
    }
    assert_eq!((report.hour.step, report.hour.requests.len()), (60, 60));
    assert_eq!((report.day.step, report.day.requests.len()), (600, 144));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_many_apps_stays_small() {
    let demo = Demo::start("1").await;
    let house = House::new();
    for i in 0..100 {
        let host = format!("app{i}.test");
        house.plane.set_route(route_of(&format!("app{i}"), &host, None, 1, &demo.address.to_string()));
        house.get(&host, "/").await;
    }
    let size = serde_json::to_string(&house.plane.traffic_all()).unwrap().len();
    assert!(size < 200_000, "{size} bytes for 100 apps");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_nobody_knows_has_an_empty_report() {
    let house = House::new();
    assert_eq!(house.plane.traffic_report(&app()), once_app::traffic::TrafficReport::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_proxys_own_are_counted_apart_and_are_nobodys_errors() {
    let demo = Demo::start("1").await;
    let house = House::new();
    let serving = route(1, demo.address);
    house.plane.set_route(serving.clone());
    house.get("app.test", "/").await;
    house.get("app.test", "/").await;
    let paused = RouteState::Paused { max_wait: Span::seconds(0) };
    for state in [RouteState::Maintenance(Notice::default()), RouteState::Stopped, paused] {
        house.plane.set_route(Route { state, ..serving.clone() });
        assert_eq!(house.get("app.test", "/").await.status, 503);
    }
    let web = Web { allow_ip: ["203.0.113.0/24".parse().unwrap()].into(), ..Web::default() };
    house.plane.set_route(Route { web, ..serving });
    assert_eq!(house.get("app.test", "/").await.status, 403);
    let traffic = settled(&house, 6).await;
    assert_eq!((traffic.classes, traffic.failed), ([0, 2, 0, 1, 3], 0), "all are answers, none is a failure");
    assert_eq!(traffic.own, Some(4));
    assert_eq!(traffic.recent, Some(Recent { answers: 2, errors: 0, failing: false }));
    let report = house.plane.traffic_report(&app());
    assert_eq!(report.hour.errors.iter().sum::<u32>(), 0);
    let text = house.plane.exposition();
    assert_eq!(value(&text, "once_http_own_answers_total{service=\"app0\"}"), Some(4.0), "{text}");
    assert_eq!(value(&text, "once_http_failed_total{service=\"app0\"}"), Some(0.0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_gives_no_answer_fails_by_its_own() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    for _ in 0..4 {
        house.get("app.test", "/").await;
    }
    let (silent, _questions) = canned(b"this is no HTTP\r\n\r\n").await;
    house.plane.set_route(route(2, silent));
    assert_eq!(house.get("app.test", "/").await.status, 502);
    let traffic = settled(&house, 5).await;
    assert_eq!((traffic.failed, traffic.own), (1, Some(0)));
    assert_eq!(traffic.recent, Some(Recent { answers: 5, errors: 1, failing: true }));
    assert_eq!((traffic.releases[0].errors, traffic.releases[0].own), (1, Some(0)));
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_finds_kamal_proxys_families_and_ours() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/").await;
    house.get("app.test", "/").await;
    let (failing, _questions) = canned(FAILS).await;
    house.plane.set_route(route(2, failing));
    house.get("app.test", "/").await;
    request(house.address, "BREW / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
    house.get("other.test", "/").await;
    let traffic = settled(&house, 4).await;
    until("the stray", || house.plane.exposition().contains("status=\"421\"")).await;
    let text = house.plane.exposition();
    let ok = "method=\"GET\",service=\"app0\",status=\"200\"";
    let expected = [
        (format!("kamal_proxy_http_requests_total{{{ok}}}"), 2.0),
        ("kamal_proxy_http_requests_total{method=\"GET\",service=\"app0\",status=\"503\"}".into(), 1.0),
        ("kamal_proxy_http_requests_total{method=\"GET\",service=\"\",status=\"421\"}".into(), 1.0),
        (format!("kamal_proxy_http_request_duration_seconds_count{{{ok}}}"), 2.0),
        (format!("kamal_proxy_http_request_duration_seconds_bucket{{{ok},le=\"+Inf\"}}"), 2.0),
        ("kamal_proxy_http_in_flight_requests{service=\"app0\"}".into(), 0.0),
        ("once_app_up{service=\"app0\",release=\"2\"}".into(), 1.0),
        ("once_http_sent_bytes_total{service=\"app0\"}".into(), traffic.bytes_out as f64),
        ("once_http_held_requests{service=\"app0\"}".into(), 0.0),
        ("once_http_draining_requests{service=\"app0\"}".into(), 0.0),
        ("once_visitors_24h{service=\"app0\"}".into(), 1.0),
    ];
    for (series, expected) in expected {
        assert_eq!(value(&text, &series), Some(expected), "{series} in\n{text}");
    }
    assert!(text.contains("method=\"OTHER\",service=\"app0\""), "{text}");
    let le = |bound: &str| {
        value(&text, &format!("kamal_proxy_http_request_duration_seconds_bucket{{{ok},le=\"{bound}\"}}")).unwrap()
    };
    let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];
    assert!(bounds.windows(2).all(|pair| le(pair[0]) <= le(pair[1])), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_for_prometheus_is_a_comment_or_a_sample() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    house.get("app.test", "/").await;
    settled(&house, 1).await;
    let mut described = std::collections::BTreeSet::new();
    let sample = regex::Regex::new(r#"^([a-z0-9_]+)(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.e+-]+$"#).unwrap();
    for line in house.plane.exposition().lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap().to_owned();
            assert!(described.insert(name), "described twice: {line}");
        } else if !line.starts_with("# HELP ") {
            let name = sample.captures(line).unwrap_or_else(|| panic!("{line}"))[1].to_owned();
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(&name);
            assert!(described.contains(family) || described.contains(&name), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_drain_and_are_held_show() {
    let (one, two) = (Demo::start("1").await, Demo::start("2").await);
    let house = House::new();
    house.plane.set_route(route(1, one.address));
    let slow = {
        let address = house.address;
        tokio::spawn(async move {
            request(address, "GET /slow?ms=60000 HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await
        })
    };
    let shows = |series: &'static str, expected: f64| {
        let house = &house;
        async move { until(series, || value(&house.plane.exposition(), series) == Some(expected)).await }
    };
    shows("kamal_proxy_http_in_flight_requests{service=\"app0\"}", 1.0).await;
    house.plane.set_route(route(2, two.address));
    shows("once_http_draining_requests{service=\"app0\"}", 1.0).await;
    assert!(house.plane.hold(&app(), Duration::from_secs(60)));
    let held = {
        let address = house.address;
        tokio::spawn(
            async move { request(address, "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await },
        )
    };
    shows("once_http_held_requests{service=\"app0\"}", 1.0).await;
    house.plane.resume(&app());
    assert_eq!(held.await.unwrap().status, 200);
    shows("once_http_held_requests{service=\"app0\"}", 0.0).await;
    slow.abort();
    shows("once_http_draining_requests{service=\"app0\"}", 0.0).await;
}
