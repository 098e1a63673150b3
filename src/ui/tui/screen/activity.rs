//! Who did what, when, with what outcome.

use ratatui::layout::Rect;

use super::super::canvas::Canvas;
use super::super::format;
use super::super::theme::Role;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let inner = c.panel(area, &[(Role::Strong, "Activity")], true);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let Some(entries) = &m.activity else {
        c.text(inside.x, inside.y + 1, inside.width, Role::Muted, "Asking the proxy");
        return;
    };
    if entries.is_empty() {
        c.text(inside.x, inside.y + 1, inside.width, Role::Muted, "Nothing has happened here yet.");
        return;
    }
    let wide = inside.width >= 76;
    for (i, entry) in entries.iter().skip(m.activity_scroll).take(usize::from(inside.height)).enumerate() {
        let y = inside.y + i as u16;
        let bad = matches!(entry.outcome.as_str(), "failed" | "down" | "internal" | "internal error" | "environment");
        let role = if bad { Role::Fail } else { Role::Text };
        let app = entry.app.as_ref().map_or("", |a| a.as_str());
        let who = format!("{}@{}", entry.by.user, entry.by.host);
        let mut x = inside.x;
        let room = inside.right();
        let mut column = |c: &mut Canvas<'_>, width: u16, role: Role, text: &str| {
            c.text(x, y, width.min(room.saturating_sub(x)), role, text);
            x += width + 1;
        };
        column(c, 12, Role::Muted, &format::day(entry.at, &m.zone));
        column(c, if wide { 16 } else { 10 }, Role::Strong, app);
        column(c, 11, role, &entry.outcome);
        if wide {
            column(c, 18, Role::Muted, &who);
        }
        column(c, room, Role::Text, &entry.text);
    }
}
