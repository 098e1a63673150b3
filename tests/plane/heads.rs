use serde_json::Value;

use crate::support::{Demo, House, request, route};

fn pairs(reply: &crate::support::Reply) -> Vec<(String, String)> {
    let head: Value = serde_json::from_slice(&reply.body).unwrap();
    let pairs = head["headers"].as_array().unwrap().iter();
    pairs.map(|p| (p[0].as_str().unwrap().to_owned(), p[1].as_str().unwrap().to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_sees_the_request_and_who_asked() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let reply = request(
        house.address,
        "GET /headers?a=%20b&c=[x]|y HTTP/1.1\r\nHost: App.Test:8080\r\nConnection: close, X-Private\r\nX-Private: 1\r\n\
         Keep-Alive: timeout=5\r\nTE: trailers\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\
         X-Forwarded-Proto: https\r\nX-Request-ID: my-id\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n",
    )
    .await;
    assert_eq!(reply.status, 200, "{}", reply.head);
    let head: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(head["target"], "/headers?a=%20b&c=[x]|y");
    let pairs = pairs(&reply);
    let all = |name: &str| pairs.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect::<Vec<_>>();
    assert_eq!(all("host"), ["App.Test:8080"]);
    assert_eq!(all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(all("x-forwarded-proto"), ["http"]);
    assert_eq!(all("x-forwarded-host"), ["App.Test:8080"]);
    assert_eq!(all("x-forwarded-port"), ["8080"]);
    assert_eq!(all("x-request-id"), ["my-id"]);
    assert_eq!(all("te"), ["trailers"]);
    assert_eq!(all("cookie"), ["a=1", "b=2"]);
    assert!(all("x-request-start")[0].starts_with("t=1"));
    for gone in ["x-private", "keep-alive", "forwarded", "connection", "transfer-encoding"] {
        assert!(all(gone).is_empty(), "{gone}: {pairs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_address_in_the_request_line_wins() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let line = "GET http://app.test/headers?x HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
    let reply = request(house.address, line).await;
    let head: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(head["target"], "/headers?x");
    assert!(pairs(&reply).contains(&("host".into(), "app.test".into())));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_stay_without() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    // The connection is kept between the two: a body where none belongs would become the next answer's head.
    let two = "HEAD /bytes?n=1000 HTTP/1.1\r\nHost: app.test\r\n\r\n\
               GET /version HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    let answers = crate::support::raw(house.address, two.as_bytes()).await;
    let answers = String::from_utf8(answers).unwrap();
    let (first, second) = answers.split_once("\r\n\r\n").unwrap();
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("content-length: 1000"), "{first}");
    assert!(second.starts_with("HTTP/1.1 200") && second.ends_with("\r\n\r\n1"), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_wait_for_a_go_ahead() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut stream = tokio::net::TcpStream::connect(house.address).await.unwrap();
    let head = "POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).await.unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("5 2cf24dba"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_get_reaches_the_app() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let chunked = "GET /upload HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert!(request(house.address, chunked).await.text().starts_with("5 2cf24dba"));
    let counted = "GET /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    assert!(request(house.address, counted).await.text().starts_with("5 2cf24dba"));
}

/// An app of a few bytes: says `answer` to the first request of each connection, keeps what it was asked.
pub async fn canned(answer: &'static [u8]) -> (std::net::SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, questions) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let asked = asked.clone();
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
                        _ => return,
                    }
                }
                let _ = asked.send(String::from_utf8_lossy(&request).into_owned());
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (address, questions)
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_and_odd_heads_come_through() {
    let answer =
        b"HTTP/1.1 299 Odd\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
        Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Raw: caf\xe9\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
    let (address, _questions) = canned(answer).await;
    let house = House::new();
    house.plane.set_route(route(1, address));
    let ask = "GET / HTTP/1.1\r\nHost: app.test\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n";
    let bytes = crate::support::raw(house.address, ask.as_bytes()).await;
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(text.starts_with("http/1.1 299 "), "{text}");
    assert!(text.contains("set-cookie: a=1\r\nset-cookie: b=2\r\n"), "{text}");
    assert!(!text.contains("x-hop"), "{text}");
    assert!(bytes.windows(4).any(|w| w == b"caf\xe9"), "{text}");
    assert!(text.ends_with("2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_client_gets_an_old_answer() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let bytes =
        crate::support::raw(house.address, b"GET /stream?chunks=2&ms=1 HTTP/1.0\r\nHost: app.test\r\n\r\n").await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("HTTP/1.0 200") && text.ends_with("\r\n\r\nchunk 0\nchunk 1\n"), "{text}");
    assert_eq!(request(house.address, "GET / HTTP/1.0\r\n\r\n").await.status, 400);
}
