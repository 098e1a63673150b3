//! `X-Request-ID`: kept if it is sane, else a random UUID. Unique, not secret.

use std::cell::Cell;

use bytes::Bytes;
use http::{HeaderValue, Request};

use super::headers;

thread_local! {
    static STATE: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

pub(in crate::plane) fn is_sane(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    let fine = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/+=@~".contains(b);
    (1..=128).contains(&bytes.len()) && bytes.iter().all(fine)
}

/// What the app is told, and the access log; empty where there is none yet.
pub(in crate::plane) fn of<B>(request: &Request<B>) -> &str {
    request.headers().get(&headers::X_REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

pub(in crate::plane) fn new() -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut random = random();
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (i, byte) in random.iter().enumerate() {
        at += usize::from(matches!(i, 4 | 6 | 8 | 10));
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text)).unwrap_or(HeaderValue::from_static("-"))
}

/// Unique, not secret.
pub(in crate::plane) fn random() -> [u8; 16] {
    let mut random = [0; 16];
    random[..8].copy_from_slice(&number().to_be_bytes());
    random[8..].copy_from_slice(&number().to_be_bytes());
    random
}

/// 64 random bits; unpredictable to nobody who tries hard.
pub(in crate::plane) fn number() -> u64 {
    // The lowest bits of this generator are its weakest.
    next().rotate_right(32)
}

/// xoroshiro128+, seeded by the system once a thread.
fn next() -> u64 {
    STATE.with(|state| {
        let [a, mut b] = match state.get() {
            [0, 0] => seed(),
            seeded => seeded,
        };
        let result = a.wrapping_add(b);
        b ^= a;
        state.set([a.rotate_left(24) ^ b ^ b << 16, b.rotate_left(37)]);
        result
    })
}

fn seed() -> [u64; 2] {
    use std::hash::BuildHasher;
    let fallback = || std::collections::hash_map::RandomState::new().hash_one(std::thread::current().id());
    let draw = || getrandom::u64().unwrap_or_else(|_| fallback());
    [draw() | 1, draw()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_version_4_uuids() {
        let ids: Vec<String> = (0..1000).map(|_| new().to_str().unwrap().to_owned()).collect();
        for id in &ids {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(id.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&id.as_bytes()[19]));
        }
        let distinct: std::collections::HashSet<&String> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn keeps_only_sane_ones() {
        for (id, sane) in [("abc-1.2:3", true), ("", false), ("a b", false), ("a\"b", false), (&"a".repeat(129), false)]
        {
            assert_eq!(is_sane(&HeaderValue::from_str(id).unwrap()), sane, "{id}");
        }
    }
}
