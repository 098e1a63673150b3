//! HTTP/2 agreed upon by ALPN: gRPC to an app that speaks it without TLS, and WebSockets as streams.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::TlsHouse;
use crate::grpc::{call_of, channel, h2c, say};
use crate::http2::websocket_as_a_stream;
use crate::support::{Demo, app, route, until};

/// A client that offers both protocols, as browsers do; HTTP/2 is what comes of it.
async fn agreed<B>(house: &TlsHouse) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = house.connect(house.authority.client(&["h2", "http/1.1"]), "app.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_calls_over_tls_share_a_connection_talk_both_ways_and_end_in_trailers() {
    let demo = Demo::h2c("1").await;
    let house = TlsHouse::new();
    house.house.plane.set_route(h2c(1, demo.address));
    house.install(&["app.test"]);
    let mut client = agreed(&house).await;
    let mut calls = Vec::new();
    for _ in 0..3 {
        let (to, body) = channel();
        let answer = client.send_request(call_of("https", "/echo", body)).await.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
        assert_eq!(answer.headers()["content-type"], "application/grpc");
        calls.push((to, answer.into_body()));
    }
    // Turn by turn: none waits for another's end, and nothing for a body's.
    for text in ["one", "two", "three"] {
        for (to, from) in &mut calls {
            say(text, to, from).await;
        }
    }
    assert_eq!(house.house.plane.traffic(&app()).in_flight[0].requests, 3);
    for (to, mut from) in calls {
        let trailers = [(HeaderName::from_static("x-sum"), HeaderValue::from_static("3"))];
        to.send(Ok(Frame::trailers(trailers.into_iter().collect()))).unwrap();
        drop(to);
        let trailers = from.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!((&trailers["grpc-status"], &trailers["x-sum"]), (&"0".parse().unwrap(), &"3".parse().unwrap()));
    }
    until("uncounted", || house.house.plane.traffic(&app()).in_flight.is_empty()).await;
    let log = house.house.lines(3).await;
    assert_eq!((&log[0]["proto"], &log[0]["scheme"]), (&"HTTP/2.0".into(), &"https".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_over_tls_and_http2_is_a_stream_like_others() {
    let demo = Demo::start("1").await;
    let house = TlsHouse::new();
    house.house.plane.set_route(route(1, demo.address));
    house.install(&["app.test"]);
    websocket_as_a_stream(agreed(&house).await, "https", &house.house.plane).await;
}
