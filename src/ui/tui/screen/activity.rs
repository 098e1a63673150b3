//! Who did what, when, with what outcome: also what was refused or failed, also of apps that are gone.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, wrap};
use super::super::format;
use super::super::model::is_bad;
use super::super::msg::Hit;
use super::super::theme::Role;

/// Lines the marked entry gets at least.
const BELOW: u16 = 4;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let filter = if m.activity_filter.is_empty() { String::new() } else { format!("  /{}", m.activity_filter) };
    let bad = if m.activity_bad { "  refused and failed" } else { "" };
    let inner = c.panel(area, &[(Role::Strong, "Activity"), (Role::Warn, bad), (Role::Accent, &filter)], true);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let Some(all) = &m.activity else {
        c.text(inside.x, inside.y + 1, inside.width, Role::Muted, "Asking the proxy");
        return;
    };
    let entries = m.activities();
    if entries.is_empty() {
        let text = match (all.is_empty(), m.activity_bad && m.activity_filter.is_empty()) {
            (true, _) => "Nothing has happened here yet.",
            (false, true) => "Nothing was refused or failed. f shows all.",
            (false, false) => "No entry fits the filter. esc drops it.",
        };
        c.text(inside.x, inside.y + 1, inside.width, Role::Muted, text);
        return;
    }
    let marked = m.activity_at.min(entries.len() - 1);
    let entry = entries[marked];
    let (by, app) = (&entry.by, entry.app.as_ref().map_or("no app", |a| a.as_str()));
    let head = format!("{app} · {} · by {}@{} ({})", entry.outcome, by.user, by.host, by.command);
    let mut about = vec![(Role::Strong, head)];
    let text = once_text::sanitize::line(&entry.text);
    about.extend(wrap(&text, usize::from(inside.width)).into_iter().map(|line| (Role::Text, line)));
    let below = (about.len() as u16 + 1).clamp(BELOW, (inside.height / 2).max(BELOW)).min(inside.height);
    let height = usize::from(inside.height.saturating_sub(below));
    let top = (marked + 1).saturating_sub(height.max(1));
    let wide = inside.width >= 76;
    for (i, entry) in entries.iter().enumerate().skip(top).take(height) {
        let y = inside.y + (i - top) as u16;
        let role = if is_bad(&entry.outcome) { Role::Fail } else { Role::Text };
        let app = entry.app.as_ref().map_or("-", |a| a.as_str());
        let who = format!("{}@{}", entry.by.user, entry.by.host);
        let mut x = inside.x + 1;
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
        let line = Rect { y, height: 1, ..inside };
        if i == marked {
            c.text(line.x, y, 1, Role::Accent, c.glyphs().mark);
            c.paint(Rect { x: line.x + 1, width: line.width - 1, ..line }, Role::Selected);
        }
        c.hits.push((line, Hit::Entry(i)));
    }
    let mut y = inside.y + height as u16;
    let rule = c.glyphs().rule.repeat(usize::from(inside.width));
    c.text(inside.x, y, inside.width, Role::Faint, &rule);
    c.right(inside.x, y, inside.width, Role::Muted, &format!(" {} of {} ", marked + 1, entries.len()));
    for (role, text) in about {
        y += 1;
        if y >= inside.bottom() {
            break;
        }
        c.text(inside.x, y, inside.width, role, &text);
    }
}
