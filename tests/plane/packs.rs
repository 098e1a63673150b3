//! Answers that are compressed on their way.

use std::net::SocketAddr;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use once_app::{Route, Web};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::heads::canned;
use crate::support::{House, PATIENCE, Reply, app, request, route, until};

/// Well over a kilobyte, and of the kind that gets smaller.
fn text() -> String {
    (0..500).map(|i| format!("line {i} of a page with many words that come again\n")).collect()
}

fn packing(address: SocketAddr) -> Route {
    Route { web: Web { compress: true, ..Web::default() }, ..route(1, address) }
}

/// An app that answers all questions the same.
async fn answering(head: &str, body: &str) -> SocketAddr {
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{head}\r\n{body}");
    canned(Box::leak(answer.into_bytes().into_boxed_slice())).await.0
}

const HTML: &str = "Content-Type: text/html; charset=utf-8\r\n";

async fn ask(house: &House, headers: &str) -> Reply {
    request(house.address, &format!("GET / HTTP/1.1\r\nHost: app.test\r\n{headers}Connection: close\r\n\r\n")).await
}

async fn unpack(reply: &Reply) -> String {
    let body = &reply.body[..];
    let mut out = String::new();
    match reply.header("content-encoding") {
        Some("zstd") => ZstdDecoder::new(body).read_to_string(&mut out).await,
        Some("br") => BrotliDecoder::new(body).read_to_string(&mut out).await,
        Some("gzip") => GzipDecoder::new(body).read_to_string(&mut out).await,
        other => panic!("{other:?}: {}", reply.head),
    }
    .unwrap();
    out
}

/// What comes of an answer that should stay as it is.
async fn stays(head: &str, body: &str) {
    let house = House::new();
    house.plane.set_route(packing(answering(head, body).await));
    let reply = ask(&house, "Accept-Encoding: gzip, br, zstd\r\n").await;
    assert_eq!(reply.text(), body);
    assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_coding_comes_out_as_it_went_in() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    for coding in ["zstd", "br", "gzip"] {
        let reply = ask(&house, &format!("Accept-Encoding: {coding}\r\n")).await;
        assert_eq!(reply.header("content-encoding"), Some(coding));
        assert_eq!((reply.header("vary"), reply.header("content-length")), (Some("Accept-Encoding"), None));
        assert!(reply.body.len() < text().len() / 4, "{coding}: {}", reply.body.len());
        assert_eq!(unpack(&reply).await, text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_decides_by_weights() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    for (accept, coding) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip;q=1, br;q=0.5", Some("gzip")),
        ("br, gzip;q=0", Some("br")),
        ("gzip;q=0", None),
        ("identity", None),
    ] {
        let reply = ask(&house, &format!("Accept-Encoding: {accept}\r\n")).await;
        assert_eq!(reply.header("content-encoding"), coding, "{accept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_coding_gets_none_and_caches_are_told() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    let reply = ask(&house, "").await;
    assert_eq!((reply.text(), reply.header("content-encoding")), (text(), None));
    assert_eq!(reply.header("vary"), Some("Accept-Encoding"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_did_not_ask_for_it_is_left_alone() {
    let house = House::new();
    house.plane.set_route(route(1, answering(HTML, &text()).await));
    let reply = ask(&house, "Accept-Encoding: gzip\r\n").await;
    assert_eq!((reply.text(), reply.header("content-encoding"), reply.header("vary")), (text(), None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn images_stay_as_they_are() {
    stays("Content-Type: image/webp\r\n", &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn archives_stay_as_they_are() {
    stays("Content-Type: application/zip\r\n", &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_stays_as_it_is() {
    stays("", &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_answers_stay_as_they_are() {
    stays(HTML, &"x".repeat(1023)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_coding_keeps_it() {
    stays(&format!("{HTML}Content-Encoding: br\r\n"), &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_transform_is_heeded() {
    stays(&format!("{HTML}Cache-Control: no-transform\r\n"), &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_set_a_cookie_stay_as_they_are() {
    stays(&format!("{HTML}Set-Cookie: session=secret\r\n"), &text()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_who_has_logged_in_stay_as_they_are() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    let reply = ask(&house, "Accept-Encoding: gzip\r\nAuthorization: Bearer abc\r\n").await;
    assert_eq!((reply.text(), reply.header("content-encoding")), (text(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_stay_as_they_are() {
    let body = text();
    let answer = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-{}/999999\r\n{HTML}Content-Length: {}\r\n\r\n{body}",
        body.len() - 1,
        body.len()
    );
    let (address, _questions) = canned(Box::leak(answer.into_bytes().into_boxed_slice())).await;
    let house = House::new();
    house.plane.set_route(packing(address));
    let reply = ask(&house, "Accept-Encoding: gzip\r\nRange: bytes=0-\r\n").await;
    assert_eq!((reply.status, reply.text(), reply.header("content-encoding")), (206, body, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_alone_says_how_long_the_answer_would_be() {
    let answer = format!("HTTP/1.1 200 OK\r\n{HTML}Content-Length: 5000\r\n\r\n");
    let (address, _questions) = canned(Box::leak(answer.into_bytes().into_boxed_slice())).await;
    let house = House::new();
    house.plane.set_route(packing(address));
    let ask = "HEAD / HTTP/1.1\r\nHost: app.test\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let reply = request(house.address, ask).await;
    assert_eq!((reply.header("content-length"), reply.header("content-encoding")), (Some("5000"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn strong_tags_become_weak_and_ranges_are_not_offered() {
    let house = House::new();
    let head = format!("{HTML}ETag: \"v1\"\r\nAccept-Ranges: bytes\r\n");
    house.plane.set_route(packing(answering(&head, &text()).await));
    let reply = ask(&house, "Accept-Encoding: gzip\r\n").await;
    assert_eq!((reply.header("etag"), reply.header("accept-ranges")), (Some("W/\"v1\""), None));
    let reply = ask(&house, "").await;
    assert_eq!((reply.header("etag"), reply.header("accept-ranges")), (Some("\"v1\""), Some("bytes")));
}

/// An app that begins an answer and goes on when it is told to.
async fn halting(kind: &'static str) -> (SocketAddr, tokio::sync::mpsc::Sender<&'static [u8]>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (go, mut pieces) = tokio::sync::mpsc::channel::<&'static [u8]>(8);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        let head =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nContent-Type: {kind}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        while let Some(piece) = pieces.recv().await {
            stream.write_all(piece).await.unwrap();
        }
    });
    (address, go)
}

/// Reads until what has come so far can be unpacked to this.
async fn reads(stream: &mut TcpStream, answer: &mut Vec<u8>, expected: &str) {
    let read = async {
        loop {
            if let Some(reply) = Reply::parse(answer)
                && reply.header("content-encoding") == Some("gzip")
            {
                let mut out = Vec::new();
                // It has no end yet.
                let _ = GzipDecoder::new(&reply.body[..]).read_to_end(&mut out).await;
                if out == expected.as_bytes() {
                    return;
                }
            }
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(answer));
            answer.extend_from_slice(&buffer[..read]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("never came: {expected}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_keeps_flowing_and_its_trailers_come_along() {
    let (address, go) = halting("text/plain").await;
    let house = House::new();
    house.plane.set_route(packing(address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let ask = b"GET / HTTP/1.1\r\nHost: app.test\r\nAccept-Encoding: gzip\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut answer = Vec::new();
    go.send(b"6\r\nfirst\n\r\n").await.unwrap();
    reads(&mut stream, &mut answer, "first\n").await;
    go.send(b"7\r\nsecond\n\r\n").await.unwrap();
    reads(&mut stream, &mut answer, "first\nsecond\n").await;
    go.send(b"0\r\nX-Sum: 7\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    let whole = String::from_utf8_lossy(&answer).into_owned();
    assert!(whole.to_ascii_lowercase().ends_with("0\r\nx-sum: 7\r\n\r\n"), "{whole}");
    assert_eq!(unpack(&Reply::parse(&answer).unwrap()).await, "first\nsecond\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn event_streams_stay_as_they_are() {
    let (address, go) = halting("text/event-stream").await;
    let house = House::new();
    house.plane.set_route(packing(address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\nAccept-Encoding: gzip\r\n\r\n").await.unwrap();
    go.send(b"9\r\ndata: 1\n\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(7).any(|w| w == b"data: 1") {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0);
        answer.extend_from_slice(&buffer[..read]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let (address, go) = halting("text/plain").await;
    let house = House::new();
    house.plane.set_route(packing(address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: app.test\r\nAccept-Encoding: gzip\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    go.send(b"6\r\nfirst\n\r\n").await.unwrap();
    reads(&mut stream, &mut answer, "first\n").await;
    drop(go);
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&answer));
    until("counted as failed", || house.plane.traffic(&app()).failed == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_and_logged_is_what_was_sent() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    let reply = ask(&house, "Accept-Encoding: zstd\r\n").await;
    let line = &house.lines(1).await[0];
    assert_eq!(line["resp_content_length"], reply.body.len());
    assert_eq!(house.plane.traffic(&app()).bytes_out, reply.body.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_get_it_until_the_connections_end() {
    let house = House::new();
    house.plane.set_route(packing(answering(HTML, &text()).await));
    let reply = request(house.address, "GET / HTTP/1.0\r\nHost: app.test\r\nAccept-Encoding: gzip\r\n\r\n").await;
    assert_eq!(reply.header("transfer-encoding"), None);
    assert_eq!(unpack(&reply).await, text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_whole_and_the_connection_rests() {
    let house = House::new();
    let big = text().repeat(200);
    house.plane.set_route(packing(answering(HTML, &big).await));
    let reply = ask(&house, "Accept-Encoding: br\r\n").await;
    assert_eq!(unpack(&reply).await, big);
    until("nothing under way", || house.plane.traffic(&app()).in_flight.is_empty()).await;
}
