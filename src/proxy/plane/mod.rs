//! The data plane: takes requests in, finds their app, passes them to its serving release, and knows exactly what each
//! release still has under way.
//!
//! The life of a request, file by file: `serve` accepts the connection on one of the `worker` threads, `connection`
//! finds out what it speaks and watches over it (`pulse`, `socket`, `streams`), `exchange` looks its app up in the `table` and claims the serving `upstream` (`claim`), `headers` makes the head fit for
//! the app, `forward` sends it over a connection of the `pool` (or `multiplex`
//! over a `trunk` that many share, less its `empty_frames`, with a `spare` in case that it is turned away) and `body` streams the answer back. Connections that
//! change protocol go through `tunnel`. What happened is counted by
//! `metrics` (with `answers`, `paths`, `minutes`, `visitors`) and told by the `access_log`, a line each.
//!
//! `secure` is where HTTP and HTTPS part.
//! What waits is counted in `held`; for whom it waits where an app is gone, `outage` knows.
//! Beside it: `drain` and `probe`, which deploys wait for.

mod access_log;
mod answers;
mod app;
mod attempt;
mod body;
mod canary;
mod cause;
mod claim;
mod client;
mod clock;
mod closed;
mod compress;
mod connection;
mod crowd;
mod departure;
mod drain;
mod empty_frames;
mod encoder;
mod exchange;
mod exposition;
mod forward;
mod forwarded;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod gather;
mod go_ahead;
mod guard;
mod handle;
mod headers;
mod held;
mod histogram;
mod lanes;
mod linger;
mod metrics;
mod minutes;
mod multiplex;
mod options;
mod outage;
mod pace;
mod packed;
mod pages;
mod password;
mod paths;
mod pool;
mod probe;
mod proxy_protocol;
mod pulse;
mod rate;
mod record;
mod request_id;
mod rewrite;
mod secure;
mod serve;
mod socket;
mod soundness;
mod spare;
mod streams;
mod table;
mod trunk;
mod tunnel;
mod upstream;
mod visitors;
mod websocket;
mod worker;

pub use access_log::{AccessLog, Sink};
pub use handle::Plane;
pub use options::{Limits, PlaneOptions, Timeouts};
pub use serve::Serving;
