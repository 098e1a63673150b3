//! What RFC 9110, 9112 and 9113 ask of a gateway, each case named after the section it proves. Bytes are written by hand
//! on both sides: a library on either would hide what is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy.toml allows these in tests, but does not know that functions tests call are tests"
)]

mod answers;
mod bed;
mod floods;
mod frames;
mod http1;
mod http2;
mod requests;
mod semantics;
