//! The data plane: takes requests in, finds their app, passes them to its serving release, and knows exactly what each
//! release still has under way.
//!
//! The life of a request, folder by folder: `listener` accepts the connection on one of its worker threads, finds out what
//! it speaks and watches over it. `request` reads and checks the head, asks `policy` whether it may go on, and claims a
//! place at the serving release in `routing`. `upstream` sends it over a connection to the app, one of its own or an HTTP/2
//! connection that many share; `body` streams both directions. A connection that changes its protocol goes through
//! `upgrade`. `telemetry` counts what happened and writes a line of the access log; `answers` are the proxy's own pages.
//! Beside it `deploy` has what deploys wait for: draining, and probes of a new release.

pub(crate) mod answers;
mod body;
mod clock;
pub(crate) mod deploy;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod handle;
pub(crate) mod listener;
mod options;
pub(crate) mod policy;
pub(crate) mod request;
pub(crate) mod routing;
pub(crate) mod telemetry;
pub(crate) mod upgrade;
mod upstream;

pub use handle::Plane;
pub use listener::accept::Serving;
pub use options::{Limits, PlaneOptions, Timeouts};
pub use telemetry::access_log::{AccessLog, Sink};
