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
use tokio::time::timeout;

use super::Connector;
use crate::app::proxy::ProxyError;
use crate::proxy::control::wire::{Hello, PROTOCOL_HEADER, WireError};
use crate::proxy::control::{PING_EVERY, PROTOCOL, compatible};

type Result<T, E = ProxyError> = std::result::Result<T, E>;

/// What a call may take, and what making a connection may: a frozen proxy must not freeze its callers.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

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
        let request = request(call, ask)?;
        let answer = async {
            let response = self.send(call, request).await?;
            let status = response.status();
            let body = response.into_body().collect().await;
            let body = body.map_err(|e| interrupted(call, &e))?.to_bytes();
            parse(call, status, &body)
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(silent(call)))
    }

    /// As [`Links::call`], for what changes nothing: asked a second time when the connection broke.
    pub(super) async fn ask<Q: Serialize + Sync, A: DeserializeOwned>(&self, call: &'static str, ask: &Q) -> Result<A> {
        match self.call(call, ask).await {
            Err(ProxyError::Interrupted { .. }) => self.call(call, ask).await,
            answer => answer,
        }
    }

    /// A call with a long answer, given once its head has come.
    pub(super) async fn open<Q: Serialize + Sync>(&self, call: &'static str, ask: &Q) -> Result<Incoming> {
        let request = request(call, ask)?;
        let response = timeout(PATIENCE, self.send(call, request)).await.unwrap_or_else(|_| Err(silent(call)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = timeout(PATIENCE, response.into_body().collect()).await.map_err(|_| silent(call))?;
        let body = body.map_err(|e| interrupted(call, &e))?.to_bytes();
        Err(refusal(call, status, &body))
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

    async fn connect(&self) -> Result<Sender> {
        let unreachable = |error: hyper::Error| ProxyError::Unreachable { message: error.to_string() };
        let io = (self.connector)().await?;
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
}

fn request<Q: Serialize>(call: &str, ask: &Q) -> Result<Request<Full<Bytes>>> {
    let failed = |message: String| ProxyError::Failed { what: call.to_owned(), message };
    let body = serde_json::to_vec(ask).map_err(|e| failed(e.to_string()))?;
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://once/v1/{call}"))
        .header(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL))
        .body(Full::new(Bytes::from(body)))
        .map_err(|e| failed(e.to_string()))
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
