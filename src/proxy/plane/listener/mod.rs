//! Connections: accepted, counted, read and closed.

pub(crate) mod accept;
pub(crate) mod activity;
pub(crate) mod client_socket;
pub(crate) mod connection;
pub(crate) mod connection_limit;
pub(crate) mod h2_streams;
pub(crate) mod proxy_protocol;
pub(crate) mod shutdown;
pub(crate) mod worker;
