//! Connections that are HTTP no more.

pub(crate) mod tunnel;
pub(crate) mod websocket;
