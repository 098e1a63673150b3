//! Lines of keys, made from the table.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns};
use super::super::keymap::{self, Ctx};
use super::super::msg::Hit;
use super::super::theme::Role;

/// The keys of these contexts that fit into a line; each can be clicked.
pub(crate) fn footer(c: &mut Canvas<'_>, area: Rect, contexts: &[Ctx]) {
    let glyphs = c.glyphs();
    let end = [Ctx::Global].iter().filter(|g| contexts.contains(g));
    let inner: Vec<Ctx> = contexts.iter().copied().filter(|ctx| *ctx != Ctx::Global).collect();
    let mut bindings: Vec<_> = keymap::available(&inner).into_iter().filter(|b| !b.short.is_empty()).collect();
    let own: Vec<_> = end.flat_map(|g| keymap::available(&[*g])).filter(|b| !b.short.is_empty()).collect();
    bindings.retain(|b| !(b.changes && c.m.options.read_only) && c.m.is_useful(b.cmd));
    // Help and quit stay where the line is too short for all.
    let over = c.m.shown_deploy().is_some_and(|w| !w.is_active());
    let word = |b: &keymap::Binding| if over && b.cmd == keymap::Cmd::Back { "back" } else { b.short };
    let width = |b: &keymap::Binding| (columns(&b.key(glyphs)) + columns(word(b)) + 3) as u16;
    let reserved: u16 = own.iter().map(|b| width(b)).sum();
    let mut room = area.width.saturating_sub(1);
    let mut x = area.x + 1;
    let mut draw = |c: &mut Canvas<'_>, b: &'static keymap::Binding, keep: u16| {
        let own = width(b);
        if own.saturating_sub(2) + keep > room {
            return;
        }
        let start = x;
        x += c.text(x, area.y, room, Role::Accent, &b.key(glyphs));
        x += 1;
        x += c.text(x, area.y, room, Role::Muted, word(b));
        c.hits.push((Rect { x: start, y: area.y, width: x - start, height: 1 }, Hit::Command(b.cmd)));
        x += 2;
        room = (area.right()).saturating_sub(x);
    };
    for binding in bindings {
        draw(c, binding, reserved);
    }
    for binding in own {
        draw(c, binding, 0);
    }
}
