//! The list of apps.

use ratatui::layout::Rect;

use once_app::{AppState, Reason, Standing};

use super::super::canvas::Canvas;
use super::super::format;
use super::super::layout;
use super::super::model::{AppView, Model, Pane, RowKey, Sort, word};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::super::widget::chart;
use super::lock;

/// Columns of numbers, each as wide as its widest number and a space; the last ones go first when room is short.
const NUMBERS: [(&str, u16, Sort); 4] =
    [("REQ/S", 6, Sort::Requests), ("P95", 7, Sort::Host), ("CPU", 6, Sort::Cpu), ("MEM", 6, Sort::Memory)];

/// Columns a hostname gets at least before a number does.
const NAME: u16 = 17;

/// Columns before the hostname: the mark, the glyph and their spaces.
const LEAD: u16 = 3;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let rows = m.rows();
    let count = format!("{}", m.apps.len());
    let filter = format!("  /{}", m.filter);
    let trouble = trouble(m);
    let mut title = vec![(Role::Strong, "Apps "), (Role::Muted, count.as_str())];
    for (role, text) in &trouble {
        title.extend([(Role::Faint, " · "), (*role, text.as_str())]);
    }
    if !m.filter.is_empty() {
        title.push((Role::Accent, &filter));
    }
    let mut inner = c.panel(area, &title, m.pane == Pane::List);
    // Numbers keep off the border.
    inner.width = inner.width.saturating_sub(1);
    c.hits.push((area, Hit::List));
    if inner.width < 10 || inner.height < 2 {
        return;
    }
    let columns = columns(inner.width);
    heading(c, inner, columns);
    let height = usize::from(inner.height - 1);
    for (i, row) in rows.iter().skip(m.list_top).take(height).enumerate() {
        let line = Rect { y: inner.y + 1 + i as u16, height: 1, ..inner };
        draw_row(c, line, row, columns);
        c.hits.push((line, Hit::Row(row.clone())));
    }
    if rows.is_empty() {
        c.text(inner.x + 1, inner.y + 2, inner.width, Role::Muted, "no app fits the filter");
        c.text(inner.x + 1, inner.y + 3, inner.width, Role::Muted, "esc drops it");
    }
    more(c, area, rows.len(), height);
    if !m.is_fresh() {
        c.fade(Rect { y: inner.y + 1, height: inner.height - 1, ..inner });
    }
}

/// How many columns of numbers fit.
fn columns(width: u16) -> usize {
    let mut room = width.saturating_sub(LEAD + NAME);
    NUMBERS
        .iter()
        .take_while(|(_, own, _)| {
            let fits = room >= *own;
            room = room.saturating_sub(*own);
            fits
        })
        .count()
}

fn numbers_width(columns: usize) -> u16 {
    NUMBERS.iter().take(columns).map(|(_, own, _)| own).sum()
}

fn heading(c: &mut Canvas<'_>, inner: Rect, columns: usize) {
    let sort = c.m.sort;
    let role = |own: Sort, is: bool| if is && sort == own && own != Sort::Host { Role::Accent } else { Role::Muted };
    c.text(inner.x + LEAD, inner.y, NAME, Role::Muted, "HOST");
    let mut x = inner.right() - numbers_width(columns);
    for (name, width, own) in NUMBERS.iter().take(columns) {
        c.right(x, inner.y, *width, role(*own, *name != "P95"), name);
        x += width;
    }
}

fn draw_row(c: &mut Canvas<'_>, line: Rect, row: &RowKey, columns: usize) {
    let m = c.m;
    let selected = m.selected.as_ref() == Some(row);
    let numbers = numbers_width(columns).max(line.width.saturating_sub(LEAD + NAME) / 2).min(line.width / 2 + 4);
    let split = line.right().saturating_sub(numbers);
    let name_width = split.saturating_sub(line.x + LEAD + 1);
    match row {
        RowKey::App(name) => {
            let Some(app) = m.apps.get(name) else { return };
            let standing = m.standing(app);
            let (role, glyph) = glyph(c, &standing);
            let word = word(&standing);
            c.text(line.x + 1, line.y, 1, role, glyph);
            if word.is_empty() {
                let split = line.right() - numbers_width(columns);
                let width = split.saturating_sub(line.x + LEAD);
                let used = c.text(line.x + LEAD, line.y, width, Role::Text, &app.host());
                // That nobody may change it matters more than what it uses: those numbers make room.
                let kept = columns.min(1);
                let free = numbers_width(columns) - numbers_width(kept);
                match lock::short(m, name, width.saturating_sub(used + 1).max(free.saturating_sub(1))) {
                    Some(lock) if usize::from(width - used) > super::super::canvas::columns(&lock) + 1 => {
                        c.right(line.x + LEAD, line.y, width.saturating_sub(1), Role::Warn, &lock);
                        cells(c, line, app, columns, columns);
                    }
                    Some(lock) => {
                        cells(c, line, app, columns, kept);
                        c.right(line.right() - free, line.y, free, Role::Warn, &lock);
                    }
                    None => cells(c, line, app, columns, columns),
                }
            } else {
                c.text(line.x + LEAD, line.y, name_width, Role::Text, &app.host());
                let used = c.text(split, line.y, numbers, role, &word);
                match m.deploys.active(name).map(|w| w.view.progress()) {
                    Some(at) => progress(c, split + used + 1, line, Some(at)),
                    None => {
                        if let Some(lock) = lock::short(m, name, numbers.saturating_sub(used + 3)) {
                            c.line(split + used, line.y, numbers - used, &[(Role::Faint, " · "), (Role::Warn, &lock)]);
                        }
                    }
                }
            }
        }
        RowKey::Birth(op) => {
            let Some(watched) = m.deploys.get(op) else { return };
            let host = watched.view.host.clone().unwrap_or_else(|| watched.title.clone());
            let (done, all) = watched.view.progress();
            let failed = !watched.is_active();
            let (role, glyph) = state_glyph(c, if failed { AppState::Down } else { AppState::Changing });
            c.text(line.x + 1, line.y, 1, role, glyph);
            c.text(line.x + LEAD, line.y, name_width, Role::Text, &host);
            let word = if failed { "first deploy failed".into() } else { format!("deploying {done}/{all}") };
            let used = c.text(split, line.y, numbers, role, &word);
            progress(c, split + used + 1, line, (!failed).then_some((done, all)));
        }
        RowKey::Orphan(id) => {
            let Some(container) = m.containers.iter().find(|k| &k.id == id) else { return };
            c.text(line.x + 1, line.y, 1, Role::Warn, c.glyphs().unknown);
            c.text(line.x + LEAD, line.y, name_width, Role::Muted, &container.name);
            c.text(split, line.y, numbers, Role::Warn, "belongs to no app");
        }
    }
    if selected {
        c.text(line.x, line.y, 1, Role::Accent, c.glyphs().mark);
        if m.pane == Pane::List || layout::panes(layout::body(m)).is_none() {
            c.paint(Rect { x: line.x + 1, width: line.width - 1, ..line }, Role::Selected);
        }
    }
}

fn progress(c: &mut Canvas<'_>, x: u16, line: Rect, progress: Option<(usize, usize)>) {
    if let Some((done, all)) = progress.filter(|(_, all)| *all > 0) {
        let width = line.right().saturating_sub(x + 1).min(all as u16);
        if width >= 4 {
            chart::bar(c, x, line.y, width, Role::Warn, done, all);
        }
    }
}

/// The first `shown` of so many columns.
fn cells(c: &mut Canvas<'_>, line: Rect, app: &AppView, columns: usize, shown: usize) {
    let m: &Model = c.m;
    let usage = m.usage_of(app);
    let dash = || "–".to_owned();
    let texts = [
        format::rate(app.traffic.rate),
        app.traffic.p95_ms.map_or_else(dash, format::millis),
        usage.and_then(|u| u.cpu.last()).map_or_else(dash, format::percent),
        usage.and_then(|u| u.memory.last()).map_or_else(dash, |b| format::bytes(b as u64)),
    ];
    let mut x = line.right() - numbers_width(columns);
    for ((_, width, _), text) in NUMBERS.iter().zip(&texts).take(shown) {
        let role = if text == "–" || text == "0" { Role::Faint } else { Role::Text };
        c.right(x, line.y, *width, role, text);
        x += width;
    }
}

/// How an app looks: each state has a glyph of its own, for colours are not all there is.
pub(super) fn glyph(c: &Canvas<'_>, standing: &Standing) -> (Role, &'static str) {
    match (standing.state, &standing.reason) {
        (AppState::Running, Some(Reason::Errors { .. })) => (Role::Warn, c.glyphs().warn),
        (AppState::Running, Some(Reason::Canary { .. })) => (Role::Ok, c.glyphs().canary),
        (state, _) => state_glyph(c, state),
    }
}

fn state_glyph(c: &Canvas<'_>, state: AppState) -> (Role, &'static str) {
    let glyphs = c.glyphs();
    match state {
        AppState::Running => (Role::Ok, glyphs.serving),
        AppState::Failing => (Role::Fail, glyphs.warn),
        AppState::Changing => (Role::Warn, glyphs.busy),
        AppState::Stopped => (Role::Muted, glyphs.stopped),
        AppState::Maintenance => (Role::Muted, glyphs.maintenance),
        AppState::Paused => (Role::Muted, glyphs.paused),
        AppState::Abandoned => (Role::Warn, glyphs.unknown),
        AppState::Down | AppState::Empty => (Role::Fail, glyphs.down),
    }
}

/// How many apps somebody should look at, by their state; empty: none.
fn trouble(m: &Model) -> Vec<(Role, String)> {
    let count = |state: AppState| m.apps.values().filter(|app| m.standing(app).state == state).count();
    [AppState::Failing, AppState::Down, AppState::Abandoned, AppState::Empty]
        .into_iter()
        .map(|state| (state, count(state)))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| (Role::Fail, format!("{count} {state}")))
        .collect()
}

/// In the lower border: which part of a long list is shown.
fn more(c: &mut Canvas<'_>, area: Rect, all: usize, height: usize) {
    if all > height {
        let top = c.m.list_top;
        let text = format!(" {}–{} of {all} ", top + 1, (top + height).min(all));
        c.right(area.x, area.bottom() - 1, area.width.saturating_sub(2), Role::Muted, &text);
    }
}
