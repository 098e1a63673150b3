//! What holds for whatever is shown and whatever is typed; see `once-fuzzing`.

use super::sanitize;

use once_fuzzing::Target;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[("words", &[(b's', "line", line)])];

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

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
