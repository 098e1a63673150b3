//! Untrusted text (logs, labels, registry answers, other people's notes) made safe for a terminal.

use std::borrow::Cow;

/// The longest line that is shown; more is cut with a sign.
const MAX_CHARS: usize = 4096;

/// One line of untrusted text, safe to print: control characters, escape sequences, characters that reorder or hide
/// text are written out (`\u{1b}`); a tab or the end of a line becomes a space; a line longer than 4096 characters is cut.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_CHARS && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for (n, c) in text.chars().enumerate() {
        if n == MAX_CHARS {
            safe.push('…');
            break;
        }
        match c {
            '\t' | '\n' => safe.push(' '),
            c if is_plain(c) => safe.push(c),
            c => safe.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(safe)
}

/// Whether a character shows as itself and moves nothing.
fn is_plain(c: char) -> bool {
    !(c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            // Zero-width, marks and bidi controls; line and paragraph separators.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "GET / 200", "größe 12 µs ✓ 日本語 🚀", "a\u{301}"] {
            assert!(matches!(line(text), Cow::Borrowed(t) if t == text), "{text}");
        }
    }

    #[test]
    fn hostile_lines_are_disarmed() {
        for (hostile, safe) in [
            ("\x1b[2J\x1b[H", r"\u{1b}[2J\u{1b}[H"),
            ("\x1b]52;c;ZXZpbA==\x07", r"\u{1b}]52;c;ZXZpbA==\u{7}"),
            ("\x1b]0;title\x1b\\", r"\u{1b}]0;title\u{1b}\"),
            ("\u{9b}31m", r"\u{9b}31m"),
            ("ok\rerror", r"ok\u{d}error"),
            ("a\x08b\x7f", r"a\u{8}b\u{7f}"),
            ("nul\0", r"nul\u{0}"),
            ("two\nlines", "two lines"),
            ("user\u{202e}nimda", r"user\u{202e}nimda"),
            ("a\u{2066}b\u{2069}", r"a\u{2066}b\u{2069}"),
            ("pay\u{200b}pal", r"pay\u{200b}pal"),
            ("\u{feff}bom", r"\u{feff}bom"),
            ("\u{2028}", r"\u{2028}"),
            ("tag\u{e0041}", r"tag\u{e0041}"),
            ("a\tb", "a b"),
        ] {
            assert_eq!(line(hostile), safe, "{hostile:?}");
        }
    }

    #[test]
    fn nothing_dangerous_is_left_of_any_character() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = c.to_string();
            assert!(line(&text).chars().all(|c| !c.is_control() && is_plain(c)), "{c:?}");
        }
    }

    #[test]
    fn endless_lines_end() {
        let long = "x".repeat(1 << 20);
        assert_eq!(line(&long).chars().count(), MAX_CHARS + 1);
    }
}
