//! What holds for whatever is shown and whatever is typed; see [`crate::fuzzing`].

use super::cli::fuzzing as cli;
use super::sanitize;
pub(crate) use super::tui::keys_hold as keys;

pub(crate) use cli::{env_file, since};

/// Nothing that moves the cursor, hides or reorders text gets to a terminal, and no line is without end.
pub(crate) fn line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let safe = sanitize::line(&text);
    let moves =
        |c: char| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c) || ('\u{2028}'..='\u{202e}').contains(&c);
    assert!(!safe.contains(moves), "{safe:?}");
    // At most `\u{10ffff}` for each of 4096 characters, and the sign.
    assert!(safe.chars().count() <= 4096 * 10 + 1);
    if safe.chars().count() <= 4096 {
        assert_eq!(sanitize::line(&safe), safe);
    }
}
