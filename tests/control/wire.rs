//! Connections that break, freeze, or lead to somebody of another age.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_app::proxy::{LeaseEnd, Proxy, ProxyError};
use once_proxy::client::{Client, Duplex};
use once_proxy::control::{PROTOCOL, serve_connection};
use once_proxy::service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::*;

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::connect_unix(dir.path().join("nothing"));
    assert!(matches!(client.info().await, Err(ProxyError::Unreachable { .. })));
    assert!(matches!(client.watch(Duration::ZERO).next().await, Some(Err(ProxyError::Unreachable { .. }))));
}

#[tokio::test]
async fn after_a_restart_holders_take_their_locks_again_and_readers_read_on() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let stop = CancellationToken::new();
    let service = Service::open(dir.path(), Arc::new(FakeRoutes::default())).unwrap();
    let server = serve(&socket, service, stop.clone());
    let client = Client::connect_unix(&socket);
    deploy(&client, "shop", "a1").await;
    let instance = client.info().await.unwrap().instance;
    let lease = lock(&client, "shop", "a2").await;
    let first = lease.fence();
    let mut watching = client.watch(Duration::from_millis(50));
    watching.next().await.unwrap().unwrap();
    stop.cancel();
    server.await.unwrap();
    let routes = Arc::new(FakeRoutes::default());
    let service = bounded(async {
        loop {
            // The last change's task may still hold the store.
            match Service::open(dir.path(), routes.clone()) {
                Ok(service) => break service,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let _server = serve(&socket, service.await, CancellationToken::new());
    assert_eq!(routes.target("shop"), Some(1), "published before anybody asked");
    bounded(async {
        while lease.fence() == first {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(lease.fence() > first, "a lock of the new process");
    let late = client.apply(first, begin("shop", "a2")).await;
    assert!(matches!(late, Err(ProxyError::LockLost)), "{late:?}");
    client.apply(lease.fence(), begin("shop", "a2")).await.unwrap();
    assert_eq!(client.info().await.unwrap().instance, instance);
    bounded(watching.next()).await.unwrap().unwrap();
    let other = client.lock(wants("shop", "a3", "bob", 0)).await;
    assert!(matches!(other, Err(ProxyError::Locked { .. })), "nobody came in between");
}

#[tokio::test]
async fn a_lock_that_somebody_else_took_after_a_restart_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let stop = CancellationToken::new();
    let service = Service::open(dir.path(), Arc::new(FakeRoutes::default())).unwrap();
    let server = serve(&socket, service, stop.clone());
    let lease = lock(&Client::connect_unix(&socket), "shop", "a2").await;
    stop.cancel();
    server.await.unwrap();
    let service = bounded(async {
        loop {
            match Service::open(dir.path(), Arc::new(FakeRoutes::default())) {
                Ok(service) => break service,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    });
    let service = service.await;
    let _other = service.lock(wants("shop", "a3", "bob", 0)).await.unwrap();
    let _server = serve(&socket, service, CancellationToken::new());
    assert_eq!(bounded(lease.ended()).await, LeaseEnd::Lost);
}

#[tokio::test]
async fn the_end_of_a_connection_frees_its_locks() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let service = Service::open(dir.path(), Arc::new(FakeRoutes::default())).unwrap();
    let _server = serve(&socket, service, CancellationToken::new());
    let (near, far) = duplex(1 << 16);
    let (_freeze, frozen) = watch::channel(false);
    let relay = tokio::spawn(relay(far, socket.clone(), frozen));
    let lease = lock(&Client::over(near), "shop", "a1").await;
    let other = Client::connect_unix(&socket);
    assert!(matches!(other.lock(wants("shop", "a2", "bob", 0)).await, Err(ProxyError::Locked { .. })));
    relay.abort();
    // At once, not when the pings are missed.
    other.lock(wants("shop", "a2", "bob", 10_000)).await.unwrap();
    assert_eq!(bounded(lease.ended()).await, LeaseEnd::Lost);
}

/// Carries bytes between a client and the socket; once frozen, nothing comes through and nobody is told.
async fn relay(far: DuplexStream, socket: std::path::PathBuf, frozen: watch::Receiver<bool>) {
    let near = tokio::net::UnixStream::connect(socket).await.unwrap();
    pump(far, near, frozen).await;
}

async fn pump(far: impl Duplex, near: impl Duplex, frozen: watch::Receiver<bool>) {
    let (far_read, far_write) = tokio::io::split(far);
    let (near_read, near_write) = tokio::io::split(near);
    tokio::join!(one_way(far_read, near_write, frozen.clone()), one_way(near_read, far_write, frozen));
}

async fn one_way(
    mut from: impl tokio::io::AsyncRead + Unpin,
    mut to: impl tokio::io::AsyncWrite + Unpin,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 14];
    loop {
        tokio::select! {
            biased;
            () = async { drop(frozen.wait_for(|frozen| *frozen).await) } => std::future::pending().await,
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(n) => if to.write_all(&buffer[..n]).await.is_err() { return },
            },
        }
    }
}

/// A client and a service in this process, with a wire between them that can be frozen; time is the test's.
struct Wire {
    client: Client,
    service: Service,
    freeze: watch::Sender<bool>,
    _dir: tempfile::TempDir,
}

impl Wire {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let service = Service::open(dir.path(), Arc::new(FakeRoutes::default())).unwrap();
        let (freeze, frozen) = watch::channel(false);
        let (client, far) = duplex(1 << 16);
        let (near, server) = duplex(1 << 16);
        tokio::spawn(pump(far, near, frozen));
        tokio::spawn(serve_connection(server, service.clone()));
        Self { client: Client::over(client), service, freeze, _dir: dir }
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_connection_loses_its_lock_at_both_ends() {
    let wire = Wire::new();
    let lease = lock(&wire.client, "shop", "a1").await;
    // Pings keep it for as long as the connection lives.
    tokio::time::sleep(Duration::from_mins(10)).await;
    wire.client.apply(lease.fence(), create("shop")).await.unwrap();
    let frozen = Instant::now();
    wire.freeze.send_replace(true);
    assert_eq!(lease.ended().await, LeaseEnd::Lost);
    let noticed = frozen.elapsed();
    let next = wire.service.lock(wants("shop", "a2", "bob", 600_000)).await.unwrap();
    let freed = frozen.elapsed();
    assert!(noticed <= freed, "the holder knows before somebody else holds it: {noticed:?}, {freed:?}");
    assert!(freed <= Duration::from_secs(35), "{freed:?}");
    drop(next);
}

#[tokio::test(start_paused = true)]
async fn no_call_waits_for_ever() {
    let wire = Wire::new();
    wire.client.info().await.unwrap();
    wire.freeze.send_replace(true);
    let began = Instant::now();
    let answer = wire.client.apply(1, create("shop")).await;
    assert!(matches!(answer, Err(ProxyError::Interrupted { .. })), "{answer:?}");
    assert!(began.elapsed() <= Duration::from_secs(15), "{:?}", began.elapsed());
    let mut watching = wire.client.watch(Duration::from_secs(1));
    assert!(matches!(watching.next().await, Some(Err(_))));
    assert!(began.elapsed() <= Duration::from_secs(45), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_on_a_frozen_connection_ends_with_an_error() {
    let wire = Wire::new();
    let mut events = wire.client.follow(&op("a1"), 0);
    assert!(tokio::time::timeout(Duration::from_mins(5), events.next()).await.is_err(), "it waits for events");
    let frozen = Instant::now();
    wire.freeze.send_replace(true);
    let ended = tokio::time::timeout(Duration::from_mins(5), events.next()).await.expect("it is noticed");
    assert!(matches!(ended, Some(Err(ProxyError::Interrupted { .. }))));
    assert!(frozen.elapsed() <= Duration::from_secs(20), "{:?}", frozen.elapsed());
}

/// Answers every hello with a protocol, and everything else by closing the connection; counts what it was asked.
async fn stub(protocol: u32, asked: Arc<AtomicUsize>, hangs_up: Arc<AtomicBool>, io: impl Duplex + 'static) {
    let hang_up = CancellationToken::new();
    let calls = service_fn(|request: Request<hyper::body::Incoming>| {
        let (asked, hang_up, hangs_up) = (asked.clone(), hang_up.clone(), hangs_up.clone());
        async move {
            if request.uri().path() != "/hello" {
                asked.fetch_add(1, Ordering::SeqCst);
                if hangs_up.load(Ordering::SeqCst) {
                    hang_up.cancel();
                    std::future::pending::<()>().await;
                }
            }
            let body = format!("{{\"protocol\":{protocol},\"more\":\"that is not known here\"}}");
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
        }
    });
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    tokio::select! {
        _ = connection.serve_connection(TokioIo::new(io), calls) => {}
        () = hang_up.cancelled() => {}
    }
}

#[tokio::test]
async fn neighbours_understand_each_other_and_others_say_so() {
    for (theirs, understood) in [(PROTOCOL, true), (PROTOCOL + 1, true), (PROTOCOL + 2, false), (9000, false)] {
        let (near, far) = duplex(1 << 16);
        tokio::spawn(stub(theirs, Arc::default(), Arc::default(), far));
        match Client::over(near).info().await {
            Err(ProxyError::Version { theirs: said, ours }) => {
                assert_eq!((said, ours, understood), (theirs, PROTOCOL, false));
            }
            Err(ProxyError::Failed { .. }) => assert!(understood, "the stub's info is none, but it was asked"),
            other => panic!("{theirs}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("stub.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (asked, hangs_up) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (counted, hung) = (asked.clone(), hangs_up.clone());
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(stub(PROTOCOL, counted.clone(), hung.clone(), io));
        }
    });
    let client = Client::connect_unix(&socket);
    let answer = bounded(client.apply(1, create("shop"))).await;
    assert!(matches!(answer, Err(ProxyError::Interrupted { .. })), "{answer:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let answer = bounded(client.info()).await;
    assert!(matches!(answer, Err(ProxyError::Interrupted { .. })), "{answer:?}");
    assert!(asked.load(Ordering::SeqCst) >= 3, "asking is harmless: again over a new connection");
    hangs_up.store(false, Ordering::SeqCst);
    assert!(matches!(bounded(client.info()).await, Err(ProxyError::Failed { .. })), "it is back");
}
