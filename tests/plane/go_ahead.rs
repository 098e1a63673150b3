//! `Expect: 100-continue`: the app says whether a body is sent, and a client that sends one has to get on with it.

use std::time::Duration;

use once_proxy::plane::{Limits, PlaneOptions, Timeouts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Demo, House, PATIENCE, Reply, route};

const ASK: &[u8] =
    b"POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A house before an app that the test speaks for, which waits for its word so long.
async fn before(go_ahead: Duration) -> (House, TcpListener) {
    let app = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let timeouts = Timeouts { go_ahead, ..Timeouts::default() };
    let house = House::with(PlaneOptions { timeouts, ..PlaneOptions::default() });
    house.plane.set_route(route(1, app.local_addr().unwrap()));
    (house, app)
}

async fn head(app: &TcpListener) -> (TcpStream, String) {
    let (mut stream, _) = app.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    (stream, String::from_utf8(head).unwrap().to_lowercase())
}

async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end");
    rest
}

/// Whether anything comes within a while.
async fn hears(stream: &mut TcpStream) -> bool {
    tokio::time::timeout(Duration::from_millis(300), stream.peek(&mut [0])).await.is_ok()
}

/// Is told to go on, and sends its body.
async fn goes_on(client: &mut TcpStream) {
    let mut said = [0; GO_ON.len()];
    tokio::time::timeout(PATIENCE, client.read_exact(&mut said)).await.unwrap().unwrap();
    assert_eq!(said, GO_ON);
    client.write_all(b"hello").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_app_says_go_on() {
    let (house, app) = before(PATIENCE * 10).await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let (mut stream, asked) = head(&app).await;
    assert!(asked.contains("expect: 100-continue\r\n"), "{asked}");
    assert!(!hears(&mut client).await, "told before the app said so");
    stream.write_all(GO_ON).await.unwrap();
    goes_on(&mut client).await;
    let mut body = [0; 5];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"hello");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let answer = rest(client).await;
    assert_eq!(Reply::parse(&answer).unwrap().text(), "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_instead_is_the_answer_and_no_body_is_read() {
    for status in [401, 413, 417] {
        let (house, app) = before(PATIENCE * 10).await;
        let mut client = TcpStream::connect(house.address).await.unwrap();
        client.write_all(ASK).await.unwrap();
        let (mut stream, _) = head(&app).await;
        stream.write_all(format!("HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nno").as_bytes()).await.unwrap();
        let answer = rest(client).await;
        let reply = Reply::parse(&answer).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (status, "no"));
        assert_eq!(rest(stream).await, b"", "the app got a body that it did not want");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_knows_nothing_of_it_gets_the_body_all_the_same() {
    let (house, app) = before(Duration::from_millis(100)).await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    client.write_all(ASK).await.unwrap();
    let (mut stream, _) = head(&app).await;
    goes_on(&mut client).await;
    let mut body = [0; 5];
    stream.read_exact(&mut body).await.unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    assert!(rest(client).await.starts_with(b"HTTP/1.1 204"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_a_408_and_a_steady_one_is_not() {
    let demo = Demo::start("1").await;
    let limits = Limits { body_rate: 1000, body_grace: Duration::from_millis(200), ..Limits::default() };
    let house = House::with(PlaneOptions { limits, ..PlaneOptions::default() });
    house.plane.set_route(route(1, demo.address));
    for (piece, expected) in [(1, 408), (2000, 200)] {
        let (mut read, mut write) = TcpStream::connect(house.address).await.unwrap().into_split();
        let length = piece * 20;
        let head =
            format!("POST /upload HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        let sending = tokio::spawn(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if write.write_all(&vec![b'x'; piece]).await.is_err() {
                    break;
                }
            }
            write
        });
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, read.read_to_end(&mut answer)).await.expect("an end");
        assert_eq!(Reply::parse(&answer).unwrap().status, expected, "{}", String::from_utf8_lossy(&answer));
        sending.abort();
    }
}
