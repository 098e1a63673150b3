//! What people see: the command ([`cli`]) and the console ([`tui`]), and what both share: words for numbers and times,
//! untrusted text made safe, and the detached process that makes changes.

pub mod cli;
pub mod detached;
mod examination;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod hooks;
mod plan_words;
pub mod runner;
pub mod sanitize;
pub mod tui;
pub mod words;
