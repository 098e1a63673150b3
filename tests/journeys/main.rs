//! Whole journeys: the real command, a real engine, a real load.

mod concurrency;
mod deploys;
mod failures;
mod guards;
mod hardening;
mod host;
mod locks;
mod namespace;
mod registry;
mod relay;
mod release_command;
mod remote;
mod scale;
mod secrets;
mod state;
