//! Runs a change in a detached process of this same binary ([`runner`]) and follows it ([`detached`]); the machine's own
//! hooks ([`hooks`]), and its examination with names looked up ([`examination`]).

pub mod changes;
pub mod detached;
pub mod examination;
pub mod hooks;
pub mod runner;
