//! The worker as a whole: data plane and memory, in front of a real upstream.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use once_app::ledger::{RunState, Transaction};
use once_app::proxy::{DrainLimits, ProbeAnswer, ProbeRequest, Proxy};
use once_app::{Port, ReleaseNumber, UrlPath};
use once_proxy::acme::IssuerOptions;
use once_proxy::client::Client;
use once_proxy::plane::PlaneOptions;
use once_proxy::worker::{SOCKET, WorkerOptions, serve};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::*;

/// Answers everything with its name.
async fn upstream(name: &'static str) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer =
                service_fn(move |_| async move { Ok::<_, Infallible>(Response::new(Full::new(name.as_bytes()))) });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

async fn get(address: SocketAddr, host: &str) -> (u16, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("/").header("host", host).body(Full::<&[u8]>::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

struct Running {
    stop: CancellationToken,
    worker: JoinHandle<()>,
    client: Client,
}

async fn start(state: &Path, listener: &TcpListener) -> Running {
    let stop = CancellationToken::new();
    let plane = PlaneOptions { threads: 1, ..PlaneOptions::default() };
    let options = WorkerOptions {
        state: state.to_owned(),
        listeners: vec![listener.try_clone().unwrap()],
        tls_listeners: vec![],
        plane,
        issuer: IssuerOptions::default(),
        line: None,
        relieves: false,
        metrics: 0,
    };
    let serving = serve(options, stop.clone());
    let worker = tokio::spawn(async move { serving.await.unwrap() });
    let client = Client::connect_unix(state.join(SOCKET));
    while client.info().await.is_err() {
        assert!(!worker.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Running { stop, worker, client }
}

async fn deploy_to(client: &Client, change: &str, address: SocketAddr) -> u64 {
    let lease = lock(client, "shop", change).await;
    if client.record(&name("shop")).await.unwrap().is_none() {
        client.apply(lease.fence(), create("shop")).await.unwrap();
    }
    let number = client.apply(lease.fence(), begin("shop", change)).await.unwrap().release.unwrap();
    let mut release = release("shop", number.0, change);
    release.container = address.ip().to_string();
    release.port = Port::new(address.port()).unwrap();
    let probe = ProbeRequest {
        address: release.address(),
        path: UrlPath::up(),
        host: "shop.example.com".parse().unwrap(),
        timeout_ms: 10_000,
        other_ports: Vec::new(),
        upstream: once_app::Upstream::default(),
    };
    let answers: Vec<_> = client.probe(probe).try_collect().await.unwrap();
    assert!(matches!(answers.last(), Some(ProbeAnswer::Healthy { status: 200, .. })), "{answers:?}");
    let switch = Transaction::Switch {
        app: id("shop"),
        release: Box::new(release),
        state: RunState::Running,
        keep_canary: false,
    };
    client.apply(lease.fence(), switch).await.unwrap();
    client.apply(lease.fence(), retire("shop", change)).await.unwrap();
    lease.release().await.unwrap();
    number.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serves_switches_and_comes_back_with_all_it_knew() {
    bounded(async {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (one, two) = (upstream("one").await, upstream("two").await);
        let Running { stop, worker, client } = start(dir.path(), &listener).await;
        assert_eq!(get(address, "shop.example.com").await.0, 421);
        deploy_to(&client, "a1", one).await;
        assert_eq!(get(address, "shop.example.com").await, (200, "one".to_owned()));
        // Held, switched, and let go to the new release.
        client.hold(&id("shop"), Duration::from_secs(20)).await.unwrap();
        let held = tokio::spawn(get(address, "shop.example.com"));
        while client.traffic(&id("shop")).await.unwrap().held == 0 {
            assert!(!held.is_finished());
            tokio::task::yield_now().await;
        }
        deploy_to(&client, "a2", two).await;
        assert_eq!(held.await.unwrap(), (200, "two".to_owned()));
        let limits = DrainLimits { requests_ms: 5000, upgraded_ms: 5000 };
        let drained: Vec<_> = client.drain(&id("shop"), ReleaseNumber(1), limits).try_collect().await.unwrap();
        assert_eq!(drained.last().unwrap().cut, Some(0));
        stop.cancel();
        worker.await.unwrap();
        // The supervisor's socket is still there: this one waits for the next worker.
        let waiting = tokio::spawn(get(address, "shop.example.com"));
        let Running { stop, worker, client } = start(dir.path(), &listener).await;
        assert_eq!(waiting.await.unwrap(), (200, "two".to_owned()));
        let lease = lock(&client, "shop", "a3").await;
        let off = Transaction::SetState { app: id("shop"), state: RunState::Stopped };
        client.apply(lease.fence(), off).await.unwrap();
        assert_eq!(get(address, "shop.example.com").await.0, 503);
        stop.cancel();
        worker.await.unwrap();
    })
    .await;
}
