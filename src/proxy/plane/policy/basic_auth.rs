//! Basic authentication (RFC 7617).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// Digests of `user:password`. They take the same time to compare whatever was guessed, and how long a password is
/// does not show.
pub(in crate::plane) struct Passwords(Vec<[u8; 32]>);

impl Passwords {
    /// `None`: there are none, so nobody is asked.
    pub(in crate::plane) fn new<'a>(users: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let digests: Vec<_> = users.map(|(user, password)| digest(format!("{user}:{password}").as_bytes())).collect();
        (!digests.is_empty()).then_some(Self(digests))
    }

    /// Whether an `Authorization` header has one of them.
    pub(in crate::plane) fn is_right(&self, header: &[u8]) -> bool {
        let given = decode(header).unwrap_or_default();
        let given = digest(&given);
        // All are looked at, each to its end.
        self.0.iter().fold(false, |right, known| right | same(known, &given))
    }
}

fn decode(header: &[u8]) -> Option<Vec<u8>> {
    let (scheme, rest) = header.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    BASE64_STANDARD.decode(rest.trim_ascii()).ok()
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let differing = a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn right_and_wrong_ones() {
        let known = Passwords::new([("ann", "hunter2"), ("bob", "a:b ü")].into_iter()).unwrap();
        assert!(known.is_right(&basic("ann:hunter2")));
        assert!(known.is_right(&basic("bob:a:b ü")), "a password may have a colon");
        assert!(known.is_right(b"bAsIc  YW5uOmh1bnRlcjI="));
        for wrong in ["ann:hunter", "ann:hunter22", "Ann:hunter2", "bob:hunter2", "ann", ":", "", "annhunter2"] {
            assert!(!known.is_right(&basic(wrong)), "{wrong}");
        }
        for odd in [
            b"".as_slice(),
            b"Basic",
            b"Basic ",
            b"Basic ***",
            b"Bearer YW5uOmh1bnRlcjI=",
            b"\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert!(!known.is_right(odd), "{odd:?}");
        }
        assert!(Passwords::new(std::iter::empty()).is_none());
    }
}
