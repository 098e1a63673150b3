//! One client of a load.

use std::convert::Infallible;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;

use super::answers::hex;
use super::load::{Failure, LoadOptions, Seen};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    KeepAlive,
    Close,
    Upload,
    Slow,
    Stream,
    WebSocket,
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

pub(super) struct Client {
    address: String,
    host: String,
    kind: Kind,
    number: u64,
    sender: Option<SendRequest<Body>>,
}

const STREAM_PIECES: usize = 6;
/// Longer than any limit a proxy has; a client that waits for ever would hide a failure.
const PATIENCE: Duration = Duration::from_secs(90);

fn failure(reason: &'static str, detail: &dyn fmt::Display) -> Failure {
    Failure { reason, detail: detail.to_string() }
}

impl Client {
    pub(super) fn new(options: &LoadOptions, kind: Kind, number: u64) -> Self {
        Self { address: options.address.clone(), host: options.host.clone(), kind, number, sender: None }
    }

    /// One request, or one WebSocket.
    pub(super) async fn once(&mut self, stop: &CancellationToken, end: Instant) -> Seen {
        self.number = self.number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut seen = Seen { took: None, version: None, went_away: false, echoes: 0, failure: None };
        let started = Instant::now();
        let done = match self.kind {
            Kind::WebSocket => tokio::time::timeout(PATIENCE, self.talk(&mut seen, stop, end)).await,
            _ => tokio::time::timeout(PATIENCE, self.ask(&mut seen)).await,
        };
        seen.failure = match done {
            Ok(done) => done.err(),
            Err(_) => Some(failure("no answer", &format_args!("within {} s", PATIENCE.as_secs()))),
        };
        if self.kind != Kind::WebSocket {
            seen.took = Some(started.elapsed());
        }
        if seen.failure.is_some() {
            self.sender = None;
        }
        seen
    }

    async fn ask(&mut self, seen: &mut Seen) -> Result<(), Failure> {
        let (request, expected) = self.request();
        let mut sender = match self.rested().await {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        let response = sender.send_request(request).await.map_err(|e| failure("connection broke", &e))?;
        let version = response.headers().get("x-version").and_then(|v| v.to_str().ok());
        seen.version = version.map(str::to_owned);
        let status = response.status();
        let closes = closes(&response);
        let body = response.into_body().collect().await.map_err(|e| failure("answer broke off", &e))?.to_bytes();
        if !status.is_success() {
            return Err(failure("status", &status));
        }
        if let Some(expected) = expected
            && body != expected
        {
            return Err(failure("wrong answer", &String::from_utf8_lossy(&body[..body.len().min(80)])));
        }
        if self.kind != Kind::Close && !closes {
            self.sender = Some(sender);
        }
        Ok(())
    }

    /// `None`: there is none, or it was closed while it rested, as a server may. A new one is no retry.
    async fn rested(&mut self) -> Option<SendRequest<Body>> {
        let mut sender = self.sender.take()?;
        sender.ready().await.is_ok().then_some(sender)
    }

    async fn connect(&self) -> Result<SendRequest<Body>, Failure> {
        let stream = TcpStream::connect(&self.address).await.map_err(|e| failure("no connection", &e))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| failure("no connection", &e))?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn request(&self) -> (Request<Body>, Option<Bytes>) {
        let (target, expected) = match self.kind {
            Kind::Upload => ("/upload", None),
            Kind::Slow => ("/slow?ms=200", Some(Bytes::from_static(b"that took a while"))),
            Kind::Stream => {
                let pieces: String = (0..STREAM_PIECES).map(|i| format!("chunk {i}\n")).collect();
                ("/stream?chunks=6&ms=10", Some(Bytes::from(pieces)))
            }
            _ => ("/version", None),
        };
        let mut request = Request::new(Empty::new().boxed_unsync());
        *request.uri_mut() = http::Uri::from_static(target);
        if let Ok(host) = HeaderValue::from_str(&self.host) {
            request.headers_mut().insert(HOST, host);
        }
        if self.kind == Kind::Close {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.kind == Kind::Upload {
            *request.method_mut() = Method::POST;
            let expected = self.upload(&mut request);
            return (request, Some(expected));
        }
        (request, expected)
    }

    /// Gives what the app will answer.
    fn upload(&self, request: &mut Request<Body>) -> Bytes {
        let length = 20_000 + usize::try_from(self.number >> 33).unwrap_or(0) % 180_000;
        let data = Bytes::from(vec![self.number.to_le_bytes()[7]; length]);
        let expected = format!("{length} {}", hex(&Sha256::digest(&data)));
        if self.number & 1 << 40 == 0 {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            *request.body_mut() = Full::new(data).boxed_unsync();
        } else {
            let pieces: Vec<Bytes> =
                (0..length).step_by(16_384).map(|at| data.slice(at..length.min(at + 16_384))).collect();
            let pieces = stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece))));
            *request.body_mut() = StreamBody::new(pieces).boxed_unsync();
        }
        expected.into()
    }

    /// Says something every 20 ms for a second.
    async fn talk(&self, seen: &mut Seen, stop: &CancellationToken, end: Instant) -> Result<(), Failure> {
        let stream = TcpStream::connect(&self.address).await.map_err(|e| failure("no connection", &e))?;
        let url = format!("ws://{}/ws", self.host);
        let request = url.into_client_request().map_err(|e| failure("no websocket", &e))?;
        let (mut socket, response) = client_async(request, stream).await.map_err(|e| failure("no websocket", &e))?;
        seen.version = response.headers().get("x-version").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let until = (Instant::now() + Duration::from_secs(1)).min(end);
        while Instant::now() < until && !stop.is_cancelled() {
            let text = format!("{} {}", self.number, seen.echoes);
            let sent = socket.send(Message::text(text.clone())).await;
            // What comes back tells more than what could not be sent.
            match socket.next().await {
                Some(Ok(Message::Text(echo))) if echo.as_str() == text => seen.echoes += 1,
                Some(Ok(Message::Close(Some(frame)))) if frame.code == CloseCode::Away => {
                    seen.went_away = true;
                    return Ok(());
                }
                Some(Ok(other)) => return Err(failure("wrong echo", &other)),
                Some(Err(error)) => return Err(failure("websocket broke", &error)),
                None => {
                    let why = sent.err().map_or("closed".to_owned(), |e| e.to_string());
                    return Err(failure("websocket broke", &why));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ = socket.close(None).await;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(Some(frame)) = message {
                seen.went_away = frame.code == CloseCode::Away;
            }
        }
        Ok(())
    }
}

fn closes(response: &Response<Incoming>) -> bool {
    response.version() == http::Version::HTTP_10
        || response.status() == StatusCode::SWITCHING_PROTOCOLS
        || response.headers().get(CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}
