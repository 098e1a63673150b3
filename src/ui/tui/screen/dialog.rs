//! Questions: they name the thing, the consequence and the host, and the safe button is the marked one.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns, wrap};
use super::super::layout;
use super::super::model::Confirm;
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::widget::field;

pub(super) fn confirm(c: &mut Canvas<'_>, area: Rect, confirm: &Confirm) {
    let width = 66.min(area.width.saturating_sub(2));
    let text_width = usize::from(width.saturating_sub(6));
    let lines: usize = confirm.lines.iter().map(|l| wrap(l, text_width).len()).sum();
    let command = usize::from(confirm.command.is_some()) * 2;
    let typed = match (&confirm.typed, &confirm.message) {
        (Some(_), _) => 3,
        (None, Some(_)) => 2,
        (None, None) => 0,
    };
    let height = (lines + command + typed + 6) as u16;
    let boxed = layout::centred(area, width, height);
    c.fade(area);
    c.clear(boxed);
    let inner = c.panel(boxed, &[(Role::Strong, &confirm.title)], true);
    let inside = Rect { x: inner.x + 2, width: inner.width.saturating_sub(4), ..inner };
    let mut y = inside.y + 1;
    let left = |y: u16| inside.bottom().saturating_sub(y);
    for line in &confirm.lines {
        y += c.paragraph(Rect { y, height: left(y), ..inside }, Role::Text, line);
    }
    if let Some((name, input)) = &confirm.typed {
        y += 1;
        c.line(
            inside.x,
            y,
            inside.width,
            &[(Role::Muted, "type "), (Role::Strong, name), (Role::Muted, " to confirm:  ")],
        );
        let x = inside.x + (columns(name) + 19) as u16;
        let role = if confirm.is_ready() { Role::Ok } else { Role::Text };
        field::draw(c, (x, y, inside.right().saturating_sub(x)), role, input, !confirm.armed, false);
        y += 1;
        if confirm.removes() {
            c.line(inside.x, y, inside.width, &[(Role::Accent, "^D"), (Role::Muted, " the data too, or not")]);
        }
        y += 1;
    }
    if let Some((label, input)) = &confirm.message {
        y += 1;
        c.text(inside.x, y, inside.width, Role::Muted, label);
        let x = inside.x + columns(label) as u16;
        field::draw(c, (x, y, inside.right().saturating_sub(x)), Role::Text, input, !confirm.armed, false);
        y += 1;
    }
    if let Some(command) = &confirm.command {
        y += 1;
        c.line(inside.x, y, inside.width, &[(Role::Muted, "the same as: "), (Role::Text, command)]);
        y += 1;
    }
    y += 1;
    let safe = "  Keep as is  ";
    let yes = format!("  {}  ", confirm.yes);
    let mut x = inside.x;
    for (i, (label, marked, role)) in [
        (safe, !confirm.armed, Role::Text),
        (yes.as_str(), confirm.armed, if confirm.is_ready() { Role::Warn } else { Role::Faint }),
    ]
    .into_iter()
    .enumerate()
    {
        let own = columns(label) as u16;
        let button = Rect { x, y, width: own, height: 1 }.intersection(inside);
        let label = if marked { format!("{}{}", c.glyphs().mark, &label[1..]) } else { label.to_owned() };
        c.text(x, y, own, role, &label);
        if marked {
            c.paint(button, Role::Selected);
        }
        c.hits.push((button, Hit::Entry(i)));
        x += own + 2;
    }
}
