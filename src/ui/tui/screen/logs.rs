//! The Logs tab.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::super::canvas::{Canvas, columns, wrap};
use super::super::format;
use super::super::model::{AppView, Level, LogEntry, LogSource, Matcher, Pane};
use super::super::theme::Role;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    let m = c.m;
    let logs = &m.logs;
    if area.height < 2 {
        return;
    }
    status(c, area, app);
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let (lines, marked) = logs.lines();
    if lines.is_empty() {
        let text = match (&logs.ended, &app.container, logs.source) {
            (Some(ended), ..) => ended.clone(),
            (None, None, LogSource::App) => "it has no container, so there is no log".into(),
            _ => "no line yet".into(),
        };
        c.text(body.x, body.y + 1, body.width, Role::Muted, &text);
        return;
    }
    // From the marked line upwards until the page is full: what follows it is shown below it when there is room.
    let height = usize::from(body.height);
    let rows = |entry: &LogEntry| text_rows(c, entry, body.width).len();
    let below = if logs.follow { 0 } else { (lines.len() - 1 - marked).min(height / 3) };
    let mut last = marked + below;
    let mut used: usize = (marked..=last).filter_map(|i| lines.get(i)).map(rows).sum();
    while used > height && last > marked {
        used -= lines.get(last).map_or(0, rows);
        last -= 1;
    }
    let mut first = marked;
    while first > 0 && used + lines.get(first - 1).map_or(0, rows) <= height {
        first -= 1;
        used += lines.get(first).map_or(0, rows);
    }
    // A short log begins at the top.
    while first == 0 && last + 1 < lines.len() && used + lines.get(last + 1).map_or(0, rows) <= height {
        last += 1;
        used += lines.get(last).map_or(0, rows);
    }
    let mut y = body.y;
    let matcher = (!logs.search.is_empty()).then(|| Matcher::new(&logs.search));
    for (i, entry) in lines.iter().enumerate().take(last + 1).skip(first) {
        let is_marked = i == marked && m.pane == Pane::Detail;
        y += entry_rows(
            c,
            Rect { y, height: body.bottom().saturating_sub(y), ..body },
            entry,
            is_marked,
            matcher.as_ref(),
        );
    }
}

/// What is read and how.
fn status(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    let logs = &c.m.logs;
    let source = match logs.source {
        LogSource::App => format!("log of {}", app.name()),
        LogSource::Before => format!("log of {}, the run before", app.name()),
        LogSource::Access => "proxy access log".to_owned(),
    };
    let state = match (&logs.ended, logs.source, logs.follow) {
        (Some(_), LogSource::Before, _) => "all there is",
        (None, LogSource::Before, _) => "reading",
        (Some(_), ..) => "ended",
        (None, _, true) => "following",
        (None, _, false) => "paused, f follows",
    };
    let n = logs.lines().0.len();
    let count = format::many(n as u64, "line");
    let mut pieces = vec![(Role::Muted, source.as_str()), (Role::Faint, " · "), (Role::Text, state)];
    let search = format!("/{}", logs.search);
    if !logs.search.is_empty() {
        pieces.extend([(Role::Faint, " · "), (Role::Accent, search.as_str())]);
    }
    c.line(area.x, area.y, area.width, &pieces);
    if area.width > 60 {
        c.right(area.x, area.y, area.width, Role::Muted, &count);
    }
}

/// The text of an entry, as rows of this width.
fn text_rows(c: &Canvas<'_>, entry: &LogEntry, width: u16) -> Vec<String> {
    let logs = &c.m.logs;
    let stamp = stamp_width(c);
    if logs.wrap {
        wrap(&entry.line.text, usize::from(width.saturating_sub(stamp + 1)))
    } else {
        vec![entry.line.text.clone()]
    }
}

fn stamp_width(c: &Canvas<'_>) -> u16 {
    if c.m.logs.times { 9 } else { 0 }
}

fn entry_rows(c: &mut Canvas<'_>, area: Rect, entry: &LogEntry, marked: bool, matcher: Option<&Matcher>) -> u16 {
    let role = match entry.level {
        Level::Error => Role::Fail,
        Level::Warn => Role::Warn,
        Level::Debug => Role::Muted,
        Level::Plain => Role::Text,
    };
    let stamp = stamp_width(c);
    let mut y = area.y;
    for (i, text) in text_rows(c, entry, area.width).into_iter().enumerate() {
        if y >= area.bottom() {
            break;
        }
        if marked {
            c.text(area.x, y, 1, Role::Accent, c.glyphs().mark);
        }
        let x = area.x + 1;
        if i == 0
            && stamp > 0
            && let Some(at) = entry.line.at
        {
            c.text(x, y, stamp, Role::Muted, &format::second(at, &c.m.zone));
        }
        let width = area.width.saturating_sub(stamp + 1);
        c.text(x + stamp, y, width, role, &text);
        if let Some(matcher) = matcher {
            for (from, to) in matcher.ranges(&text) {
                let at = columns(&text[..from]) as u16;
                let own = columns(&text[from..to]) as u16;
                let shown = Rect { x: x + stamp + at, y, width: own.min(width.saturating_sub(at)), height: 1 };
                let shown = shown.intersection(area);
                c.buffer.set_style(shown, ratatui::style::Style::new().add_modifier(Modifier::REVERSED));
            }
        }
        y += 1;
    }
    y - area.y
}
