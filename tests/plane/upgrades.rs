use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use once_app::ReleaseNumber;
use once_app::proxy::DrainLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{Demo, House, app, route, until};

async fn open(house: &House) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(house.address).await.unwrap();
    let request = "ws://app.test/ws".into_client_request().unwrap();
    client_async(request, stream).await.unwrap().0
}

async fn echo(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text));
}

fn upgraded(house: &House) -> u64 {
    house.plane.traffic(&app()).in_flight.iter().map(|f| f.upgraded).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_are_passed_through_and_counted() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let mut socket = open(&house).await;
    echo(&mut socket, "hello").await;
    echo(&mut socket, &"x".repeat(300_000)).await;
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.in_flight[0].requests, traffic.in_flight[0].upgraded), (0, 1));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    until("uncounted", || upgraded(&house) == 0).await;
    until("in the books", || house.plane.traffic(&app()).classes == [1, 0, 0, 0, 0]).await;
    let traffic = house.plane.traffic(&app());
    assert_eq!((traffic.slowest_ms, traffic.failed), (0, 0), "a socket's life is no latency");
    assert!(traffic.bytes_out > 300_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_closes_websockets_politely_at_its_limit() {
    let (old, new) = (Demo::start("old").await, Demo::start("new").await);
    let house = House::new();
    house.plane.set_route(route(1, old.address));
    let mut sockets = vec![open(&house).await, open(&house).await];
    for socket in &mut sockets {
        echo(socket, "before").await;
    }
    house.plane.set_route(route(2, new.address));
    let started = Instant::now();
    let limits = DrainLimits { requests_ms: 0, upgraded_ms: 400 };
    let drain = tokio::spawn(house.plane.drain(&app(), ReleaseNumber(1), limits).collect::<Vec<_>>());
    for socket in &mut sockets {
        echo(socket, "still here").await;
    }
    for socket in &mut sockets {
        let Some(Ok(Message::Close(Some(frame)))) = socket.next().await else { panic!("no close frame") };
        assert_eq!(frame.code, CloseCode::Away);
        assert!(started.elapsed() >= Duration::from_millis(400));
    }
    drop(sockets);
    let progress = drain.await.unwrap();
    assert_eq!((progress[0].upgraded, progress.last().unwrap().cut), (2, Some(2)));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    echo(&mut open(&house).await, "the new one").await;
}

/// Both ends of a WebSocket whose frames are written by hand: the client's and the app's.
async fn by_hand(house: &House) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    house.plane.set_route(route(1, listener.local_addr().unwrap()));
    let mut client = TcpStream::connect(house.address).await.unwrap();
    let ask = "GET /ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let (mut app, _) = listener.accept().await.unwrap();
    head(&mut app).await;
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    app.write_all(answer.as_bytes()).await.unwrap();
    head(&mut client).await;
    (client, app)
}

/// Reads to the end of a head and not a byte further.
async fn head(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
}

async fn reads(stream: &mut TcpStream, expected: &[u8]) {
    let mut seen = vec![0; expected.len()];
    stream.read_exact(&mut seen).await.unwrap();
    assert_eq!(seen, expected);
}

const AT_ONCE: DrainLimits = DrainLimits { requests_ms: 0, upgraded_ms: 0 };

/// A server's Close frame with 1001: going away.
const AWAY: [u8; 4] = [0x88, 0x02, 0x03, 0xe9];

/// An app that has sent half of a frame when the limit comes: the Close frame waits for the other half.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_under_way_is_not_cut_in_two() {
    let house = House::new();
    let (mut client, mut served) = by_hand(&house).await;
    served.write_all(b"\x81\x0a12345").await.unwrap();
    reads(&mut client, b"\x81\x0a12345").await;
    let mut drain = house.plane.drain(&app(), ReleaseNumber(1), AT_ONCE);
    drain.next().await.unwrap();
    served.write_all(b"67890\x81\x03new").await.unwrap();
    let mut rest = Vec::new();
    let read = client.read_to_end(&mut rest);
    let (_, _) = tokio::join!(read, drain.collect::<Vec<_>>());
    // Whether the next frame was already on its way when the limit came is a matter of luck; half of it never is.
    let whole = [b"67890\x88\x02\x03\xe9".as_slice(), b"67890\x81\x03new\x88\x02\x03\xe9"];
    assert!(whole.contains(&rest.as_slice()), "{rest:?}");
}

/// Both ends are told: the client unmasked, as by a server, the app masked, as by a client, and each between two frames.
#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_websocket_are_told_that_it_goes_away() {
    let house = House::new();
    let (mut client, mut served) = by_hand(&house).await;
    served.write_all(b"\x81\x02ok").await.unwrap();
    reads(&mut client, b"\x81\x02ok").await;
    // Half of a message is under way when the limit comes; its other half still arrives.
    let message = [0x81, 0x85, 1, 2, 3, 4, b'h' ^ 1, b'e' ^ 2, b'l' ^ 3, b'l' ^ 4, b'o' ^ 1];
    client.write_all(&message[..7]).await.unwrap();
    reads(&mut served, &message[..7]).await;
    let drain = tokio::spawn(house.plane.drain(&app(), ReleaseNumber(1), AT_ONCE).collect::<Vec<_>>());
    reads(&mut client, &AWAY).await;
    client.write_all(&message[7..]).await.unwrap();
    client.write_all(&[0x88, 0x82, 9, 9, 9, 9, 0x03 ^ 9, 0xe9 ^ 9]).await.unwrap();
    reads(&mut served, &message[7..]).await;
    // Two bytes of head, four of key, two of code.
    let mut close = [0; 8];
    served.read_exact(&mut close).await.unwrap();
    let [0x88, 0x82, key @ ..] = close else { panic!("no masked Close frame: {close:?}") };
    assert_eq!([key[4] ^ key[0], key[5] ^ key[1]], 1001_u16.to_be_bytes());
    served.write_all(&AWAY).await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, [0; 0], "nothing follows a Close frame");
    assert_eq!(drain.await.unwrap().last().unwrap().cut, Some(1));
}

/// An app that has said goodbye itself gets no second one, nor does its client.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_closed_already_is_not_told_again() {
    let house = House::new();
    let (mut client, mut served) = by_hand(&house).await;
    served.write_all(&[0x88, 0x02, 0x03, 0xe8]).await.unwrap();
    reads(&mut client, &[0x88, 0x02, 0x03, 0xe8]).await;
    let drain = house.plane.drain(&app(), ReleaseNumber(1), AT_ONCE).collect::<Vec<_>>();
    let mut rest = Vec::new();
    let (_, _) = tokio::join!(client.read_to_end(&mut rest), drain);
    assert_eq!(rest, [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_pass_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        let head = String::from_utf8_lossy(&buffer[..read]).to_lowercase();
        assert!(head.contains("upgrade: chat/1") && head.contains("connection: upgrade"), "{head}");
        // The first words may come with the head.
        let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat/1\r\n\r\nwelcome";
        stream.write_all(head).await.unwrap();
        let read = stream.read(&mut buffer).await.unwrap();
        stream.write_all(&buffer[..read]).await.unwrap();
    });
    let house = House::new();
    house.plane.set_route(route(1, address));
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    // And so may the client's.
    let ask = "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: chat/1\r\n\r\nearly";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.starts_with("HTTP/1.1 101") && text.to_lowercase().contains("upgrade: chat/1"), "{text}");
    assert!(text.ends_with("\r\n\r\nwelcomeearly"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upgrade_is_a_plain_answer() {
    let demo = Demo::start("1").await;
    let house = House::new();
    house.plane.set_route(route(1, demo.address));
    let stream = TcpStream::connect(house.address).await.unwrap();
    let request = "ws://app.test/version".into_client_request().unwrap();
    let Err(Error::Http(response)) = client_async(request, stream).await else { panic!("no plain answer") };
    assert_eq!(response.status(), 200);
    until("uncounted", || house.plane.traffic(&app()).in_flight.is_empty()).await;
}
