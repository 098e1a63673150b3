//! Requests no browser sends.

use once_app::ReleaseNumber;

use crate::heads::canned;
use crate::support::{House, raw, route};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ambiguous_is_refused_and_never_passed_on() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    let many = format!("GET / HTTP/1.1\r\nHost: app.test\r\n{}\r\n", "X-A: b\r\n".repeat(200));
    let long = format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Long: {}\r\n\r\n", "a".repeat(80_000));
    let uri = format!("GET /{} HTTP/1.1\r\nHost: app.test\r\n\r\n", "a".repeat(80_000));
    for (what, request) in [
        ("two lengths", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        ("two lengths in one", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5, 6\r\n\r\nhello"),
        ("length +5", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: +5\r\n\r\nhello"),
        ("length -1", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: -1\r\n\r\n"),
        ("huge length", "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        ("unknown coding", "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunked not last", "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("space before colon", "GET / HTTP/1.1\r\nHost : app.test\r\n\r\n"),
        ("folded line", "GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\r\n c\r\n\r\n"),
        ("NUL in a value", "GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\0c\r\n\r\n"),
        ("bare CR", "GET / HTTP/1.1\r\nHost: app.test\r\nX-A: b\rX-B: c\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n"),
        ("odd host", "GET / HTTP/1.1\r\nHost: app.test/x\r\n\r\n"),
        ("user in host", "GET / HTTP/1.1\r\nHost: a@app.test\r\n\r\n"),
        ("bad version", "GET / HTTP/1.9\r\nHost: app.test\r\n\r\n"),
        ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("no HTTP", "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03"),
        ("tunnel", "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n"),
        ("too many headers", &many),
        ("long header", &long),
        ("long target", &uri),
    ] {
        let request = format!("{request}GET /smuggled HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
        let answer = raw_cut(&house, request.as_bytes()).await;
        let status = crate::support::Reply::parse(&answer).map(|reply| reply.status);
        assert!(
            matches!(status, None | Some(400 | 405 | 414 | 421 | 431)),
            "{what}: {:?}",
            String::from_utf8_lossy(&answer)
        );
        assert!(questions.try_recv().is_err(), "{what} reached the app");
    }
}

/// As `raw`, but for servers that close while the client still writes.
async fn raw_cut(house: &House, bytes: &[u8]) -> Vec<u8> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read)) = tokio::time::timeout(std::time::Duration::from_secs(5), stream.read(&mut buffer)).await {
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..read]);
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_beside_chunks_is_never_passed_on() {
    let (address, mut questions) = canned(OK).await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    let both = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
                5\r\nhello\r\n0\r\n\r\n";
    let answer = raw(house.address, both.as_bytes()).await;
    match questions.try_recv() {
        Ok(head) => {
            let head = head.to_lowercase();
            assert!(!(head.contains("content-length") && head.contains("transfer-encoding")), "{head}");
        }
        Err(_) => assert!(answer.starts_with(b"HTTP/1.1 400"), "{:?}", String::from_utf8_lossy(&answer)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_speaks_no_http_is_a_502() {
    for answer in [
        b"SSH-2.0-OpenSSH\r\n\r\n".as_slice(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    ] {
        let (address, _questions) = canned(answer).await;
        let house = House::new();
        house.plane.set_route(route(1, address));
        assert_eq!(house.get("app.test", "/").await.status, 502, "{:?}", String::from_utf8_lossy(answer));
        let traffic = house.plane.traffic(&crate::support::app());
        assert_eq!((traffic.failed, traffic.by_release), (1, vec![(ReleaseNumber(1), 1, 1)]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_seen_to() {
    let (address, _questions) = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    let bytes = raw(house.address, b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    let text = String::from_utf8(bytes).unwrap();
    // Either nothing has gone out yet or an answer that is too short; never one that looks whole.
    assert!(text.is_empty() || text.contains("content-length: 100") && text.ends_with("only this"), "{text}");
    crate::support::until("counted", || house.plane.traffic(&crate::support::app()).failed == 1).await;
}
