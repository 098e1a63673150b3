//! The actions of an app, and the command palette.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns};
use super::super::layout;
use super::super::model::{Menu, Palette, PaletteItem};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::widget::field;

pub(super) fn actions(c: &mut Canvas<'_>, area: Rect, menu: &Menu) {
    let width = 72.min(area.width.saturating_sub(2));
    let height = (menu.items.len() as u16 + 6).min(area.height);
    let boxed = layout::centred(area, width, height);
    c.fade(area);
    c.clear(boxed);
    let title = menu.app.to_string();
    let inner = c.panel(boxed, &[(Role::Strong, "Actions "), (Role::Muted, &title)], true);
    let wide = width >= 60;
    // On a small screen the list scrolls above the command.
    let room = usize::from(inner.height.saturating_sub(4));
    let top = (menu.cursor + 1).saturating_sub(room);
    for (i, item) in menu.items.iter().enumerate().skip(top).take(room) {
        let line = Rect { x: inner.x, y: inner.y + 1 + (i - top) as u16, width: inner.width, height: 1 };
        let role = if item.off.is_some() { Role::Faint } else { Role::Text };
        let used = c.text(line.x + 2, line.y, line.width.saturating_sub(3), role, item.label);
        let note = item.off.unwrap_or(&item.note);
        let at = if wide { 28 } else { used + 4 };
        c.text(line.x + at, line.y, line.width.saturating_sub(at + 1), Role::Muted, note);
        if i == menu.cursor {
            c.text(line.x, line.y, 1, Role::Accent, c.glyphs().mark);
            c.paint(Rect { x: line.x + 1, width: line.width - 1, ..line }, Role::Selected);
        }
        c.hits.push((line, Hit::Entry(i)));
    }
    if let Some(item) = menu.items.get(menu.cursor) {
        let y = inner.bottom().saturating_sub(2);
        c.line(
            inner.x + 2,
            y,
            inner.width.saturating_sub(3),
            &[(Role::Muted, "the same as: "), (Role::Text, &item.command)],
        );
    }
}

pub(super) fn palette(c: &mut Canvas<'_>, area: Rect, palette: &Palette) {
    let width = 64.min(area.width.saturating_sub(2));
    let height = 16.min(area.height.saturating_sub(2));
    let boxed = Rect { y: area.y + 1, ..layout::centred(area, width, height) };
    c.fade(area);
    c.clear(boxed);
    let inner = c.panel(boxed, &[(Role::Strong, "Command")], true);
    c.text(inner.x + 1, inner.y, 1, Role::Accent, ":");
    field::draw(c, (inner.x + 3, inner.y, inner.width.saturating_sub(4)), Role::Text, &palette.input, true, false);
    let body = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
    let room = usize::from(body.height);
    let top = (palette.cursor + 1).saturating_sub(room);
    if palette.found.is_empty() {
        c.text(body.x + 3, body.y, body.width, Role::Muted, "nothing fits");
    }
    for (i, item) in palette.found.iter().enumerate().skip(top).take(room) {
        let Some(item) = palette.items.get(*item) else { continue };
        let line = Rect { y: body.y + (i - top) as u16, height: 1, ..body };
        let end = match item {
            PaletteItem::Command(_, _, key) => key.as_str(),
            PaletteItem::Go(..) => "app",
        };
        let room = line.width.saturating_sub(columns(end) as u16 + 5);
        c.text(line.x + 3, line.y, room, Role::Text, item.text());
        c.right(line.x, line.y, line.width.saturating_sub(1), Role::Muted, end);
        if i == palette.cursor {
            c.text(line.x, line.y, 1, Role::Accent, c.glyphs().mark);
            c.paint(Rect { x: line.x + 1, width: line.width - 1, ..line }, Role::Selected);
        }
        c.hits.push((line, Hit::Entry(i)));
    }
}
