//! Forms: a new app, an app's settings, a deploy. Fields are checked as one types.

use ratatui::layout::Rect;

use once_app::Field;

use super::super::canvas::{Canvas, columns};
use super::super::model::{Form, FormKind, Row, RowKind, Stage};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::widget::field;
use super::{review, settings};

/// Columns of the labels.
const LABEL: u16 = 20;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, form: &Form) {
    let (verb, what) = match &form.kind {
        FormKind::New => ("New app", String::new()),
        FormKind::Settings(_) => ("Settings ", form.host.clone()),
        FormKind::Deploy(_) => ("Deploy ", form.host.clone()),
        FormKind::Rename(_) => ("Rename ", form.host.clone()),
    };
    let changed = form.rows.iter().filter(|r| r.is_changed()).count();
    let note = match changed {
        0 => String::new(),
        n => format!("  {}", super::super::format::many(n as u64, "change")),
    };
    let inner = c.panel(area, &[(Role::Strong, verb), (Role::Strong, &what), (Role::Warn, &note)], true);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    if form.stage != Stage::Edit {
        return review::draw(c, inside, form);
    }
    let height = inside.height.saturating_sub(3);
    let body = Rect { height, ..inside };
    let lines = lines(form);
    let cursor = lines.iter().position(|l| *l == Line::Row(form.cursor)).unwrap_or(0);
    let room = usize::from(body.height.max(1));
    // The heading of a section stays above its first row.
    let top = (cursor + 3).min(lines.len()).saturating_sub(room).min(cursor.saturating_sub(1));
    for (i, line) in lines.iter().skip(top).take(room).enumerate() {
        let at = Rect { y: body.y + i as u16, height: 1, ..body };
        match line {
            Line::Blank => {}
            Line::Heading(name) => {
                c.text(at.x, at.y, at.width, Role::Strong, name);
            }
            Line::Row(n) => {
                row(c, at, &form.rows[*n], *n == form.cursor, form.on_key);
                c.hits.push((at, Hit::Entry(*n)));
            }
        }
    }
    help(c, Rect { y: inside.bottom().saturating_sub(2), height: 2, ..inside }, form);
}

#[derive(Debug, PartialEq)]
enum Line {
    Blank,
    Heading(&'static str),
    Row(usize),
}

fn lines(form: &Form) -> Vec<Line> {
    let sections = matches!(form.kind, FormKind::Settings(_));
    let mut lines = vec![Line::Blank];
    let mut section = None;
    for (i, row) in form.rows.iter().enumerate() {
        let own = row.kind.section();
        if sections && section != Some(own) {
            if section.is_some() {
                lines.push(Line::Blank);
            }
            lines.push(Line::Heading(settings::name(own)));
            section = Some(own);
        }
        lines.push(Line::Row(i));
        if !sections {
            lines.push(Line::Blank);
        }
    }
    lines
}

fn row(c: &mut Canvas<'_>, at: Rect, row: &Row, focused: bool, on_key: bool) {
    let glyphs = c.glyphs();
    let mark = match () {
        () if row.error.is_some() => Some((Role::Fail, glyphs.down)),
        () if row.dropped => Some((Role::Fail, "-")),
        () if row.is_changed() => Some((Role::Warn, "+")),
        () => None,
    };
    if let Some((role, glyph)) = mark {
        c.text(at.x, at.y, 1, role, glyph);
    }
    let label_role = if focused { Role::Accent } else { Role::Muted };
    let value_x = at.x + 2 + LABEL.min(at.width / 2);
    let label_width = value_x - at.x - 3;
    match row.kind {
        RowKind::Entry(_) => {
            let on = focused && on_key;
            if row.key.value().is_empty() && !on {
                c.text(at.x + 2, at.y, label_width, Role::Faint, "name");
            }
            field::draw(
                c,
                (at.x + 2, at.y, label_width),
                if on { Role::Text } else { label_role },
                &row.key,
                on,
                false,
            );
            if row.kind == RowKind::Entry(Field::Env) {
                c.text(value_x.saturating_sub(1), at.y, 1, Role::Faint, "=");
            }
        }
        kind => {
            let label = kind.field().map_or("Name", Field::label);
            c.text(at.x + 2, at.y, label_width, label_role, label);
        }
    }
    let error = row.error.as_deref().unwrap_or("");
    let all = at.right().saturating_sub(value_x + 1);
    let width = all.min(60.max(all / 2));
    let used = value(c, value_x + 1, at.y, width, row, focused && !on_key);
    let typed = columns(row.value.value());
    let after = value_x + 1 + used + if used > 0 { 3 } else { 0 };
    if !error.is_empty() && at.right() > after {
        c.text(after, at.y, at.right() - after, Role::Fail, error);
    } else if row.secret && typed > 0 && at.right() > after + 8 {
        c.text(after, at.y, at.right() - after, Role::Muted, "secret");
    }
}

/// Draws the value, or what stands for it where there is none; the columns it takes.
fn value(c: &mut Canvas<'_>, x: u16, y: u16, width: u16, row: &Row, focused: bool) -> u16 {
    if row.dropped {
        return c.text(x, y, width, Role::Fail, "will be taken away");
    }
    let words = row.kind.words();
    if !words.is_empty() {
        let current = if row.value.value().is_empty() { words[0] } else { row.value.value() };
        let mut at = x;
        for word in words {
            let role = match (*word == current, focused) {
                (true, true) => Role::Accent,
                (true, false) => Role::Text,
                (false, _) => Role::Faint,
            };
            at += c.text(at, y, width, role, word) + 2;
        }
        if focused {
            c.cursor = Some(ratatui::layout::Position::new(x, y));
        }
        return at - x;
    }
    let mut used = columns(row.value.value()).min(usize::from(width)) as u16;
    if used == 0 {
        let placeholder = if row.keeps_secret() { c.glyphs().mask.to_owned() } else { placeholder(row).to_owned() };
        used = c.text(x, y, width, Role::Faint, &placeholder);
    }
    field::draw(c, (x, y, width), Role::Text, &row.value, focused, row.secret);
    used
}

fn placeholder(row: &Row) -> &'static str {
    match row.kind {
        RowKind::Name => "from the image",
        RowKind::Value(Field::Image) => "ghcr.io/acme/shop:1.5.0",
        RowKind::Value(Field::Host) => "NAME.localhost",
        RowKind::Value(Field::Port) => "the image's only exposed port, else 80",
        RowKind::Value(Field::HealthPath) => "/up",
        RowKind::Entry(Field::Volume) => "NAME, docker:NAME or /host/path[:ro]",
        RowKind::Entry(Field::Env) => "empty",
        // The entry is all there is.
        RowKind::Entry(Field::Network | Field::AllowIp) => "",
        _ => "not set",
    }
}

/// The row in focus, explained, with what a change of it costs.
fn help(c: &mut Canvas<'_>, area: Rect, form: &Form) {
    let Some(row) = form.row() else { return };
    let rule = c.glyphs().rule.repeat(usize::from(area.width));
    c.text(area.x, area.y, area.width, Role::Faint, &rule);
    let y = area.y + 1;
    if let Some(error) = &row.error {
        c.line(area.x, y, area.width, &[(Role::Fail, c.glyphs().down), (Role::Fail, " "), (Role::Fail, error)]);
        return;
    }
    let (help, cost) = match row.kind.field() {
        None if matches!(form.kind, FormKind::Rename(_)) => {
            ("its name in commands; hostnames, data and history stay, the old name goes on meaning it", String::new())
        }
        None => ("a name for commands, once and for all; empty: the image's last part", String::new()),
        Some(Field::Host) if form.kind == FormKind::New => {
            ("where people reach it; several separated by spaces", String::new())
        }
        Some(field) if form.kind == FormKind::New => (field.help(), String::new()),
        Some(field) => (field.help(), format!("a change is {}", field.cost())),
    };
    let used = c.text(area.x, y, area.width, Role::Text, help);
    if !cost.is_empty() && usize::from(area.width) > usize::from(used) + cost.len() + 3 {
        c.right(area.x, y, area.width, Role::Muted, &cost);
    }
}
