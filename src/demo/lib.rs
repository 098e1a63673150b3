//! A small web app and a load generator, for `bin/demo`, tests and benchmarks.

mod answers;
pub mod app;
mod client;
mod grpc;
pub mod load;
mod socket;

pub use app::{DemoConfig, DemoMode};
pub use load::{LoadOptions, LoadReport, Mix};
