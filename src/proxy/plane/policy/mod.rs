//! Who may ask, how often and how fast.

pub(crate) mod basic_auth;
pub(crate) mod client_network;
pub(crate) mod guard;
pub(crate) mod min_rate;
pub(crate) mod rate_limit;
