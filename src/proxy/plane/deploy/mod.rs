//! What a deploy asks of the data plane.

pub(crate) mod drain;
pub(crate) mod probe;
