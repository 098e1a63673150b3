//! Long answers: one JSON document a line.

use std::io;

use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tokio_util::io::StreamReader;

use super::link::interrupted;
use crate::control::wire::Line;
use once_app::proxy::ProxyError;

/// The longest line: a snapshot of some hundred apps with all their releases.
const LINE_LIMIT: usize = 256 << 20;

/// Ends with the answer; a broken connection is an error, never an end.
pub(super) fn decode<T: DeserializeOwned + Send + 'static>(
    call: &'static str,
    body: Incoming,
) -> BoxStream<'static, Result<T, ProxyError>> {
    let bytes = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let lines = FramedRead::new(bytes, LinesCodec::new_with_max_length(LINE_LIMIT));
    lines
        .map(move |line| match line {
            Ok(line) => match serde_json::from_str::<Line<T>>(&line) {
                Ok(line) => line.into(),
                Err(error) => Err(ProxyError::Failed {
                    what: call.to_owned(),
                    message: format!("its answer cannot be read: {error}"),
                }),
            },
            Err(LinesCodecError::Io(error)) => Err(interrupted(call, &error)),
            Err(error) => Err(ProxyError::Failed { what: call.to_owned(), message: error.to_string() }),
        })
        .boxed()
}
