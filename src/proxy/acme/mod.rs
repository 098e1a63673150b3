//! Certificates from an authority (ACME, RFC 8555).
//!
//! - [`Issuer`]: sees to it that the names that are to have a certificate have one.
//! - [`schedule`] and [`budget`]: when to look, to order, and not to. Pure; all the judgement is there.
//! - `proof`: whether a name leads to this very proxy; `peer`: handshakes that look before they believe.
//! - `demand`: names that nobody gave; `question` asks whether they may have one, [`ration`] how often. Pure.
//! - `authority`: one order of one certificate, by the protocol. `transport` carries it, `account` is who asks, `fault`
//!   what can go wrong, `renewal` asks when it would like renewals, and `desk` holds together what belongs to one authority.

mod account;
mod authority;
pub mod budget;
mod demand;
mod desk;
mod fault;
mod issuer;
mod peer;
mod proof;
mod question;
pub mod ration;
mod renewal;
pub mod schedule;
mod transport;

pub(crate) use demand::Demand;
pub use desk::LETS_ENCRYPT;
pub use issuer::{Issuer, IssuerOptions};
pub use peer::handshake;
pub use proof::{Names, SystemNames};
pub use question::Question;

/// Told how a certificate comes along, in words.
pub type Tell<'a> = dyn Fn(String) + Send + Sync + 'a;
