//! The command as a whole, without an engine: what can be typed, what is said about mistakes, and what scripts get.

mod bad_input;
mod detached;
mod engine;
mod help;
mod support;
