//! The proxy: data plane, the host's memory, and the control channel between it and everybody else.
//!
//! - [`supervisor`]: owns the listening sockets, and starts the worker again when it dies.
//! - [`worker`]: the process all of this runs in; [`parent`] is its line to the supervisor, [`binaries`] the newer
//!   programs it may be relieved by.
//! - [`plane`]: routes, requests, draining, traffic.
//! - [`scrape`]: the traffic, for Prometheus.
//! - [`store`]: the ledger on disk.
//! - [`tls`]: certificates and handshakes.
//! - [`service`]: memory, locks and data plane as one [`Proxy`](once_app::proxy::Proxy), in process.
//! - [`control`]: that, on a Unix socket.
//! - [`client`]: the other end of it; [`ctl`] is the bridge to it for whoever has only standard input and output.

pub mod acme;
pub mod binaries;
pub mod client;
pub mod control;
pub mod ctl;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod parent;
pub mod plane;
pub mod scrape;
pub mod service;
pub mod store;
pub mod supervisor;
pub mod tls;
pub mod worker;
