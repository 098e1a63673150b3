//! The proxy: data plane, the host's memory, and the control channel between it and everybody else.

pub mod plane;
pub mod supervisor;
