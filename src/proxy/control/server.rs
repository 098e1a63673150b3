//! The end of the control channel that the proxy holds.

use std::convert::Infallible;
use std::fs;
use std::future::ready;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::{Answer, document, failure, lines};
use super::wire::{
    ActivityQuery, Apply, Drain, Follow, HASH_HEADER, Held, Hello, Hold, LockLine, OFFSET_HEADER, PROTOCOL_HEADER,
    Relock, Watch,
};
use super::{PING_EVERY, PROTOCOL, compatible};
use crate::service::{LocalLease, RouteChange, Service};
use once_app::event::Envelope;
use once_app::proxy::{Activity, Lease, LeaseEnd, LockRequest, ProbeRequest, Proxy, ProxyError};
use once_app::{AccountOffer, AppId, AppName, CertificateOffer, CertifyRequest, OpId, ProxyDraft};

/// With [`PING_EVERY`] a peer that says nothing is given up 30 s after its last word, as its locks are.
const PING_TIMEOUT: Duration = Duration::from_secs(25);

/// Calls that callers gave up before they were looked at. The default of 20 is against strangers; here it would cost a
/// console that was closed in a hurry its other calls.
const GIVEN_UP: usize = 1000;

/// How long a relieved process's answers may take to get out.
const GOODBYE: Duration = Duration::from_secs(2);

/// The longest call: the events of a change may come in a heap.
const BODY_LIMIT: usize = 16 << 20;

/// The socket, bound.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket, in place of one that a former process left. Only its owner may connect.
    ///
    /// # Errors
    /// The file system's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Where it is bound.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in the place of the one that a former process listens on, which goes on with the connections it has.
    ///
    /// # Errors
    /// The file system's.
    pub fn move_to(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Serves until told to stop; then all connections are closed.
    pub async fn run(self, service: Service, stop: CancellationToken) {
        self.accept(service, Door::Everybody, stop).await;
    }

    /// As [`Server::run`] for the workers of this proxy: what it says of itself holds also after it was relieved.
    pub(crate) fn run_for_workers(self, service: Service, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let path = self.path.clone();
            self.accept(service, Door::Workers, stop).await;
            if let Err(error) = fs::remove_file(&path) {
                tracing::debug!(%error, "the socket for workers was gone");
            }
        })
    }

    async fn accept(self, service: Service, door: Door, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (service, stop) = (service.clone(), stop.clone());
                    connections.spawn(serve_until(stream, service, door, stop));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: it passes, and looping hot would not help.
                    tracing::warn!(%error, "a control connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        connections.close();
        connections.wait().await;
    }
}

/// Who comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Whom it does not answer any more once it is relieved.
    Everybody,
    /// Other workers of this proxy.
    Workers,
}

/// Serves one connection to its end. All locks taken over it end with it.
pub async fn serve_connection(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: Service) {
    serve_until(io, service, Door::Everybody, CancellationToken::new()).await;
}

async fn serve_until(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: Service,
    door: Door,
    stop: CancellationToken,
) {
    let asked = service.clone();
    let calls = service_fn(move |request| {
        let service = asked.clone();
        async move { Ok::<_, Infallible>(answer(&service, door, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_pending_accept_reset_streams(GIVEN_UP)
        .serve_connection(TokioIo::new(io), calls);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // A process that is relieved owes its callers the word that they are to ask elsewhere.
        () = stop.cancelled() => match service.check() {
            Ok(()) => Ok(()),
            Err(_) => {
                connection.as_mut().graceful_shutdown();
                timeout(GOODBYE, connection).await.unwrap_or(Ok(()))
            }
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a control connection ended");
    }
}

async fn answer(service: &Service, door: Door, request: Request<Incoming>) -> Answer {
    if request.method() == Method::GET && request.uri().path() == "/hello" {
        return document(Ok(Hello { protocol: PROTOCOL }));
    }
    let speaks = request.headers().get(PROTOCOL_HEADER).and_then(|v| v.to_str().ok()?.parse().ok());
    match speaks {
        Some(theirs) if !compatible(PROTOCOL, theirs) => {
            return failure(ProxyError::Version { theirs, ours: PROTOCOL });
        }
        _ => {}
    }
    let (head, body) = request.into_parts();
    let Some(call) = head.uri.path().strip_prefix("/v1/") else { return unknown(head.uri.path()) };
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Call { service, door, head: &head, body: body.to_bytes() }.answer(call).await,
        Err(error) => bad(call, &error.to_string()),
    }
}

struct Call<'a> {
    service: &'a Service,
    door: Door,
    head: &'a Parts,
    body: Bytes,
}

impl Call<'_> {
    async fn answer(self, call: &str) -> Answer {
        let service = self.service;
        if self.door == Door::Everybody
            && let Err(moved) = service.check()
        {
            return failure(moved);
        }
        match call {
            "info" => document(service.info().await),
            "snapshot" => document(service.snapshot().await),
            "record" => self.with(call, async |name: AppName| service.record(&name).await).await,
            "holder" => self.with(call, async |name: AppName| service.holder(&name).await).await,
            "break-lock" => self.with(call, async |app: AppName| service.break_lock(&app).await).await,
            "cancel" => self.with(call, async |op: OpId| service.cancel(&op).await).await,
            "apply" => self.with(call, async |a: Apply| service.apply(a.fence, a.transaction).await).await,
            "hold" => self.with(call, async |h: Hold| service.hold(&h.app, h.limit).await).await,
            "resume" => self.with(call, async |app: AppId| service.resume(&app).await).await,
            "traffic" => self.with(call, async |app: AppId| service.traffic(&app).await).await,
            "traffic-report" => self.with(call, async |app: AppId| service.traffic_report(&app).await).await,
            "mark" => self.with(call, async |app: AppId| service.mark(&app).await).await,
            "publish" => self.with(call, async |events: Vec<Envelope>| service.publish(events).await).await,
            "config" => document(service.config().await),
            "configure" => self.with(call, async |draft: ProxyDraft| service.configure(draft).await).await,
            "record-activity" => self.with(call, async |a: Activity| service.record_activity(a).await).await,
            "history" => self.with(call, async |app: AppId| service.history(&app).await).await,
            "activity" => {
                self.with(call, async |q: ActivityQuery| service.activity(q.app.as_ref(), q.limit).await).await
            }
            "check-certificate" => {
                self.with(call, async |offer: CertificateOffer| service.check_certificate(offer).await).await
            }
            "install-certificate" => {
                self.with(call, async |offer: CertificateOffer| service.install_certificate(offer).await).await
            }
            "offer-account" => self.with(call, async |offer: AccountOffer| service.offer_account(offer).await).await,
            "ping" => self.with(call, async |h: Held| service.ping(&h.app, h.fence)).await,
            "release" => self.with(call, async |h: Held| service.release(&h.app, h.fence).await).await,
            "lock" => self.parsed(call, |request: LockRequest| {
                let taken = service.clone();
                lock(service.clone(), async move { taken.lock_pinged(request).await })
            }),
            "relock" => self.parsed(call, |r: Relock| {
                let taken = service.clone();
                lock(service.clone(), async move { taken.relock_pinged(r.request, r.fence).await })
            }),
            "certify" => self.parsed(call, |request: CertifyRequest| self.stream(service.certify(request))),
            "probe" => self.parsed(call, |request: ProbeRequest| self.stream(service.probe(request))),
            "drain" => self.parsed(call, |d: Drain| self.stream(service.drain(&d.app, d.release, d.limits))),
            "follow" => self.parsed(call, |f: Follow| self.stream(service.follow(&f.op, f.seq))),
            "watch" => self.parsed(call, |w: Watch| self.stream(service.watch(w.every))),
            "processes" => document(service.processes().await),
            "put-binary" => self.piece(call).await,
            // As long as it may take: its caller waits for the stream, not for the head.
            "upgrade" => self.parsed(call, |hash: String| {
                let service = service.clone();
                lines(stream::once(async move { service.upgrade(&hash).await }).boxed())
            }),
            "hand-over" => document(service.hand_over().await),
            "mirror" if self.door == Door::Workers => {
                self.with(call, async |change: RouteChange| {
                    service.mirror(change);
                    Ok(())
                })
                .await
            }
            _ => unknown(call),
        }
    }

    /// A long answer; it breaks off when another process is in charge, for only that one knows how it goes on.
    fn stream<T: Serialize + Send + 'static>(&self, stream: BoxStream<'static, Result<T, ProxyError>>) -> Answer {
        if self.door == Door::Workers {
            return lines(stream);
        }
        let service = self.service.clone();
        let moved = Box::pin(async move { service.moved().await });
        let service = self.service.clone();
        let end = stream::once(async move { service.check() }).filter_map(|checked| ready(checked.err().map(Err)));
        lines(stream.take_until(moved).chain(end).boxed())
    }

    async fn piece(&self, call: &str) -> Answer {
        let header = |name: &str| self.head.headers.get(name).and_then(|value| value.to_str().ok());
        let offset = header(OFFSET_HEADER).and_then(|offset| offset.parse().ok());
        match (header(HASH_HEADER), offset) {
            (Some(hash), Some(offset)) => document(self.service.put_binary(hash, offset, &self.body).await),
            _ => bad(call, "it has no place"),
        }
    }

    async fn with<Q, A, F>(&self, call: &str, act: F) -> Answer
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: AsyncFnOnce(Q) -> Result<A, ProxyError>,
    {
        match serde_json::from_slice(&self.body) {
            Ok(question) => document(act(question).await),
            Err(error) => bad(call, &error.to_string()),
        }
    }

    fn parsed<Q: DeserializeOwned>(&self, call: &str, act: impl FnOnce(Q) -> Answer) -> Answer {
        match serde_json::from_slice(&self.body) {
            Ok(question) => act(question),
            Err(error) => bad(call, &error.to_string()),
        }
    }
}

/// Held for as long as somebody reads the answer: its end, or the connection's, gives the lock back.
fn lock(service: Service, take: impl Future<Output = Result<LocalLease, ProxyError>> + Send + 'static) -> Answer {
    let (tell, told) = mpsc::channel(4);
    tokio::spawn(async move {
        let lease = tokio::select! {
            lease = take => lease,
            () = tell.closed() => return,
        };
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => return drop(tell.send(Err(error)).await),
        };
        let (app, fence) = (lease.app().clone(), lease.fence());
        let held = Held { app, fence, token: lease.token(), shared: lease.is_shared() };
        let ended = async {
            tell.send(Ok(LockLine::Held(held))).await.ok()?;
            let end = lease.ended().await;
            tell.send(Ok(end.into())).await.ok()?;
            if end == LeaseEnd::CancelRequested {
                lease.lost().await;
                tell.send(Ok(LockLine::Lost)).await.ok()?;
            }
            Some(())
        };
        tokio::select! {
            _ = ended => {}
            () = tell.closed() => {}
            () = service.moved() => drop(tell.send(Ok(LockLine::Moved)).await),
        }
    });
    lines(ReceiverStream::new(told).boxed())
}

fn unknown(call: &str) -> Answer {
    let message = "it does not know this call".to_owned();
    let mut answer = failure(ProxyError::Failed { what: call.to_owned(), message });
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}

fn bad(call: &str, why: &str) -> Answer {
    let message = format!("it does not understand what is asked: {why}");
    let mut answer = failure(ProxyError::Failed { what: call.to_owned(), message });
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}
