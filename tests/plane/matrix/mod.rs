//! Messages of every kind and size through the proxy, over plain connections and TLS, HTTP/1.1 and HTTP/2, to readers that
//! are fast and slow: none stands still, and each arrives as it was sent.
//!
//! The short form has each combination once. `bin/suites matrix` runs the long one, of 10,000 messages with sizes spread
//! evenly over their logarithms, and then clients that others have written (`clients.py`), by the same seeds.

mod app;
mod cases;
mod client;
mod slow;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use once_app::Upstream;
use once_proxy::plane::PlaneOptions;
use rustls::ClientConfig;

use self::app::App;
use self::cases::{Case, LARGEST, SMALLEST};
use crate::support::{House, route_of, sends_from};
use crate::tls::TlsHouse;

/// What the proxy's sockets send from: large messages go out in many parts.
const SEND_BUFFER: usize = 32 * 1024;

/// A message is standing still when nothing of it has moved for so long.
const STALLED: Duration = Duration::from_secs(30);

/// A proxy that serves both plainly and over TLS, and the app behind it.
struct Bed {
    house: TlsHouse,
    plain: std::net::SocketAddr,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    _plain: once_proxy::plane::Serving,
    _app: App,
}

impl Bed {
    async fn new() -> Self {
        let house = TlsHouse::on(sends_from(SEND_BUFFER), PlaneOptions::default());
        let app = App::start().await;
        for (name, address, upstream) in [("app0", app.http1, Upstream::Http1), ("app1", app.h2c, Upstream::H2c)] {
            let mut route = route_of(name, &format!("{name}.test"), None, 1, &address.to_string());
            route.web.upstream = upstream;
            house.house.plane.set_route(route);
        }
        house.install(&["app0.test", "app1.test"]);
        let House { plane, stop, .. } = &house.house;
        let serving = plane.serve(sends_from(SEND_BUFFER), stop.clone()).unwrap();
        let config = |protocol| Arc::new(house.authority.client(&[protocol]));
        let (http1, http2) = (config("http/1.1"), config("h2"));
        Self { plain: serving.local_addr(), http1, http2, _plain: serving, _app: app, house }
    }

    /// Runs all cases, so many at the same time. What went wrong, case by case.
    async fn run(&self, cases: Vec<Case>, abreast: usize) -> Vec<String> {
        let (began, count) = (Instant::now(), cases.len());
        let mut slowest = BTreeMap::<String, Duration>::new();
        let mut wrong = Vec::new();
        let mut done = 0;
        let mut running = stream::iter(cases.into_iter().map(|case| async move {
            let began = Instant::now();
            (case, client::pass(self, &case).await, began.elapsed())
        }))
        .buffer_unordered(abreast);
        while let Some((case, result, took)) = running.next().await {
            let longest = slowest.entry(case.combination()).or_default();
            *longest = took.max(*longest);
            done += 1;
            if done % 500 == 0 {
                println!("{done} of {count} messages, {} wrong, {:.0?}", wrong.len(), began.elapsed());
            }
            wrong.extend(result.err().map(|why| format!("{case:?}: {why}")));
        }
        for (combination, longest) in slowest {
            println!("{combination}: {longest:.1?} at most");
        }
        println!("{count} messages in {:.0?}, {} wrong", began.elapsed(), wrong.len());
        wrong
    }
}

fn seed() -> u64 {
    let seed = std::env::var("MATRIX_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into());
    println!("MATRIX_SEED={seed}");
    seed
}

/// Each combination with each of three sizes.
#[tokio::test(flavor = "multi_thread")]
async fn each_combination_arrives_whole() {
    let bed = Bed::new().await;
    let sizes = [SMALLEST, 64 * 1024, LARGEST];
    let wrong = bed.run(cases::each(&sizes, seed()), 16).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by bin/suites matrix: it takes minutes"]
async fn ten_thousand_messages_arrive_whole() {
    let bed = Bed::new().await;
    let count = std::env::var("MATRIX_MESSAGES").map_or(10_000, |count| count.parse().unwrap());
    let wrong = bed.run(cases::many(count, seed()), 64).await;
    assert!(wrong.is_empty(), "{} wrong, among them {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

/// Python's `websockets`, `aiohttp` and `httpx`, from an environment that has them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by bin/suites matrix: it needs packages of Python's"]
async fn clients_of_others_agree() {
    let bed = Bed::new().await;
    let python = std::env::var("MATRIX_PYTHON").expect("MATRIX_PYTHON is the interpreter");
    let count = std::env::var("MATRIX_CLIENT_MESSAGES").unwrap_or_else(|_| "600".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, bed.house.authority.pem()).unwrap();
    let status = tokio::process::Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/plane/matrix/clients.py"))
        .args([bed.plain.port().to_string(), bed.house.address.port().to_string()])
        .arg(&root)
        .args([count, seed().to_string()])
        .kill_on_drop(true)
        .status()
        .await
        .unwrap();
    assert!(status.success(), "{status}");
}
