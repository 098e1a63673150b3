//! What an app turns requests down for, before it sees them.

use std::net::SocketAddr;

use once_app::proxy::{ProbeAnswer, ProbeRequest};
use once_app::{ByteSize, Route, Secret, Web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::heads::canned;
use crate::support::{Demo, House, PATIENCE, Reply, app, raw, request, route, route_of};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ANN: &str = "Authorization: Basic YW5uOmh1bnRlcjI=\r\n";

fn guarded(address: SocketAddr, web: Web) -> Route {
    Route { web, ..route(1, address) }
}

fn passwords() -> Web {
    let user = |name: &str, password: &str| (name.parse().unwrap(), Secret::new(password.to_owned()));
    Web { basic_auth: [user("ann", "hunter2"), user("bob", "s3cret")].into(), ..Web::default() }
}

fn allowing(range: &str) -> Web {
    Web { allow_ip: [range.parse().unwrap()].into(), ..Web::default() }
}

fn limited(rate: &str) -> Web {
    Web { rate_limit: Some(rate.parse().unwrap()), ..Web::default() }
}

fn at_most(bytes: u64) -> Web {
    Web { max_body: Some(ByteSize(bytes)), ..Web::default() }
}

async fn ask(house: &House, headers: &str) -> Reply {
    request(house.address, &format!("GET /headers HTTP/1.1\r\nHost: app.test\r\n{headers}Connection: close\r\n\r\n"))
        .await
}

/// As `ask`, from another address of this machine.
async fn ask_from(house: &House, from: [u8; 4]) -> Reply {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((from, 0))).unwrap();
    let mut stream = socket.connect(house.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    Reply::parse(&answer).unwrap()
}

async fn next(stream: &mut TcpStream) -> Reply {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(reply) = Reply::parse(&answer)
            && reply.body.len() as u64 >= reply.header("content-length").map_or(0, |n| n.parse().unwrap())
        {
            return reply;
        }
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_outside_of_the_allowed_ranges_get_403_and_the_app_is_not_asked() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, allowing("10.0.0.0/8")));
    let reply = house.get("app.test", "/").await;
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains("10.0.0") && !reply.text().contains("app0"), "{}", reply.text());
    assert!(questions.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_of_an_allowed_range_pass() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    let web =
        Web { allow_ip: ["10.0.0.0/8".parse().unwrap(), "127.0.0.0/31".parse().unwrap()].into(), ..Web::default() };
    house.plane.set_route(guarded(address, web));
    assert_eq!(house.get("app.test", "/").await.status, 200);
    assert_eq!(ask_from(&house, [127, 0, 0, 2]).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_forwarded_address_opens_nothing() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, allowing("10.0.0.0/8")));
    let forged = "X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n";
    assert_eq!(ask(&house, forged).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_allow_list_counts_from_the_next_request_on_an_open_connection() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, allowing("127.0.0.1")));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let ask = b"GET /version HTTP/1.1\r\nHost: app.test\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 200);
    house.plane.set_route(guarded(demo.address, allowing("10.0.0.1")));
    stream.write_all(ask).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 403);
    house.plane.set_route(route(1, demo.address));
    stream.write_all(ask).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_rate_gets_429_and_is_told_when_to_come_again() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, limited("1")));
    assert_eq!(house.get("app.test", "/").await.status, 200);
    let mut refused = house.get("app.test", "/").await;
    // The machine may be so slow that a second lies between two requests.
    while refused.status == 200 {
        refused = house.get("app.test", "/").await;
    }
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    let asked = std::iter::from_fn(|| questions.try_recv().ok()).count();
    let passed = house.lines(asked + 1).await.iter().filter(|line| line["status"] == 200).count();
    assert_eq!(asked, passed, "the app sees those that passed and no others");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_address_has_a_rate_of_its_own() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, limited("1")));
    while ask_from(&house, [127, 0, 0, 2]).await.status == 200 {}
    assert_eq!(ask_from(&house, [127, 0, 0, 3]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_app_has_a_rate_of_its_own() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, limited("1")));
    house.plane.set_route(route_of("other", "other.test", None, 1, &address.to_string()));
    while house.get("app.test", "/").await.status == 200 {}
    for _ in 0..20 {
        assert_eq!(house.get("other.test", "/").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_forwarded_address_gets_no_rate_of_its_own() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, limited("1")));
    let mut statuses = Vec::new();
    while !statuses.contains(&429) {
        assert!(statuses.len() < 1000, "never refused");
        let forged = format!("X-Forwarded-For: 10.0.{}.1\r\n", statuses.len() % 256);
        statuses.push(ask(&house, &forged).await.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_without_a_password_is_asked_for_one() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, passwords()));
    let reply = house.get("app.test", "/").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"restricted\", charset=\"UTF-8\""));
    assert!(questions.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_opens_and_stays_at_the_door() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    let reply = ask(&house, ANN).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.text().to_ascii_lowercase().contains("authorization"), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_user_has_a_password_and_only_that_one() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    for (given, status) in [
        ("ann:hunter2", 200),
        ("bob:s3cret", 200),
        ("ann:s3cret", 401),
        ("bob:hunter2", 401),
        ("carol:hunter2", 401),
        ("ann:", 401),
        ("ann", 401),
        ("", 401),
    ] {
        use base64::Engine;
        let header = format!("Authorization: Basic {}\r\n", base64::prelude::BASE64_STANDARD.encode(given));
        assert_eq!(ask(&house, &header).await.status, status, "{given}");
    }
    assert_eq!(ask(&house, "Authorization: Bearer YW5uOmh1bnRlcjI=\r\n").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_checks_for_itself_gets_the_header() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, limited("1000000")));
    assert!(ask(&house, "Authorization: Bearer abc\r\n").await.text().contains("Bearer abc"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_checks_of_the_proxy_need_no_password() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    let probe = ProbeRequest {
        address: demo.address.to_string(),
        path: "/up".parse().unwrap(),
        host: "app.test".parse().unwrap(),
        timeout_ms: 30_000,
        other_ports: Vec::new(),
        upstream: once_app::Upstream::default(),
    };
    use futures_util::StreamExt;
    let answers: Vec<ProbeAnswer> = house.plane.probe(probe).collect().await;
    assert!(matches!(answers.last(), Some(ProbeAnswer::Healthy { .. })), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_needs_the_password_too() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    let ask = |header: &str| {
        format!(
            "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n{header}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    for (header, status) in [("", 401), (ANN, 101)] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(ask(header).as_bytes()).await.unwrap();
        assert_eq!(next(&mut stream).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_in_no_log_line() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    ask(&house, ANN).await;
    house.lines(1).await;
    let log = String::from_utf8(house.log.lock().unwrap().clone()).unwrap();
    assert!(!log.contains("hunter2") && !log.contains("YW5uOmh1bnRlcjI"), "{log}");
}

fn upload(length: usize, body: &str) -> String {
    format!("POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn chunked(body: &str) -> String {
    let chunks: Vec<String> =
        body.as_bytes().chunks(100).map(|c| format!("{:x}\r\n{}\r\n", c.len(), String::from_utf8_lossy(c))).collect();
    format!(
        "POST /upload HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n{}0\r\n\r\n",
        chunks.concat()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_says_it_is_too_large_gets_413_before_the_app_is_asked() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, at_most(1000)));
    let reply = request(house.address, &upload(1001, "")).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(questions.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_as_large_as_allowed_passes() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, at_most(1000)));
    let body = "x".repeat(1000);
    assert_eq!(request(house.address, &upload(1000, &body)).await.status, 200);
    assert_eq!(request(house.address, &chunked(&body)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_turns_out_too_large_gets_413_and_the_app_sees_it_break_off() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        // A reset is one way to break off.
        let _ = stream.read_to_end(&mut all).await;
        all
    });
    let house = House::new();
    house.plane.set_route(guarded(address, at_most(1000)));
    let reply = request(house.address, &chunked(&"x".repeat(1001))).await;
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    let seen = tokio::time::timeout(PATIENCE, seen).await.unwrap().unwrap();
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.starts_with("POST /upload"), "{seen}");
    assert!(!seen.ends_with("0\r\n\r\n"), "the app must not take it for whole");
    let body = seen.split_once("\r\n\r\n").unwrap().1;
    assert!(body.matches('x').count() <= 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_the_whole_body_regardless_still_reads_the_413() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, at_most(1000)));
    let body = "x".repeat(500_000);
    assert_eq!(request(house.address, &upload(body.len(), &body)).await.status, 413);
    assert_eq!(request(house.address, &chunked(&body)).await.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_first_is_told_413_and_not_to_go_on() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, at_most(1000)));
    let ask = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n";
    let answer = raw(house.address, ask.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_one_app_is_not_its_neighbours() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, at_most(10)));
    house.plane.set_route(route_of("other", "other.test", None, 1, &demo.address.to_string()));
    let ask = upload(5000, &"x".repeat(5000)).replace("app.test", "other.test");
    assert_eq!(request(house.address, &ask).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_comes_before_the_rate_the_rate_before_the_password_and_the_password_before_the_body() {
    let demo = Demo::start("1").await;
    let house = House::new();
    let all = |range: &str, rate: &str| Web {
        allow_ip: allowing(range).allow_ip,
        rate_limit: limited(rate).rate_limit,
        max_body: Some(ByteSize(10)),
        ..passwords()
    };
    let large = upload(1000, "");
    let with_password = large.replace("Connection:", &format!("{ANN}Connection:"));
    house.plane.set_route(guarded(demo.address, all("10.0.0.1", "1000")));
    assert_eq!(request(house.address, &with_password).await.status, 403);
    house.plane.set_route(guarded(demo.address, all("127.0.0.1", "1000")));
    assert_eq!(request(house.address, &large).await.status, 401);
    assert_eq!(request(house.address, &with_password).await.status, 413);
    house.plane.set_route(guarded(demo.address, all("127.0.0.1", "1")));
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) {
        assert!(statuses.len() < 1000, "never refused");
        statuses.push(house.get("app.test", "/").await.status);
    }
    assert!(statuses[..statuses.len() - 1].iter().all(|status| *status == 401), "trying passwords out is limited too");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_turned_down_is_counted_and_logged_as_the_apps() {
    let (address, _questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(guarded(address, allowing("10.0.0.0/8")));
    house.get("app.test", "/secret?a=1").await;
    let line = &house.lines(1).await[0];
    assert_eq!((&line["status"], &line["service"], &line["path"]), (&403.into(), &"app0".into(), &"/secret".into()));
    assert_eq!(line["target"], "", "no release was asked");
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.classes, traffic.failed), ([0, 0, 0, 1, 0], 0));
    assert!(traffic.releases.iter().all(|release| release.requests == 0), "{:?}", traffic.releases);
}

#[tokio::test(flavor = "multi_thread")]
async fn turned_down_requests_hold_up_no_drain() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, at_most(10)));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(upload(1_000_000, "some of it").as_bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.status, 413);
    assert!(house.plane.traffic(&app()).in_flight.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_goes_on_after_a_refusal_without_a_body() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(guarded(demo.address, passwords()));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET /version HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    assert_eq!(next(&mut stream).await.status, 401);
    stream.write_all(format!("GET /version HTTP/1.1\r\nHost: app.test\r\n{ANN}\r\n").as_bytes()).await.unwrap();
    assert_eq!(next(&mut stream).await.text(), "1");
}
