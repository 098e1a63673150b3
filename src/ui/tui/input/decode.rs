//! Bytes of a terminal into keys, pastes and the mouse. Pure: it reads nothing and waits for nothing, but it says how
//! long the rest of a sequence that has begun may be waited for.
//!
//! crossterm has a decoder, but only behind a reader that asks an edge-triggered poll for more input while what it
//! left unread still waits, so that no key is ever read again after a few thousand bytes in one go.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

const ESC: u8 = 0x1b;

/// Where a paste ends.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Bytes of one paste that are kept; what comes behind them is read and dropped.
const PASTE_MAX: usize = 1 << 20;

/// Bytes of a sequence behind its first two; a longer one is no key.
const SEQUENCE_MAX: usize = 64;

/// How long the rest of a sequence that nobody can have typed is waited for, and the rest of a character.
const BROKEN: Duration = Duration::from_secs(1);

/// How long a paste may be silent before it counts as ended.
const PASTE_SILENCE: Duration = Duration::from_secs(2);

/// Takes bytes as they come, in whatever pieces.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// How long after an Esc its sequence is waited for.
    escape_wait: Duration,
    /// A sequence or character that is not complete.
    pending: Vec<u8>,
    /// What was pasted so far, with the last bytes that may turn out to be its end.
    paste: Option<Vec<u8>>,
}

/// What the first bytes of the pending ones are.
enum Step {
    /// Nothing that can be told yet.
    Incomplete,
    /// So many bytes, and what they mean.
    Taken(usize, Option<Event>),
    /// The beginning of a paste.
    Paste(usize),
}

impl Decoder {
    pub(crate) fn new(escape_wait: Duration) -> Self {
        Self { escape_wait, pending: Vec::new(), paste: None }
    }

    /// Takes bytes; events that they complete are put behind those in `events`.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.paste.is_some() {
                rest = self.pasted(rest, events);
                continue;
            }
            self.pending.extend_from_slice(rest);
            rest = &[];
            let mut pending = std::mem::take(&mut self.pending);
            let mut at = 0;
            while at < pending.len() {
                match step(&pending[at..]) {
                    Step::Incomplete => break,
                    Step::Taken(n, event) => {
                        at += n;
                        events.extend(event);
                    }
                    Step::Paste(n) => {
                        at += n;
                        self.paste = Some(Vec::new());
                        break;
                    }
                }
            }
            pending.drain(..at);
            if self.paste.is_some() {
                // What came behind the mark is the paste's. A mark is found in what was pending at most once a call.
                self.feed(&pending, events);
            } else {
                self.pending = pending;
            }
        }
    }

    /// How long more input may be waited for before [`Decoder::give_up`]; `None`: nothing is incomplete.
    pub(crate) fn wait(&self) -> Option<Duration> {
        match self.pending.as_slice() {
            _ if self.paste.is_some() => Some(PASTE_SILENCE),
            [] => None,
            [ESC] | [ESC, _] => Some(self.escape_wait),
            _ => Some(self.escape_wait.max(BROKEN)),
        }
    }

    /// Nothing more came in time: what was begun is what it is so far.
    pub(crate) fn give_up(&mut self, events: &mut Vec<Event>) {
        if let Some(paste) = self.paste.take() {
            events.push(pasted(&paste));
        }
        match std::mem::take(&mut self.pending).as_slice() {
            [ESC] => events.push(key(KeyCode::Esc)),
            [ESC, byte] => {
                events.push(key(KeyCode::Esc));
                events.push(char_key(char::from(*byte)));
            }
            // A part of a sequence or of a character: no key.
            _ => {}
        }
    }

    /// Takes what belongs to the paste; what is left.
    fn pasted<'a>(&mut self, bytes: &'a [u8], events: &mut Vec<Event>) -> &'a [u8] {
        let Some(paste) = self.paste.as_mut() else { return bytes };
        // The mark may have begun in the bytes before.
        let from = paste.len().saturating_sub(PASTE_END.len() - 1);
        paste.extend_from_slice(bytes);
        if let Some(at) = find(&paste[from..], PASTE_END).map(|at| from + at) {
            let left = paste.len() - at - PASTE_END.len();
            paste.truncate(at.min(PASTE_MAX));
            events.push(pasted(paste));
            self.paste = None;
            return &bytes[bytes.len() - left..];
        }
        if paste.len() > PASTE_MAX + PASTE_END.len() {
            // Its last bytes stay, for they may be the first ones of the mark.
            let tail = paste.split_off(paste.len() - (PASTE_END.len() - 1));
            paste.truncate(PASTE_MAX);
            paste.extend(tail);
        }
        &[]
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

fn pasted(bytes: &[u8]) -> Event {
    Event::Paste(String::from_utf8_lossy(bytes).into_owned())
}

fn step(bytes: &[u8]) -> Step {
    match bytes {
        [ESC] | [ESC, b'[' | b'O'] => Step::Incomplete,
        [ESC, b'[', ..] => sequence(bytes),
        [ESC, b'O', last, ..] => match application_key(*last) {
            Some(code) => Step::Taken(3, Some(key(code))),
            None => Step::Taken(1, Some(key(KeyCode::Esc))),
        },
        // Esc and a key that came as one, because the line is slow or the hand is quick: they are two keys.
        [ESC, ..] => Step::Taken(1, Some(key(KeyCode::Esc))),
        [byte, ..] if *byte < 0x80 => Step::Taken(1, Some(plain(*byte))),
        _ => character(bytes),
    }
}

fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn char_key(c: char) -> Event {
    let modifiers = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
    Event::Key(KeyEvent::new(KeyCode::Char(c), modifiers))
}

/// A byte of ASCII.
fn plain(byte: u8) -> Event {
    let ctrl = |c: u8| Event::Key(KeyEvent::new(KeyCode::Char(char::from(c)), KeyModifiers::CONTROL));
    match byte {
        b'\r' => key(KeyCode::Enter),
        b'\t' => key(KeyCode::Tab),
        0x7f => key(KeyCode::Backspace),
        0 => ctrl(b' '),
        0x01..=0x1a => ctrl(byte - 1 + b'a'),
        0x1b..=0x1f => ctrl(byte - 0x1c + b'4'),
        _ => char_key(char::from(byte)),
    }
}

/// A character of more than one byte; what is none is dropped, a byte at a time.
fn character(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Taken(1, None),
    };
    let have = &bytes[..length.min(bytes.len())];
    match std::str::from_utf8(have) {
        Ok(text) => Step::Taken(length, text.chars().next().map(char_key)),
        Err(error) if error.error_len().is_none() && have.len() < length => Step::Incomplete,
        Err(_) => Step::Taken(1, None),
    }
}

/// The last byte of `ESC O`.
fn application_key(byte: u8) -> Option<KeyCode> {
    Some(match byte {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'M' => KeyCode::Enter,
        b'P'..=b'S' => KeyCode::F(1 + byte - b'P'),
        _ => return None,
    })
}

/// `ESC [`, parameters, and a last byte that says what it is (ECMA-48, 5.4).
fn sequence(bytes: &[u8]) -> Step {
    match bytes {
        // Function keys of the Linux console.
        [_, _, b'['] => return Step::Incomplete,
        [_, _, b'[', last @ b'A'..=b'E', ..] => return Step::Taken(4, Some(key(KeyCode::F(1 + last - b'A')))),
        // The mouse in its oldest form: three bytes follow.
        [_, _, b'M', buttons, column, row, ..] => return Step::Taken(6, old_mouse(*buttons, *column, *row)),
        [_, _, b'M', ..] => return Step::Incomplete,
        _ => {}
    }
    let body = &bytes[2..];
    let Some(end) = body.iter().take(SEQUENCE_MAX).position(|byte| !(0x20..=0x3f).contains(byte)) else {
        let long = body.len() >= SEQUENCE_MAX;
        return if long { Step::Taken(2 + SEQUENCE_MAX, None) } else { Step::Incomplete };
    };
    let last = body[end];
    if !(0x40..=0x7e).contains(&last) {
        // Broken off by a control character or by another sequence, which stays.
        return Step::Taken(2 + end, None);
    }
    let length = 2 + end + 1;
    let Ok(text) = std::str::from_utf8(&body[..end]) else { return Step::Taken(length, None) };
    if (text, last) == ("200", b'~') {
        return Step::Paste(length);
    }
    Step::Taken(length, meaning(text, last))
}

fn meaning(parameters: &str, last: u8) -> Option<Event> {
    if let Some(mouse) = parameters.strip_prefix('<') {
        return mouse_event(mouse, last);
    }
    let mut numbers = parameters.split(';').map(|n| n.split(':').next().unwrap_or("").parse::<u16>().ok());
    let first = numbers.next().flatten();
    let modifiers = modifiers(numbers.next().flatten());
    let code = match last {
        b'Z' => return Some(Event::Key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT))),
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'S' => KeyCode::F(4),
        b'~' => match first? {
            1 | 7 => KeyCode::Home,
            2 => KeyCode::Insert,
            3 => KeyCode::Delete,
            4 | 8 => KeyCode::End,
            5 => KeyCode::PageUp,
            6 => KeyCode::PageDown,
            n @ 11..=15 => KeyCode::F((n - 10) as u8),
            n @ 17..=21 => KeyCode::F((n - 11) as u8),
            n @ 23..=26 => KeyCode::F((n - 12) as u8),
            _ => return None,
        },
        _ => return None,
    };
    Some(Event::Key(KeyEvent::new(code, modifiers)))
}

/// One more than a sum of 1 for Shift, 2 for Alt, 4 for Ctrl.
fn modifiers(number: Option<u16>) -> KeyModifiers {
    let bits = number.unwrap_or(1).saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        modifiers.set(modifier, bits & bit != 0);
    }
    modifiers
}

/// `buttons;column;row`, counted from 1, and `M` or, for a button let go, `m`.
fn mouse_event(parameters: &str, last: u8) -> Option<Event> {
    let mut numbers = parameters.split(';').map(|n| n.parse::<u16>().ok());
    let (buttons, column, row) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let kind = match (mouse_kind(buttons)?, last) {
        (kind, b'M') => kind,
        (MouseEventKind::Down(button), b'm') => MouseEventKind::Up(button),
        _ => return None,
    };
    Some(mouse(kind, buttons, column.saturating_sub(1), row.saturating_sub(1)))
}

/// Each of the three bytes is 32 more than what it says.
fn old_mouse(buttons: u8, column: u8, row: u8) -> Option<Event> {
    let buttons = u16::from(buttons.checked_sub(32)?);
    let at = |byte: u8| u16::from(byte.saturating_sub(33));
    Some(mouse(mouse_kind(buttons)?, buttons, at(column), at(row)))
}

fn mouse(kind: MouseEventKind, buttons: u16, column: u16, row: u16) -> Event {
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)] {
        modifiers.set(modifier, buttons & bit != 0);
    }
    Event::Mouse(MouseEvent { kind, column, row, modifiers })
}

fn mouse_kind(buttons: u16) -> Option<MouseEventKind> {
    let moved = buttons & 32 != 0;
    Some(match (buttons & 3 | (buttons & 0xc0) >> 4, moved) {
        (0, false) => MouseEventKind::Down(MouseButton::Left),
        (1, false) => MouseEventKind::Down(MouseButton::Middle),
        (2, false) => MouseEventKind::Down(MouseButton::Right),
        (3, false) => MouseEventKind::Up(MouseButton::Left),
        (0, true) => MouseEventKind::Drag(MouseButton::Left),
        (1, true) => MouseEventKind::Drag(MouseButton::Middle),
        (2, true) => MouseEventKind::Drag(MouseButton::Right),
        (3, true) => MouseEventKind::Moved,
        (4, false) => MouseEventKind::ScrollUp,
        (5, false) => MouseEventKind::ScrollDown,
        (6, false) => MouseEventKind::ScrollLeft,
        (7, false) => MouseEventKind::ScrollRight,
        _ => return None,
    })
}

/// Where the line cuts what was sent makes no difference, more keys than bytes do not come of it, and what waits for its
/// rest is bounded. The first byte says how long the pieces are.
#[cfg(any(fuzzing, test))]
pub(crate) fn holds(bytes: &[u8]) {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let decode = |cut: usize| {
        let mut decoder = Decoder::new(Duration::ZERO);
        let mut events = Vec::new();
        for piece in bytes.chunks(cut.max(1)) {
            decoder.feed(piece, &mut events);
            assert!(decoder.pending.len() <= SEQUENCE_MAX + 2, "{:?}", decoder.pending);
        }
        decoder.give_up(&mut events);
        assert_eq!(decoder.wait(), None);
        events
    };
    let whole = decode(bytes.len());
    assert!(whole.len() <= bytes.len());
    assert_eq!(decode(usize::from(*cut)), whole);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<Event> {
        let mut decoder = Decoder::new(Duration::from_millis(25));
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut events);
        }
        decoder.give_up(&mut events);
        events
    }

    fn with(code: KeyCode, modifiers: KeyModifiers) -> Event {
        Event::Key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_are_what_terminals_send() {
        for (bytes, event) in [
            (&b"a"[..], char_key('a')),
            (b"A", with(KeyCode::Char('A'), KeyModifiers::SHIFT)),
            ("ü".as_bytes(), char_key('ü')),
            ("語".as_bytes(), char_key('語')),
            (b"\r", key(KeyCode::Enter)),
            (b"\n", with(KeyCode::Char('j'), KeyModifiers::CONTROL)),
            (b"\t", key(KeyCode::Tab)),
            (b"\x7f", key(KeyCode::Backspace)),
            (b"\x03", with(KeyCode::Char('c'), KeyModifiers::CONTROL)),
            (b"\x1c", with(KeyCode::Char('4'), KeyModifiers::CONTROL)),
            (b"\0", with(KeyCode::Char(' '), KeyModifiers::CONTROL)),
            (b"\x1b", key(KeyCode::Esc)),
            (b"\x1b[A", key(KeyCode::Up)),
            (b"\x1bOB", key(KeyCode::Down)),
            (b"\x1b[1;5C", with(KeyCode::Right, KeyModifiers::CONTROL)),
            (b"\x1b[1;2D", with(KeyCode::Left, KeyModifiers::SHIFT)),
            (b"\x1b[Z", with(KeyCode::BackTab, KeyModifiers::SHIFT)),
            (b"\x1b[3~", key(KeyCode::Delete)),
            (b"\x1b[5~", key(KeyCode::PageUp)),
            (b"\x1b[6;3~", with(KeyCode::PageDown, KeyModifiers::ALT)),
            (b"\x1b[15~", key(KeyCode::F(5))),
            (b"\x1b[17~", key(KeyCode::F(6))),
            (b"\x1b[24~", key(KeyCode::F(12))),
            (b"\x1bOP", key(KeyCode::F(1))),
            (b"\x1b[[E", key(KeyCode::F(5))),
            (b"\x1b[1~", key(KeyCode::Home)),
            (b"\x1b[F", key(KeyCode::End)),
            (b"\x1b[<0;3;4M", mouse(MouseEventKind::Down(MouseButton::Left), 0, 2, 3)),
            (b"\x1b[<0;3;4m", mouse(MouseEventKind::Up(MouseButton::Left), 0, 2, 3)),
            (b"\x1b[<64;1;1M", mouse(MouseEventKind::ScrollUp, 0, 0, 0)),
            (b"\x1b[<69;1;1M", mouse(MouseEventKind::ScrollDown, 4, 0, 0)),
            (b"\x1b[M !!", mouse(MouseEventKind::Down(MouseButton::Left), 0, 0, 0)),
        ] {
            assert_eq!(decode(&[bytes]), [event], "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn esc_and_the_key_behind_it_are_both_there() {
        assert_eq!(decode(&[b"\x1bq"]), [key(KeyCode::Esc), char_key('q')]);
        assert_eq!(decode(&[b"\x1b\r"]), [key(KeyCode::Esc), key(KeyCode::Enter)]);
        assert_eq!(decode(&[b"\x1b\x1b[A"]), [key(KeyCode::Esc), key(KeyCode::Up)]);
        assert_eq!(decode(&[b"\x1b\x1b"]), [key(KeyCode::Esc), key(KeyCode::Esc)]);
        assert_eq!(decode(&[b"\x1b["]), [key(KeyCode::Esc), char_key('[')]);
        assert_eq!(decode(&[b"\x1bOx"]), [key(KeyCode::Esc), char_key('O'), char_key('x')]);
    }

    #[test]
    fn only_what_has_begun_is_waited_for() {
        let wait = Duration::from_millis(200);
        let mut decoder = Decoder::new(wait);
        let mut events = Vec::new();
        assert_eq!(decoder.wait(), None);
        decoder.feed(b"\x1b", &mut events);
        assert_eq!((decoder.wait(), events.len()), (Some(wait), 0));
        decoder.feed(b"[", &mut events);
        assert_eq!(decoder.wait(), Some(wait));
        decoder.feed(b"1;5", &mut events);
        assert_eq!(decoder.wait(), Some(BROKEN));
        decoder.feed(b"A", &mut events);
        assert_eq!((decoder.wait(), events), (None, vec![with(KeyCode::Up, KeyModifiers::CONTROL)]));
    }

    #[test]
    fn answers_and_broken_sequences_are_no_keys() {
        for bytes in [&b"\x1b[24;80R"[..], b"\x1b[I", b"\x1b[?62;22c", b"\x1b[1;5", b"\x80", b"\xe8\xaa", b"\x1b[<1;2M"]
        {
            assert_eq!(decode(&[bytes]), [], "{bytes:?}");
        }
        assert_eq!(decode(&[b"\x1b[1;\x1b[A"]), [key(KeyCode::Up)]);
        assert_eq!(
            decode(&[&[b"\x1b[".to_vec(), vec![b'1'; 200], b"Aq".to_vec()].concat()]).last(),
            Some(&char_key('q'))
        );
    }

    #[test]
    fn pastes_are_bounded_and_end() {
        assert_eq!(decode(&[b"\x1b[200~a\r\x1b[A\x1b[201~q"]), [Event::Paste("a\r\x1b[A".into()), char_key('q')]);
        assert_eq!(decode(&[b"\x1b[200~a\x1b[20", b"1", b"~q"]), [Event::Paste("a".into()), char_key('q')]);
        // Its end never comes.
        assert_eq!(decode(&[b"\x1b[200~abc"]), [Event::Paste("abc".into())]);
        let mut decoder = Decoder::new(Duration::ZERO);
        let mut events = Vec::new();
        decoder.feed(b"\x1b[200~", &mut events);
        for _ in 0..3 * PASTE_MAX / 4096 {
            decoder.feed(&[b'x'; 4096], &mut events);
        }
        decoder.feed(b"\x1b[201~q", &mut events);
        let [Event::Paste(text), Event::Key(_)] = events.as_slice() else { panic!("{} events", events.len()) };
        assert!((PASTE_MAX..=PASTE_MAX + 8192).contains(&text.len()), "{}", text.len());
    }

    proptest! {
        /// Where the line cuts what was sent makes no difference, and nothing is kept without bound.
        #[test]
        fn cuts_make_no_difference(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "a", "Q", "ü", "語", "\r", "\t", "\x1b[A", "\x1bOB", "\x1b[1;5C", "\x1b[3~", "\x1b[<65;10;10M",
                    "\x1b[200~pasted\n\x1b[201~", "\x03", "\x1b[M !!", "\x1bq",
                ]),
                0..20,
            ),
            cut in 1usize..9,
        ) {
            let bytes = parts.concat().into_bytes();
            let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&bytes]));
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            holds(&bytes);
        }
    }
}
