//! What a client still sends when its answer is decided. To close with its bytes unread would reset the connection, and
//! the answer could be lost with it.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

/// Whoever has more to send than this meets a closed connection.
const BYTES: usize = 1 << 20;
const TIME: Duration = Duration::from_secs(2);

/// Reads a rest and throws it away.
pub(in crate::plane) fn linger(mut rest: Incoming) {
    if rest.is_end_stream() {
        return;
    }
    tokio::spawn(tokio::time::timeout(TIME, async move {
        let mut read = 0;
        while read < BYTES
            && let Some(Ok(frame)) = rest.frame().await
        {
            read += frame.data_ref().map_or(0, bytes::Bytes::len);
        }
    }));
}
