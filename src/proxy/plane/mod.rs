//! The data plane: takes requests in, finds their app, passes them to its serving release, and knows exactly what each
//! release still has under way.
//!
//! The life of a request, file by file: `serve` accepts the connection on one of the `worker` threads, `exchange`
//! looks its app up in the `table` and claims the serving `upstream` (`claim`), `headers` makes the head fit for
//! the app, `forward` sends it over a connection of the `pool` and `body` streams the answer back. Connections that
//! change protocol go through `tunnel`. What happened ends up in `metrics` and the `access_log`.
//!
//! `secure` is where HTTP and HTTPS part.
//! Beside it: `drain` and `probe`, which deploys wait for.

mod access_log;
mod app;
mod body;
mod claim;
mod clock;
mod closed;
mod departure;
mod drain;
mod exchange;
mod forward;
mod forwarded;
mod handle;
mod headers;
mod histogram;
mod metrics;
mod options;
mod pages;
mod pool;
mod probe;
mod proxy_protocol;
mod record;
mod request_id;
mod rewrite;
mod secure;
mod serve;
mod table;
mod tunnel;
mod upstream;
mod websocket;
mod worker;

pub use access_log::{AccessLog, Sink};
pub use handle::Plane;
pub use options::{PlaneOptions, Timeouts};
pub use serve::Serving;
