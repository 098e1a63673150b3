//! What is sent, and how: all of it follows from a seed.

use std::time::Duration;

/// Bytes of a message.
pub const SMALLEST: usize = 1024;
pub const LARGEST: usize = 16 << 20;

/// A slow reader's bytes a second, for messages of at most 1 MiB; larger ones take as long as one of 1 MiB.
const SLOW: usize = 256 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A WebSocket's message, which is said back.
    Socket,
    /// An event, behind which the stream stays open.
    Event,
    Upload,
    Download,
}

#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub kind: Kind,
    pub tls: bool,
    pub http2: bool,
    pub slow: bool,
    /// The app speaks HTTP/2, too.
    pub h2c: bool,
    pub size: usize,
    pub seed: u64,
}

impl Case {
    pub fn combination(&self) -> String {
        let Self { kind, tls, http2, slow, .. } = self;
        let word = |is: &bool, yes: &'static str, no: &'static str| if *is { yes } else { no };
        let (tls, http) = (word(tls, "TLS", "plain"), word(http2, "HTTP/2", "HTTP/1.1"));
        format!("{kind:?} {tls} {http} {}", word(slow, "slow", "fast"))
    }

    /// A slow reader's bytes a second.
    pub fn rate(&self) -> Option<usize> {
        self.slow.then(|| SLOW.max(self.size / 4))
    }

    /// The app's name.
    pub fn host(&self) -> &'static str {
        if self.h2c { "app1.test" } else { "app0.test" }
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to less than 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Combinations of all but the size: 32 of them.
fn combination(i: usize) -> (Kind, bool, bool, bool) {
    let kind = [Kind::Socket, Kind::Event, Kind::Upload, Kind::Download][i % 4];
    (kind, i / 4 % 2 == 1, i / 8 % 2 == 1, i / 16 % 2 == 1)
}

fn case(i: usize, size: usize, seed: u64) -> Case {
    let (kind, tls, http2, slow) = combination(i);
    // An upgrade is asked for in HTTP/1.1.
    let h2c = kind != Kind::Socket && seed % 2 == 1;
    Case { kind, tls, http2, slow, h2c, size, seed }
}

/// Each combination with each size, the slow ones first, as they take longest.
pub fn each(sizes: &[usize], seed: u64) -> Vec<Case> {
    let mut random = Random(seed);
    let sizes = sizes.iter().rev();
    sizes.flat_map(|size| (0..32).rev().map(|i| case(i, *size, random.next())).collect::<Vec<_>>()).collect()
}

/// So many messages over all combinations, with sizes spread evenly over their logarithms.
pub fn many(count: usize, seed: u64) -> Vec<Case> {
    let mut random = Random(seed);
    let size = |random: &mut Random| {
        let (low, high) = ((SMALLEST as f64).ln(), (LARGEST as f64).ln());
        (low + (high - low) * random.fraction()).exp() as usize
    };
    (0..count).map(|i| case(i, size(&mut random).clamp(SMALLEST, LARGEST), random.next())).collect()
}

/// How many bytes there are before the text comes again: a prime, so that no piece of a usual size hides a shift.
const PERIOD: usize = 1_000_003;

/// A message's bytes, letters only: they are a part of one endless text, from a place that the seed says.
pub fn text(size: usize, seed: u64) -> Vec<u8> {
    let period = period();
    let from = usize::try_from(seed % PERIOD as u64).unwrap();
    let mut text = Vec::with_capacity(size);
    text.extend_from_slice(&period[from..PERIOD.min(from + size)]);
    while text.len() < size {
        text.extend_from_slice(&period[..PERIOD.min(size - text.len())]);
    }
    text
}

fn period() -> &'static [u8] {
    static TEXT: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    TEXT.get_or_init(|| {
        let mut random = Random(0);
        std::iter::repeat_with(|| b'a' + u8::try_from(random.next() % 26).unwrap()).take(PERIOD).collect()
    })
}

/// Nothing, or where they begin to differ.
pub fn differ(seen: &[u8], expected: &[u8]) -> Result<(), String> {
    if seen == expected {
        return Ok(());
    }
    let at = seen.iter().zip(expected).position(|(a, b)| a != b);
    Err(format!("{} bytes instead of {}, the first difference at {at:?}", seen.len(), expected.len()))
}

/// How long so many bytes take a reader.
pub fn takes(bytes: usize, rate: usize) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / rate.max(1) as u64)
}
