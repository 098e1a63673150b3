//! Pages on top: the keys of the screen below, from the key table, and the errors so far.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns, wrap};
use super::super::format;
use super::super::keymap;
use super::super::layout;
use super::super::model::{Model, Overlay};
use super::super::theme::Role;

pub(super) fn keys(c: &mut Canvas<'_>, area: Rect, scroll: usize) {
    let mut below: Model = c.m.clone();
    below.overlays.retain(|o| !matches!(o, Overlay::Help { .. }));
    let glyphs = c.glyphs();
    let lines: Vec<(String, String)> = keymap::available(&below.contexts())
        .into_iter()
        .map(|b| {
            let mut names: Vec<String> = b.keys.iter().map(|k| k.name(glyphs)).collect();
            names.dedup();
            let off = if b.changes && c.m.options.read_only { " (not in a read-only console)" } else { "" };
            (names.join("  "), format!("{}{off}", b.long))
        })
        .collect();
    let key_width = lines.iter().map(|(k, _)| columns(k)).max().unwrap_or(0) as u16;
    let inner = page(c, area, "Keys of this screen", lines.len(), scroll);
    let top = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (i, (key, text)) in lines.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        let y = inner.y + i as u16;
        c.right(inner.x, y, key_width, Role::Accent, key);
        c.text(inner.x + key_width + 2, y, inner.width.saturating_sub(key_width + 2), Role::Text, text);
    }
}

pub(super) fn problems(c: &mut Canvas<'_>, area: Rect, scroll: usize) {
    let m = c.m;
    let width = usize::from(72.min(area.width.saturating_sub(8)).max(1));
    let mut lines: Vec<(Role, String)> = Vec::new();
    let mut put = |role: Role, text: &str, indent: &str| {
        for line in wrap(&once_text::sanitize::line(text), width.saturating_sub(indent.len()).max(1)) {
            lines.push((role, format!("{indent}{line}")));
        }
    };
    for seen in m.problems.iter().rev() {
        let p = &seen.problem;
        put(Role::Fail, &format!("{}  {}", format::hour(seen.at, &m.zone), p.message), "");
        p.causes.iter().for_each(|cause| put(Role::Muted, &format!("because {cause}"), "       "));
        p.hints.iter().for_each(|hint| put(Role::Text, &format!("{} {hint}", m.glyphs().arrow), "       "));
        put(Role::Text, "", "");
    }
    if lines.is_empty() {
        lines.push((Role::Muted, "nothing went wrong so far".into()));
    }
    let inner = page(c, area, "Errors", lines.len(), scroll);
    let top = scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (i, (role, text)) in lines.iter().skip(top).take(usize::from(inner.height)).enumerate() {
        c.text(inner.x, inner.y + i as u16, inner.width, *role, text);
    }
}

/// A page in the middle; its inside.
fn page(c: &mut Canvas<'_>, area: Rect, title: &str, lines: usize, scroll: usize) -> Rect {
    let body = Rect { height: area.height.saturating_sub(1), ..area };
    let boxed = layout::centred(body, 78, lines as u16 + 4);
    c.fade(area);
    c.clear(boxed);
    let inner = c.panel(boxed, &[(Role::Strong, title)], true);
    let inside = Rect {
        x: inner.x + 2,
        y: inner.y + 1,
        width: inner.width.saturating_sub(4),
        height: inner.height.saturating_sub(2),
    };
    if lines > usize::from(inside.height) {
        let last = (scroll + usize::from(inside.height)).min(lines);
        let text = format!(" {last} of {lines} ");
        c.right(boxed.x, boxed.bottom().saturating_sub(1), boxed.width.saturating_sub(2), Role::Muted, &text);
    }
    inside
}
