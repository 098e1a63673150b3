//! The host's memory and its control channel: one contract for the service in process and for a client on a socket,
//! and what happens when files, connections and processes break.

mod broken_files;
mod contract;
mod kill;
mod support;
mod wire;
