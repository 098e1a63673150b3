//! Answers: one JSON document, or one a line for as long as it takes.

use std::convert::Infallible;

use bytes::Bytes;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use http::{HeaderValue, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde::Serialize;

use super::wire::{Line, WireError};
use once_app::proxy::ProxyError;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
pub(super) type Answer = Response<Body>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// The result of a call.
pub(super) fn document<T: Serialize>(result: Result<T, ProxyError>) -> Answer {
    match result {
        Ok(value) => body(StatusCode::OK, &value),
        Err(error) => failure(error),
    }
}

pub(super) fn failure(error: ProxyError) -> Answer {
    let status = match &error {
        ProxyError::Locked { .. } | ProxyError::Refused(_) | ProxyError::UpgradeRefused { .. } => StatusCode::CONFLICT,
        ProxyError::Moved => StatusCode::SERVICE_UNAVAILABLE,
        ProxyError::Certificate(_) => StatusCode::UNPROCESSABLE_ENTITY,
        ProxyError::LockLost => StatusCode::PRECONDITION_FAILED,
        ProxyError::Version { .. } => StatusCode::UPGRADE_REQUIRED,
        ProxyError::Storage { .. } => StatusCode::INSUFFICIENT_STORAGE,
        ProxyError::Unreachable { .. } | ProxyError::Interrupted { .. } | ProxyError::Failed { .. } => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    body(status, &WireError::from(error))
}

fn body<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(json) => respond(status, JSON, Full::new(Bytes::from(json)).boxed_unsync()),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            respond(StatusCode::INTERNAL_SERVER_ERROR, JSON, Full::default().boxed_unsync())
        }
    }
}

/// A long answer. Its end is the stream's; an error ends it too.
pub(super) fn lines<T: Serialize + 'static>(stream: BoxStream<'static, Result<T, ProxyError>>) -> Answer {
    let frames = stream.map(|result| {
        let mut line = serde_json::to_vec(&Line::from(result)).unwrap_or_else(|error| {
            tracing::error!(%error, "a line could not be written as JSON");
            Vec::new()
        });
        line.push(b'\n');
        Ok(Frame::data(Bytes::from(line)))
    });
    respond(StatusCode::OK, LINES, StreamBody::new(frames).boxed_unsync())
}

fn respond(status: StatusCode, kind: HeaderValue, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    answer
}
