//! Just enough of RFC 6455 to end a WebSocket between two frames.

/// Close frame with code 1001, "going away", as a server sends it: unmasked.
pub(in crate::plane) fn going_away() -> Vec<u8> {
    vec![0x88, 0x02, 0x03, 0xe9]
}

/// The same as a client sends it: masked (RFC 6455, 5.3), with a key of the sender's choice.
pub(in crate::plane) fn going_away_masked(key: [u8; 4]) -> Vec<u8> {
    let [a, b, c, d] = key;
    vec![0x88, 0x82, a, b, c, d, 0x03 ^ a, 0xe9 ^ b]
}

/// A Close frame's opcode.
const CLOSE: u8 = 0x8;

/// Follows a stream of frames without looking into them.
#[derive(Debug, Default)]
pub(in crate::plane) struct FrameTracker {
    state: State,
    closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes of the head so far; up to 14.
    Head {
        bytes: [u8; 14],
        len: u8,
    },
    Payload {
        left: u64,
    },
}

impl Default for State {
    fn default() -> Self {
        Self::Head { bytes: [0; 14], len: 0 }
    }
}

impl FrameTracker {
    /// Whether a frame of somebody else's could begin here.
    pub(in crate::plane) fn at_boundary(&self) -> bool {
        matches!(self.state, State::Head { len: 0, .. })
    }

    /// Whether a Close frame has begun: nothing may follow it.
    pub(in crate::plane) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Goes on over all of `data`.
    pub(in crate::plane) fn advance(&mut self, data: &[u8]) {
        let mut rest = data;
        while !rest.is_empty() {
            rest = &rest[self.step(rest)..];
        }
    }

    /// Goes on to the next boundary; how many bytes that took. All of them, if there is none.
    pub(in crate::plane) fn advance_to_boundary(&mut self, data: &[u8]) -> usize {
        let mut done = 0;
        while done < data.len() && !self.at_boundary() {
            done += self.step(&data[done..]);
        }
        done
    }

    /// At least one byte, if there is one.
    fn step(&mut self, data: &[u8]) -> usize {
        match &mut self.state {
            State::Payload { left } => {
                let take = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= take as u64;
                if *left == 0 {
                    self.state = State::default();
                }
                take
            }
            State::Head { bytes, len } => {
                let Some(first) = data.first() else { return 0 };
                bytes[usize::from(*len)] = *first;
                *len += 1;
                if usize::from(*len) == head_length(bytes, *len) {
                    self.closed |= bytes[0] & 0x0f == CLOSE;
                    self.state = match payload_length(bytes) {
                        0 => State::default(),
                        left => State::Payload { left },
                    };
                }
                1
            }
        }
    }
}

fn head_length(bytes: &[u8; 14], known: u8) -> usize {
    if known < 2 {
        return 2;
    }
    let extended = match bytes[1] & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    2 + extended + if bytes[1] & 0x80 == 0 { 0 } else { 4 }
}

fn payload_length(bytes: &[u8; 14]) -> u64 {
    match bytes[1] & 0x7f {
        126 => u64::from(u16::from_be_bytes([bytes[2], bytes[3]])),
        127 => bytes[2..10].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        short => u64::from(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(payload: usize, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut bytes = vec![0x82];
        match payload {
            0..126 => bytes.push(mask | u8::try_from(payload).unwrap()),
            126..65536 => {
                bytes.push(mask | 126);
                bytes.extend_from_slice(&u16::try_from(payload).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend_from_slice(&(payload as u64).to_be_bytes());
            }
        }
        bytes.extend(std::iter::repeat_n(0x88, payload + if masked { 4 } else { 0 }));
        bytes
    }

    #[test]
    fn knows_the_boundaries_however_the_bytes_come() {
        for payload in [0, 1, 125, 126, 127, 65535, 65536, 70000] {
            for masked in [false, true] {
                let one = frame(payload, masked);
                for piece in [1, 2, 3, 7, 1000, one.len()] {
                    let mut tracker = FrameTracker::default();
                    let mut seen = 0;
                    for chunk in one.chunks(piece) {
                        assert_eq!(tracker.at_boundary(), seen == 0, "{payload} {masked} {piece} at {seen}");
                        tracker.advance(chunk);
                        seen += chunk.len();
                    }
                    assert!(tracker.at_boundary(), "{payload} {masked} {piece}");
                }
            }
        }
    }

    #[test]
    fn close_frames_are_noticed_and_unmask_to_1001() {
        let mut tracker = FrameTracker::default();
        tracker.advance(&frame(10, true));
        assert!(!tracker.is_closed());
        let masked = going_away_masked([1, 2, 3, 4]);
        tracker.advance(&masked);
        assert!(tracker.is_closed() && tracker.at_boundary());
        assert_eq!([masked[6] ^ masked[2], masked[7] ^ masked[3]], 1001_u16.to_be_bytes());
        let mut tracker = FrameTracker::default();
        tracker.advance(&going_away());
        assert!(tracker.is_closed() && tracker.at_boundary());
    }

    #[test]
    fn stops_at_the_first_boundary() {
        let mut tracker = FrameTracker::default();
        let mut bytes = frame(10, false);
        let first = bytes.len();
        bytes.extend(frame(200, false));
        tracker.advance(&bytes[..5]);
        assert_eq!(tracker.advance_to_boundary(&bytes[5..]), first - 5);
        assert!(tracker.at_boundary());
        assert_eq!(tracker.advance_to_boundary(&bytes[first..]), 0);
    }
}
