//! Everything that can be done with an app beside a deploy.

pub(crate) mod adopt;
pub(crate) mod canary;
pub(crate) mod maintenance;
pub(crate) mod release_ownership;
pub(crate) mod rename;
pub(crate) mod rollback;
pub(crate) mod start_stop;
pub(crate) mod take_over;
pub(crate) mod unused_volumes;
