//! What a gRPC server does, as far as a proxy can tell: bodies both ways at once, and an end told in trailers.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};

use super::answers::Body;

/// Where it says how it is.
pub(super) const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Gives back each piece as it comes, and the trailers with `grpc-status: 0` in the end.
pub(super) fn echo(request: Request<Incoming>) -> Response<Body> {
    let kind = request.headers().get(CONTENT_TYPE).cloned();
    let mut response = Response::new(Echo { body: request.into_body(), over: false }.boxed_unsync());
    response.headers_mut().extend(kind.map(|kind| (CONTENT_TYPE, kind)));
    response
}

/// SERVING, as a message with one field.
pub(super) fn healthy() -> Response<Body> {
    let message = Frame::data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]));
    let frames = [Ok(message), Ok(Frame::trailers(fine(HeaderMap::new())))];
    let mut response = Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn fine(mut trailers: HeaderMap) -> HeaderMap {
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    trailers
}

/// A request's body as an answer's.
struct Echo {
    body: Incoming,
    over: bool,
}

impl hyper::body::Body for Echo {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::convert::Infallible>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else { return Poll::Pending };
        let trailers = match frame.and_then(Result::ok).map(Frame::into_data) {
            Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Err(frame)) => frame.into_trailers().unwrap_or_default(),
            None => HeaderMap::new(),
        };
        self.over = true;
        Poll::Ready(Some(Ok(Frame::trailers(fine(trailers)))))
    }
}
