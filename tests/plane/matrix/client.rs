//! The clients: a connection for each message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::app::large;
use super::cases::{Case, Kind, differ, text};
use super::slow::Paced;
use super::{Bed, STALLED};
use crate::support::narrow_client;

type Failure = Box<dyn std::error::Error + Send + Sync>;

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Sends a message and looks at what arrives. What was wrong with it.
pub async fn pass(bed: &Bed, case: &Case) -> Result<(), String> {
    let moved = Arc::new(AtomicU64::new(0));
    let passed = async { try_it(bed, case, Arc::clone(&moved)).await.map_err(|error| error.to_string()) };
    let stalled = async {
        let mut before = (0, tokio::time::Instant::now());
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = moved.load(Ordering::Relaxed);
            if now != before.0 {
                before = (now, tokio::time::Instant::now());
            }
            // An upload lies with the app for its whole time.
            let limit = STALLED + if case.kind == Kind::Upload { Duration::from_secs(10) } else { Duration::ZERO };
            if before.1.elapsed() > limit {
                return;
            }
        }
    };
    tokio::select! {
        passed = passed => passed,
        () = stalled => Err(format!("it stands still after {} bytes", moved.load(Ordering::Relaxed))),
    }
}

async fn try_it(bed: &Bed, case: &Case, moved: Arc<AtomicU64>) -> Result<(), Failure> {
    let io = connect(bed, case, moved).await?;
    let expected = text(case.size, case.seed);
    if case.kind == Kind::Socket {
        return socket(io, case, expected).await;
    }
    let rate = case.rate().filter(|_| case.kind == Kind::Upload).unwrap_or_default();
    let (path, method) = match case.kind {
        Kind::Event => ("event", Method::GET),
        Kind::Upload => ("upload", Method::POST),
        _ => ("download", Method::GET),
    };
    let target = format!("/{path}?size={}&seed={}&rate={rate}", case.size, case.seed);
    let body: Full<Bytes> = if case.kind == Kind::Upload { Full::from(expected.clone()) } else { Full::default() };
    let request = Request::builder().method(method);
    let response = if case.http2 {
        let scheme = if case.tls { "https" } else { "http" };
        let request = request.uri(format!("{scheme}://{}{target}", case.host())).body(body.boxed())?;
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        tokio::spawn(connection);
        // Kept until the answer has been read.
        (sender.send_request(request).await?, Some(sender))
    } else {
        let request = request.uri(target).header("host", case.host()).body(body.boxed())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        (sender.send_request(request).await?, None)
    };
    let wanted = if case.kind == Kind::Upload { b"the same".to_vec() } else { expected };
    let seen = read(response.0, wanted.len(), case.kind == Kind::Event).await?;
    if case.kind == Kind::Upload && seen != wanted {
        return Err(String::from_utf8_lossy(&seen).into_owned().into());
    }
    Ok(differ(&seen, &wanted)?)
}

async fn connect(bed: &Bed, case: &Case, moved: Arc<AtomicU64>) -> Result<Box<dyn Io>, Failure> {
    let address = if case.tls { bed.house.address } else { bed.plain };
    let stream = if case.slow { narrow_client(address).await } else { TcpStream::connect(address).await? };
    stream.set_nodelay(true)?;
    // It is the app that reads an upload slowly.
    let io = Paced::new(stream, case.rate().filter(|_| case.kind != Kind::Upload), moved);
    if !case.tls {
        return Ok(Box::new(io));
    }
    let config = if case.http2 { &bed.http2 } else { &bed.http1 };
    Ok(Box::new(TlsConnector::from(Arc::clone(config)).connect(case.host().try_into()?, io).await?))
}

/// So many bytes; and where there is an end, that nothing more comes.
async fn read(response: Response<Incoming>, count: usize, endless: bool) -> Result<Vec<u8>, Failure> {
    if response.status() != 200 {
        return Err(format!("status {}", response.status()).into());
    }
    let (mut body, mut seen) = (response.into_body(), Vec::with_capacity(count));
    while seen.len() < count || !endless {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            seen.extend_from_slice(&data);
        }
    }
    Ok(seen)
}

async fn socket(io: Box<dyn Io>, case: &Case, expected: Vec<u8>) -> Result<(), Failure> {
    if !case.http2 {
        let request = format!("ws://{}/ws", case.host());
        let (socket, _) = client_async_with_config(request, io, large()).await?;
        return echo(socket, expected).await;
    }
    let scheme = if case.tls { "https" } else { "http" };
    let uri = |path: &str| format!("{scheme}://{}/{path}", case.host());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
    tokio::spawn(connection);
    // By the first answer the server has said that it can.
    let empty = || BoxBody::new(Full::<Bytes>::default());
    sender.send_request(Request::get(uri("")).body(empty())?).await?.into_body().collect().await?;
    let protocol = hyper::ext::Protocol::from_static("websocket");
    let ask = Request::builder().method(Method::CONNECT).uri(uri("ws")).extension(protocol);
    let mut answer = sender.send_request(ask.body(empty())?).await?;
    if answer.status() != 200 {
        return Err(format!("status {}", answer.status()).into());
    }
    let io = TokioIo::new(hyper::upgrade::on(&mut answer).await?);
    echo(WebSocketStream::from_raw_socket(io, Role::Client, large()).await, expected).await
}

/// A message there and back, and then a polite end.
async fn echo(mut socket: WebSocketStream<impl Io>, expected: Vec<u8>) -> Result<(), Failure> {
    socket.send(Message::binary(expected.clone())).await?;
    let Some(Message::Binary(seen)) = socket.next().await.transpose()? else { return Err("no message".into()) };
    differ(&seen, &expected)?;
    socket.close(None).await?;
    while let Some(message) = socket.next().await {
        if !message?.is_close() {
            return Err("something behind the message".into());
        }
    }
    Ok(())
}
