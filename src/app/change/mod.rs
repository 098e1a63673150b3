//! Changes of one app, made under its lock. [`run`] is the one way in: command, console and detached process all end
//! up here, so there is no second way to change an app.

mod adopt;
mod announce;
mod canary;
mod candidate;
mod certificate;
mod certify;
mod close;
mod context;
mod data;
mod give_back;
mod handover;
mod healthy;
mod hooks;
mod log_hints;
mod mend;
mod operate;
mod overlap;
mod owner;
mod perform;
mod planning;
mod preflight;
mod rename;
mod retire;
mod rollback;
mod run;
mod served;
mod takeover;
mod task;
mod traffic;
mod unused;
mod watch;

pub use adopt::{Adoption, find_container, plan_adoptions};
pub use run::{Stop, run};
