//! TLS: the certificates of this host, on disk and in memory, and the handshake with clients.
//!
//! - [`Certificates`]: which name has which certificate; what `acme` and `--tls custom` install, the answers to an
//!   authority's challenges, and the last error of each name.
//! - `demand`: what a handshake asks for names without one; `acme` answers it.
//! - `files`: the certificates on disk, apart from the apps', whose end they survive.
//! - `handshake`: who gets which certificate, and who gets none.
//! - `pair`: from PEM to something that can be served, or what is wrong with it.

mod certificates;
mod challenges;
mod demand;
mod files;
mod handshake;
mod pair;

pub use certificates::{Certificate, Certificates, InstallError};
pub use challenges::HTTP_CHALLENGES;
pub(crate) use demand::{Flight, OnDemand};
pub(crate) use handshake::{Shaken, TlsServer};
