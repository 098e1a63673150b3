//! The engine port on bollard: the only place that names it.
//!
//! Belongs here: how the engine is found and reached ([`address`], [`connect`], [`ssh`]), what its failures mean
//! ([`error`], [`registry_error`]), and the translation of each call and stream into the port's own types. Does not
//! belong here: what an app is, when something is done, what people are told.

mod address;
mod call;
mod cgroup;
mod connect;
mod containers;
mod credentials;
mod disk;
mod engine;
mod environment;
mod error;
mod events;
mod exec;
mod exec_stdio;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod host;
mod image_archive;
mod images;
mod inspect;
pub mod labels;
mod logs;
mod machine;
mod networks;
mod origin;
mod own_image;
mod progress;
mod pull;
mod registry_error;
mod spec;
mod ssh;
mod stats;
mod volumes;

pub use connect::Docker;
pub use environment::Environment;
pub use exec_stdio::ExecStdio;
