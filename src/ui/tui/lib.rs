//! The console: what `once` shows on a terminal. [`run`] is the door.
//!
//! One owner of all state ([`model`]), one type for all that happens ([`msg`]), one pure function that changes the
//! state and says what to do ([`update`]), tasks that do it ([`tasks`]), screens that draw from `&Model`
//! ([`screen`]). Keys come from one table ([`keymap`]); colours are roles ([`theme`]) that [`palette`] brings down to
//! what the terminal can show. A thread reads the terminal ([`input`]). Nothing here knows Docker or the proxy but through the ports of [`once_app`].

mod canvas;
mod console;
mod event_loop;
mod format;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod glyph;
mod input;
#[cfg(test)]
mod journeys;
mod keymap;
mod layout;
mod model;
mod msg;
mod paint;
mod palette;
#[cfg(test)]
mod picture;
mod report;
mod same_as;
#[cfg(test)]
mod sample;
mod screen;
mod session;
#[cfg(test)]
mod snapshots;
mod tasks;
mod theme;
mod update;
mod widget;

pub use console::{Console, ConsoleOptions, Door};
pub use event_loop::run;
pub use once_job::changes::{Runner, Running};
pub use palette::Depth;
