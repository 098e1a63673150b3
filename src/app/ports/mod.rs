//! What comes in from outside: the engine, the proxy, the clock, hooks of the server.

pub(crate) mod clock;
pub mod engine;
pub(crate) mod explain;
pub(crate) mod hook;
pub mod proxy;
