//! One request, from its head to its answer's end.

pub(crate) mod exchange;
pub(crate) mod expect_continue;
pub(crate) mod forwarded;
pub(crate) mod headers;
pub(crate) mod request_id;
pub(crate) mod rewrite;
pub(crate) mod tls_redirect;
pub(crate) mod validate;
