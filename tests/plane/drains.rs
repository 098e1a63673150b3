use std::time::{Duration, Instant};

use futures_util::StreamExt;
use once_app::ReleaseNumber;
use once_app::proxy::{DrainLimits, DrainProgress};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Demo, House, Reply, app, raw, route, until};

async fn drain(house: &House, release: u64, requests_ms: u64) -> Vec<DrainProgress> {
    drain_within(house, release, requests_ms, requests_ms).await
}

async fn drain_within(house: &House, release: u64, requests_ms: u64, upgraded_ms: u64) -> Vec<DrainProgress> {
    let limits = DrainLimits { requests_ms, upgraded_ms };
    house.plane.drain(&app(), ReleaseNumber(release), limits).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_what_is_under_way() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let stream = Opened::at(&house, "/stream?chunks=40&ms=50").await;
    let drained = async {
        until("under way", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 2)).await;
        house.plane.set_route(route(2, new.address));
        assert_eq!(house.get("app.test", "/version").await.text(), "new");
        let progress = drain(&house, 1, 10_000).await;
        assert!(house.plane.traffic(&app()).in_flight.is_empty());
        progress
    };
    let (slow, stream, progress) = tokio::join!(house.get("app.test", "/slow?ms=2000"), stream.bytes(), drained);
    assert_eq!((slow.status, slow.header("x-version")), (200, Some("old")));
    assert!(Reply::parse(&stream).unwrap().text().ends_with("chunk 39\n"));
    assert_eq!(progress.first().unwrap(), &DrainProgress { requests: 1, streams: 1, upgraded: 0, cut: None });
    assert_eq!(progress.last().unwrap(), &DrainProgress { requests: 0, streams: 0, upgraded: 0, cut: Some(0) });
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
    assert_eq!(progress, [DrainProgress { requests: 0, streams: 0, upgraded: 0, cut: Some(0) }]);
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
    assert_eq!(drain(&house, 9, 1000).await, [DrainProgress { requests: 0, streams: 0, upgraded: 0, cut: Some(0) }]);
}

/// An answer whose head the client has read: the proxy counts it as what it is, a stream and not a request.
struct Opened {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Opened {
    async fn at(house: &House, target: &str) -> Self {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let ask = format!("GET {target} HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            seen.push(stream.read_u8().await.unwrap());
        }
        Self { stream, seen }
    }

    /// All of it, once it has ended.
    async fn bytes(mut self) -> Vec<u8> {
        self.stream.read_to_end(&mut self.seen).await.unwrap();
        self.seen
    }
}

/// Opens a stream, and reads it to its end while `drained` waits for the release.
async fn events_while(
    house: &House,
    target: &str,
    drained: impl Future<Output = Vec<DrainProgress>>,
) -> (Reply, Vec<u8>, Vec<DrainProgress>) {
    let opened = Opened::at(house, target).await;
    let (bytes, progress) = tokio::join!(opened.bytes(), drained);
    (Reply::parse(&bytes).unwrap(), bytes, progress)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_get_the_time_of_streams_also_where_it_is_shorter() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let drained = async {
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        house.plane.set_route(route(2, new.address));
        drain_within(&house, 1, 60_000, 200).await
    };
    let (reply, bytes, progress) = events_while(&house, "/events?n=100000&ms=20", drained).await;
    assert_eq!(progress.last().unwrap(), &DrainProgress { cut: Some(1), ..DrainProgress::default() });
    assert!(progress.iter().any(|p| (p.requests, p.streams) == (0, 1)), "{progress:?}");
    assert!(reply.text().starts_with("data: 0\n\n"), "{}", reply.text());
    // The end of a stream of events is an end like any other: clients ask again, and get the new release.
    assert!(bytes.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(house.plane.traffic(&app()).failed, 0);
    assert_eq!(house.get("app.test", "/version").await.text(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_when_requests_are_cut() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let drained = async {
        until("both", || house.plane.traffic(&app()).in_flight.iter().any(|f| f.requests == 2)).await;
        house.plane.set_route(route(2, new.address));
        drain_within(&house, 1, 0, 60_000).await
    };
    let slow = house.get("app.test", "/slow?ms=60000");
    let (slow, (reply, _, progress)) = tokio::join!(slow, events_while(&house, "/events?n=100&ms=20", drained));
    assert_eq!(slow.status, 504);
    assert!(reply.text().ends_with("data: 99\n\n"), "all of it: {}", reply.text());
    assert_eq!(progress.last().unwrap().cut, Some(1), "{progress:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_unknown_length_has_the_time_of_requests_where_streams_have_less() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let drained = async {
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        house.plane.set_route(route(2, new.address));
        drain_within(&house, 1, 60_000, 0).await
    };
    let (reply, _, progress) = events_while(&house, "/stream?chunks=20&ms=20", drained).await;
    assert!(reply.text().ends_with("chunk 19\n"), "{}", reply.text());
    assert_eq!(progress.last().unwrap().cut, Some(0), "{progress:?}");
}

/// Clients' connections end at the proxy, so there is nothing to tell them: the next request goes to the new release.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_moves_with_its_next_request() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let both = async {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        stream.write_all(b"GET /slow?ms=300 HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"that took a while") {
            seen.push(stream.read_u8().await.unwrap());
        }
        let ask = b"GET /version HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        (Reply::parse(&seen).unwrap(), Reply::parse(&rest).unwrap())
    };
    let drained = async {
        until("under way", || !house.plane.traffic(&app()).in_flight.is_empty()).await;
        house.plane.set_route(route(2, new.address));
        drain(&house, 1, 10_000).await
    };
    let ((first, second), _) = tokio::join!(both, drained);
    assert_eq!((first.header("x-version"), second.header("x-version")), (Some("old"), Some("new")));
}
