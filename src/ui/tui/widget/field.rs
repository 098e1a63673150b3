//! A line of text that is edited.

use ratatui::layout::Position;
use tui_input::Input;
use unicode_width::UnicodeWidthChar;

use super::super::canvas::Canvas;
use super::super::theme::Role;

/// Draws the part of the text around the cursor; the cursor stands in it when it has the focus.
pub(crate) fn draw(
    c: &mut Canvas<'_>,
    (x, y, width): (u16, u16, u16),
    role: Role,
    input: &Input,
    focused: bool,
    hidden: bool,
) {
    if width == 0 {
        return;
    }
    let room = usize::from(width.saturating_sub(1));
    let scroll = if focused { input.visual_scroll(room) } else { 0 };
    let text = if hidden {
        c.glyphs().mask.chars().take(1).collect::<String>().repeat(input.value().chars().count())
    } else {
        input.value().to_owned()
    };
    let mut skipped = 0;
    let shown: String = text
        .chars()
        .skip_while(|ch| {
            let before = skipped < scroll;
            skipped += ch.width().unwrap_or(0);
            before
        })
        .collect();
    if focused {
        // Cut without a sign: the sign would stand where one types.
        let mut used = 0;
        let cut: String = shown
            .chars()
            .take_while(|ch| {
                used += ch.width().unwrap_or(0);
                used <= room
            })
            .collect();
        c.text(x, y, width, role, &cut);
        let at = if hidden { input.cursor() } else { input.visual_cursor() };
        let offset = at.saturating_sub(scroll).min(room);
        c.cursor = Some(Position::new(x + offset as u16, y));
    } else {
        c.text(x, y, width, role, &shown);
    }
}
