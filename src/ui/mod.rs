//! What people see: the command ([`cli`]) and the console ([`tui`]), and what both share.

pub mod cli;
pub mod sanitize;
pub mod tui;
