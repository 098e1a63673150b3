//! What an app says arrives, also where the client's socket takes it slowly: a TLS stream keeps what the socket did not
//! take, until somebody flushes it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use once_app::ReleaseNumber;
use once_app::proxy::DrainLimits;
use once_proxy::plane::PlaneOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::TlsHouse;
use crate::support::{NARROW, PATIENCE, app, narrow_client, route, sends_from};

/// A house whose sockets take little at a time, and an app whose bytes are written by hand.
struct Bed {
    house: TlsHouse,
    listener: TcpListener,
}

/// A server's Close frame with 1001: going away.
const AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

impl Bed {
    async fn new() -> Self {
        Self::sending_from(NARROW).await
    }

    async fn sending_from(bytes: usize) -> Self {
        let house = TlsHouse::on(sends_from(bytes), PlaneOptions::default());
        house.install(&["app.test"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        house.house.plane.set_route(route(1, listener.local_addr().unwrap()));
        Self { house, listener }
    }

    async fn open(&self, protocol: &str) -> TlsStream<TcpStream> {
        let stream = narrow_client(self.house.address).await;
        let config = std::sync::Arc::new(self.house.authority.client(&[protocol]));
        TlsConnector::from(config).connect("app.test".try_into().unwrap(), stream).await.unwrap()
    }

    /// Both ends of a connection that has been upgraded to `protocol`.
    async fn upgraded(&self, protocol: &str) -> (TlsStream<TcpStream>, TcpStream) {
        let mut client = self.open("http/1.1").await;
        let ask = format!("GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n");
        client.write_all(ask.as_bytes()).await.unwrap();
        let app = self.asked().await;
        let app = said(app, &format!("HTTP/1.1 101 Hi\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n")).await;
        head(&mut client).await;
        (client, app)
    }

    /// The app's end of the next request's connection.
    async fn asked(&self) -> TcpStream {
        let (mut app, _) = self.listener.accept().await.unwrap();
        head(&mut app).await;
        app
    }
}

async fn said(mut stream: TcpStream, words: &str) -> TcpStream {
    stream.write_all(words.as_bytes()).await.unwrap();
    stream
}

/// Reads to the end of a head and not a byte further.
async fn head(stream: &mut (impl AsyncRead + Unpin)) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
}

/// No two pieces of it are the same.
fn bytes(count: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(count).collect()
}

/// A server's binary message.
fn message(payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x82, 127];
    frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Reads so many bytes, 4 KiB a millisecond: slower than anybody writes here.
async fn slowly(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<u8> {
    let mut seen = Vec::new();
    let reading = async {
        while seen.len() < count {
            let mut piece = vec![0; 4096.min(count - seen.len())];
            let read = stream.read(&mut piece).await.unwrap();
            if read == 0 {
                break;
            }
            seen.extend_from_slice(&piece[..read]);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let whole = tokio::time::timeout(PATIENCE, reading).await;
    assert!(whole.is_ok(), "it stands still after {} of {count} bytes", seen.len());
    seen
}

fn same(seen: &[u8], expected: &[u8]) {
    let at = seen.iter().zip(expected).position(|(a, b)| a != b);
    assert_eq!((seen.len(), at), (expected.len(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_whole_while_nothing_else_is_said() {
    let bed = Bed::new().await;
    for count in [65_536, 140_000, 1_000_000] {
        let (mut client, mut app) = bed.upgraded("websocket").await;
        let message = message(&bytes(count));
        let (sent, seen) = tokio::join!(app.write_all(&message), slowly(&mut client, message.len()));
        sent.unwrap();
        same(&seen, &message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_frame_arrives_behind_a_message() {
    let bed = Bed::new().await;
    let (mut client, mut app) = bed.upgraded("websocket").await;
    let mut words = message(&bytes(140_000));
    words.extend_from_slice(&AWAY);
    let (sent, seen) = tokio::join!(app.write_all(&words), slowly(&mut client, words.len()));
    sent.unwrap();
    same(&seen, &words);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxys_goodbye_arrives_before_the_connection_ends() {
    let bed = Bed::new().await;
    let (mut client, mut served) = bed.upgraded("websocket").await;
    let message = message(&bytes(60_000));
    served.write_all(&message).await.unwrap();
    // It has come through to where the client's socket takes no more.
    slowly(&mut client, 1).await;
    let limits = DrainLimits { requests_ms: 0, upgraded_ms: 0 };
    let drain = bed.house.house.plane.drain(&app(), ReleaseNumber(1), limits);
    let drained = tokio::spawn(async move {
        drain.collect::<Vec<_>>().await;
        Instant::now()
    });
    let seen = slowly(&mut client, message.len() - 1 + AWAY.len()).await;
    let heard = Instant::now();
    same(&seen, &[&message[1..], &AWAY].concat());
    // Neither end answers, which takes the second that they have for it. The goodbye was there long before.
    let early = drained.await.unwrap().saturating_duration_since(heard);
    assert!(early > Duration::from_millis(300), "{early:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocols_last_words_arrive_before_its_end() {
    let bed = Bed::new().await;
    let (mut client, mut app) = bed.upgraded("chat/1").await;
    let words = bytes(700_000);
    let sent = async {
        app.write_all(&words).await.unwrap();
        app.shutdown().await.unwrap();
    };
    let ((), seen) = tokio::join!(sent, slowly(&mut client, usize::MAX >> 1));
    same(&seen, &words);
}

/// What a client says to an app that has hung up has no reader, and must not become a reset that overtakes the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_talking_hears_the_last_words() {
    // All that is left lies in the kernel while the app is gone already.
    let bed = Bed::sending_from(200_000).await;
    let (client, mut app) = bed.upgraded("websocket").await;
    let mut words = message(&bytes(300_000));
    words.extend_from_slice(&AWAY);
    let (mut from, mut to) = tokio::io::split(client);
    let pings = tokio::spawn(async move {
        while to.write_all(&[0x89, 0x80, 1, 2, 3, 4]).await.is_ok() && to.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let expected = words.clone();
    let sent = tokio::spawn(async move {
        app.write_all(&words).await.unwrap();
        app.shutdown().await.unwrap();
        // It has a reader for what the client still says, so that its own end is no reset.
        let _ = tokio::io::copy(&mut app, &mut tokio::io::sink()).await;
    });
    let mut seen = Vec::new();
    // It takes three seconds.
    while seen.len() < expected.len() {
        let mut piece = vec![0; 4096];
        let read = tokio::time::timeout(PATIENCE, from.read(&mut piece)).await.expect("it goes on");
        let read = read.unwrap_or_else(|error| panic!("{error} after {} bytes", seen.len()));
        assert!(read > 0, "the end after {} bytes", seen.len());
        seen.extend_from_slice(&piece[..read]);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    same(&seen, &expected);
    sent.await.unwrap();
    pings.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_while_no_other_one_comes() {
    let bed = Bed::new().await;
    let event = [b"data: ", bytes(200_000).as_slice(), b"\n\n"].concat();
    let say = |mut app: TcpStream, event: Vec<u8>| async move {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
        app.write_all(head.as_bytes()).await.unwrap();
        app.write_all(format!("{:x}\r\n", event.len()).as_bytes()).await.unwrap();
        app.write_all(&event).await.unwrap();
        app.write_all(b"\r\n").await.unwrap();
        app
    };
    let mut client = bed.open("http/1.1").await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.unwrap();
    let _app = tokio::spawn(say(bed.asked().await, event.clone()));
    head(&mut client).await;
    let mut seen = Vec::new();
    // Chunks of the proxy's own.
    while seen.len() < event.len() {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(slowly(&mut client, 1).await[0]);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
        seen.extend(slowly(&mut client, length).await);
        slowly(&mut client, 2).await;
    }
    same(&seen, &event);

    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(bed.open("h2").await)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://app.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let (answer, app) =
        tokio::join!(sender.send_request(request), async { say(bed.asked().await, event.clone()).await });
    let (mut body, mut seen) = (answer.unwrap().into_body(), Vec::new());
    while seen.len() < event.len() {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("it goes on").unwrap().unwrap();
        seen.extend_from_slice(frame.data_ref().unwrap());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    same(&seen, &event);
    drop(app);
}

/// RFC 8441, and the app's end of it, which comes behind what it said last.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_over_http2_arrives_whole() {
    let bed = Bed::new().await;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(bed.open("h2").await)).await.unwrap();
    tokio::spawn(connection);
    let answered = async {
        let mut app = bed.asked().await;
        app.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    };
    // By the first answer the server has said that it can.
    let first = Request::get("https://app.test/").body(Empty::<bytes::Bytes>::new()).unwrap();
    let (first, ()) = tokio::join!(sender.send_request(first), answered);
    first.unwrap();
    let ask = Request::builder()
        .method(Method::CONNECT)
        .uri("https://app.test/ws")
        .extension(hyper::ext::Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let upgrade =
        async { said(bed.asked().await, "HTTP/1.1 101 Hi\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n").await };
    let (answer, mut app) = tokio::join!(sender.send_request(ask), upgrade);
    let mut client = TokioIo::new(hyper::upgrade::on(answer.unwrap()).await.unwrap());
    let message = message(&bytes(300_000));
    let (sent, seen) = tokio::join!(app.write_all(&message), slowly(&mut client, message.len()));
    sent.unwrap();
    same(&seen, &message);
    let sent = async {
        app.write_all(&message).await.unwrap();
        app.write_all(&AWAY).await.unwrap();
        app.shutdown().await.unwrap();
    };
    let ((), seen) = tokio::join!(sent, slowly(&mut client, usize::MAX >> 1));
    same(&seen, &[message.as_slice(), &AWAY].concat());
}
