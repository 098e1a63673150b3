//! The data plane and the demo app, in one process, over loopback sockets.

mod drains;
mod heads;
mod holds;
mod limits;
mod lives;
mod logs;
mod probes;
mod raw;
mod routes;
mod streams;
mod supervisors;
mod support;
mod swaps;
mod upgrades;
