//! One HTTP/2 connection, made when it is needed and again when it broke.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::{Connector, Duplex};
use crate::control::wire::{Hello, PROTOCOL_HEADER, WireError};
use crate::control::{PING_EVERY, PROTOCOL, compatible};
use once_app::proxy::ProxyError;

type Result<T, E = ProxyError> = std::result::Result<T, E>;

/// What a call may take, and what making a connection may: a frozen proxy must not freeze its callers.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How long one process of the proxy may take to relieve another, or to be started again after it died, before callers
/// hear of it.
const TAKE_OVER: Duration = Duration::from_secs(40);
const RESTART: Duration = Duration::from_secs(5);
/// How long one that takes connections and hangs up is tried again.
const HUNG_UP: Duration = Duration::from_secs(2);
/// Between two tries meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// For the answer to a ping of the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

type Sender = SendRequest<Full<Bytes>>;

pub(super) struct Links {
    connector: Connector,
    current: Mutex<Option<Sender>>,
}

impl Links {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, current: Mutex::new(None) }
    }

    /// A call with one answer.
    pub(super) async fn call<Q: Serialize + Sync, A: DeserializeOwned>(
        &self,
        call: &'static str,
        ask: &Q,
    ) -> Result<A> {
        self.asked(call, json(call, ask)?, &[], Repeat::Moved).await
    }

    /// As [`Links::call`], for what may be done twice: asked again when the connection broke, for as long as the proxy may
    /// take to be there again.
    pub(super) async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, call: &'static str, ask: &Q) -> Result<A> {
        self.asked(call, json(call, ask)?, &[], Repeat::Broken).await
    }

    /// As [`Links::ask`], with a body that is no JSON.
    pub(super) async fn put(&self, call: &'static str, headers: &[(&'static str, String)], body: Bytes) -> Result<()> {
        self.asked(call, body, headers, Repeat::Broken).await
    }

    /// A call with a long answer, given once its head has come.
    pub(super) async fn open<Q: Serialize + Sync>(&self, call: &'static str, ask: &Q) -> Result<Incoming> {
        let (body, mut again) = (json(call, ask)?, Again::new(Repeat::Moved));
        loop {
            match self.head(call, post(call, body.clone(), &[])?).await {
                Err(error) if again.may_follow(&error) => self.leave().await,
                head => return head,
            }
        }
    }

    async fn head(&self, call: &'static str, request: Request<Full<Bytes>>) -> Result<Incoming> {
        let response = timeout(PATIENCE, self.send(call, request)).await.unwrap_or_else(|_| Err(silent(call)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = timeout(PATIENCE, response.into_body().collect()).await.map_err(|_| silent(call))?;
        let body = body.map_err(|e| interrupted(call, &e))?.to_bytes();
        Err(refusal(call, status, &body))
    }

    async fn asked<A: DeserializeOwned>(
        &self,
        call: &'static str,
        body: Bytes,
        headers: &[(&'static str, String)],
        repeat: Repeat,
    ) -> Result<A> {
        let mut again = Again::new(repeat);
        loop {
            match self.one(call, post(call, body.clone(), headers)?).await {
                Err(error) if again.may_follow(&error) => self.leave().await,
                answer => return answer,
            }
        }
    }

    async fn one<A: DeserializeOwned>(&self, call: &'static str, request: Request<Full<Bytes>>) -> Result<A> {
        let answer = async {
            let response = self.send(call, request).await?;
            let status = response.status();
            let body = response.into_body().collect().await;
            let body = body.map_err(|e| interrupted(call, &e))?.to_bytes();
            parse(call, status, &body)
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(silent(call)))
    }

    /// Drops the present connection: it leads to a process that is of no more use.
    pub(super) async fn leave(&self) {
        *self.current.lock().await = None;
        sleep(PAUSE).await;
    }

    /// Sends, over a new connection where the present one turns out to be broken before anything went out.
    async fn send(&self, call: &'static str, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        let mut fresh = false;
        loop {
            let mut sender = self.sender(fresh).await?;
            let mut failed = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(failed) => failed,
            };
            match failed.take_message() {
                Some(unsent) if !fresh => request = unsent,
                Some(_) => return Err(ProxyError::Unreachable { message: failed.error().to_string() }),
                None => return Err(interrupted(call, failed.error())),
            }
            fresh = true;
        }
    }

    async fn sender(&self, fresh: bool) -> Result<Sender> {
        let mut current = self.current.lock().await;
        if let Some(sender) = current.as_ref().filter(|sender| !fresh && !sender.is_closed()) {
            return Ok(sender.clone());
        }
        *current = None;
        let unanswered = || ProxyError::Unreachable { message: format!("no answer within {} s", PATIENCE.as_secs()) };
        let sender = timeout(PATIENCE, self.connect()).await.map_err(|_| unanswered())??;
        Ok(current.insert(sender).clone())
    }

    /// A process that is being relieved may still take a connection and hang up: nothing was done, the next one is better.
    async fn connect(&self) -> Result<Sender> {
        let begun = Instant::now();
        loop {
            let io = (self.connector)().await?;
            match greet(io).await {
                Err(ProxyError::Unreachable { .. }) if begun.elapsed() < HUNG_UP => sleep(PAUSE).await,
                greeted => return greeted,
            }
        }
    }
}

/// Begins a connection by a look at who is there.
async fn greet(io: Box<dyn Duplex>) -> Result<Sender> {
    let unreachable = |error: hyper::Error| ProxyError::Unreachable { message: error.to_string() };
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(io))
        .await
        .map_err(unreachable)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the control connection ended");
        }
    });
    let mut hello = Request::new(Full::default());
    *hello.uri_mut() = http::Uri::from_static("http://once/hello");
    let response = sender.send_request(hello).await.map_err(unreachable)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(unreachable)?.to_bytes();
    let Hello { protocol: theirs } = parse("say hello", status, &body)?;
    if !compatible(PROTOCOL, theirs) {
        return Err(ProxyError::Version { theirs, ours: PROTOCOL });
    }
    Ok(sender)
}

/// After what a call is made again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Another process of the proxy has taken over: nothing was done.
    Moved,
    /// That, or the connection broke. One that could not be made in the first place is nothing to wait for.
    Broken,
}

struct Again {
    repeat: Repeat,
    begun: Instant,
    broken: Option<Instant>,
}

impl Again {
    fn new(repeat: Repeat) -> Self {
        Self { repeat, begun: Instant::now(), broken: None }
    }

    fn may_follow(&mut self, error: &ProxyError) -> bool {
        match error {
            ProxyError::Moved => {
                self.broken = Some(Instant::now());
                self.begun.elapsed() < TAKE_OVER
            }
            ProxyError::Interrupted { .. } if self.repeat == Repeat::Broken => {
                self.broken.get_or_insert_with(Instant::now).elapsed() < RESTART
            }
            ProxyError::Unreachable { .. } => self.broken.is_some_and(|since| since.elapsed() < RESTART),
            _ => false,
        }
    }
}

fn failed(call: &str, message: &str) -> ProxyError {
    ProxyError::Failed { what: call.to_owned(), message: message.to_owned() }
}

fn json<Q: Serialize>(call: &str, ask: &Q) -> Result<Bytes> {
    Ok(Bytes::from(serde_json::to_vec(ask).map_err(|e| failed(call, &e.to_string()))?))
}

fn post(call: &str, body: Bytes, headers: &[(&'static str, String)]) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://once/v1/{call}"))
        .header(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Full::new(body)).map_err(|e| failed(call, &e.to_string()))
}

fn parse<A: DeserializeOwned>(call: &str, status: StatusCode, body: &[u8]) -> Result<A> {
    if !status.is_success() {
        return Err(refusal(call, status, body));
    }
    let unread = |e: serde_json::Error| format!("its answer cannot be read: {e}");
    serde_json::from_slice(body).map_err(|e| ProxyError::Failed { what: call.to_owned(), message: unread(e) })
}

fn refusal(call: &str, status: StatusCode, body: &[u8]) -> ProxyError {
    match serde_json::from_slice::<WireError>(body) {
        Ok(error) => error.into(),
        Err(_) => ProxyError::Failed { what: call.to_owned(), message: format!("it answered {status}") },
    }
}

fn silent(call: &str) -> ProxyError {
    ProxyError::Interrupted { message: format!("{call}: no answer within {} s", PATIENCE.as_secs()) }
}

pub(super) fn interrupted(call: &str, error: &dyn std::error::Error) -> ProxyError {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    ProxyError::Interrupted { message: format!("{call}: {error}{cause}") }
}
