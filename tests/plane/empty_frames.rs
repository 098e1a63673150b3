//! Apps whose answers hold DATA frames with nothing in them. They are legal, and some servers send one before the trailers
//! of every call.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::grpc::{call, connect, h2c};
use crate::support::{House, PATIENCE, app};

/// An empty piece before and behind each answer's only word.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    drop(request);
    let data = |text: &'static str| Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let status = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
    let trailers = Ok(Frame::trailers(HeaderMap::from_iter([status])));
    Ok(Response::new(StreamBody::new(futures_util::stream::iter([data(""), data("word"), data(""), trailers]))))
}

/// A connection lives as long as its app, so what each call adds to a count of the connection adds up.
#[tokio::test(flavor = "multi_thread")]
async fn a_shared_connection_outlives_any_number_of_empty_frames() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = hyper::service::service_fn(answer);
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(async move { builder.serve_connection(TokioIo::new(stream), service).await });
        }
    });
    let house = House::new();
    house.plane.set_route(h2c(1, address));
    let mut client = connect(house.address).await;
    for number in 1..=300 {
        let answer = async {
            let answer = client.send_request(call("/", Full::<Bytes>::default())).await?;
            answer.into_body().collect().await
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await.expect("an answer");
        let answer = answer.unwrap_or_else(|error| {
            let log = String::from_utf8_lossy(&house.log.lock().unwrap()).lines().last().map(str::to_owned);
            panic!("call {number}: {error:?}; the log's last line: {log:?}")
        });
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), "word");
    }
    assert_eq!(house.plane.traffic(&app()).failed, 0);
}
