//! The time of day and randomness of this machine: what [`app`](once_app)'s ports stand for outside of tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{NonZeroScalar, PublicKey};

use once_app::ledger::Generated;
use once_app::{Clock, Entropy, Secret};

/// The system's clock.
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The kernel's random numbers.
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn id(&self) -> String {
        hex(&random::<8>())
    }

    fn secrets(&self) -> Generated {
        let (vapid_public_key, vapid_private_key) = vapid();
        Generated { secret_key_base: Secret::new(hex(&random::<32>())), vapid_public_key, vapid_private_key }
    }
}

/// Random bytes. Without them no identity and no secret could be made, so the process must not go on.
#[allow(clippy::panic)]
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the kernel gives no random numbers: {error}");
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A P-256 key pair for Web Push: the uncompressed public point and the private scalar, both unpadded base64url.
fn vapid() -> (String, Secret) {
    loop {
        // Fewer than one in 2^32 draws is zero or above the group's order.
        let bytes = random::<32>();
        let Some(scalar) = Option::<NonZeroScalar>::from(NonZeroScalar::from_repr(bytes.into())) else { continue };
        let point = PublicKey::from_secret_scalar(&scalar).to_sec1_point(false);
        return (URL_SAFE_NO_PAD.encode(point.as_bytes()), Secret::new(URL_SAFE_NO_PAD.encode(bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_16_hex_digits_and_differ() {
        let (a, b) = (SystemEntropy.id(), SystemEntropy.id());
        assert_ne!(a, b);
        assert!(a.len() == 16 && a.bytes().all(|c| c.is_ascii_hexdigit()), "{a}");
    }

    #[test]
    fn vapid_keys_belong_together() {
        let (public, private) = vapid();
        let public = URL_SAFE_NO_PAD.decode(public).unwrap();
        let private = URL_SAFE_NO_PAD.decode(private.expose()).unwrap();
        assert_eq!((public.len(), public[0], private.len()), (65, 4, 32));
        let again = p256::SecretKey::from_slice(&private).unwrap().public_key();
        assert_eq!(again.to_sec1_point(false).as_bytes(), public);
    }

    #[test]
    fn the_key_base_has_64_hex_digits() {
        let secrets = SystemEntropy.secrets();
        assert_eq!(secrets.secret_key_base.expose().len(), 64);
        assert_ne!(secrets.secret_key_base, SystemEntropy.secrets().secret_key_base);
    }
}
