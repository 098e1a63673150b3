//! Changes of one app, made under its lock. [`run`] is the one way in: command, console and detached process all end
//! up here, so there is no second way to change an app.

mod announce;
pub(crate) mod certificates;
mod context;
mod hooks;
mod next_release;
pub(crate) mod operations;
mod perform;
mod planning;
mod preflight;
pub(crate) mod recover;
mod report;
mod run;
mod stop;
pub(crate) mod swap;

pub use operations::adopt::{Adoption, find_container, plan_adoptions};
pub use run::run;
pub use stop::Stop;
