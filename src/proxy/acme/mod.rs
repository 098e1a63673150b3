//! Certificates from an authority (ACME, RFC 8555).
//!
//! - [`schedule`] and [`budget`]: when to look, to order, and not to. Pure; all the judgement is there.
//! - `proof`: whether a name leads to this very proxy.
//! - `authority`: one order of one certificate, by the protocol. `transport` carries it, `account` is who asks.

pub mod budget;
pub mod schedule;
