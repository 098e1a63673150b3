//! The control channel: HTTP/2 with JSON bodies on a Unix socket. Calls are `POST /v1/<call>`; long ones answer with
//! one JSON document a line. `GET /hello` says which protocol is spoken and stays what it is for ever.
//!
//! Errors travel as what they are: whoever calls a proxy over the socket gets the same
//! [`ProxyError`](once_app::proxy::ProxyError) as in process.

mod answer;
mod server;
pub(crate) mod wire;

use std::time::Duration;

pub use server::{Server, serve_connection};

/// The protocol this binary speaks. One apart is understood by both ends.
pub const PROTOCOL: u32 = 1;

/// Between pings of an idle connection.
pub(crate) const PING_EVERY: Duration = Duration::from_secs(5);

/// Whether two ends understand each other.
pub(crate) fn compatible(ours: u32, theirs: u32) -> bool {
    ours.abs_diff(theirs) <= 1
}
