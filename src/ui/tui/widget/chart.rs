//! Sparklines, bars and charts of block characters: a column a sample, so a new sample shifts and repaints little.

use ratatui::layout::Rect;

use super::super::canvas::Canvas;
use super::super::format::rate;
use super::super::theme::Role;

/// A line of bars for the newest values, the highest of `ceiling` and the values being full height.
pub(crate) fn spark(c: &mut Canvas<'_>, x: u16, y: u16, width: u16, role: Role, values: &[f64], ceiling: f64) {
    let levels = c.glyphs().levels;
    let top = values.iter().copied().fold(ceiling, f64::max).max(f64::MIN_POSITIVE);
    let skip = values.len().saturating_sub(usize::from(width));
    let shown = &values[skip..];
    let start = x + width - shown.len() as u16;
    for (i, value) in shown.iter().enumerate() {
        // Something is never drawn as nothing.
        let level = if *value <= 0.0 { 1.0 } else { (value / top * 8.0).ceil().clamp(1.0, 8.0) };
        let own = if *value <= 0.0 { Role::Faint } else { role };
        c.text(start + i as u16, y, 1, own, levels[level as usize]);
    }
}

/// A chart of requests a second with its axis; columns with errors have their own colour.
pub(crate) fn requests(c: &mut Canvas<'_>, area: Rect, per_second: &[u32], errors: &[u32]) {
    const AXIS: u16 = 7;
    if area.width < AXIS + 4 || area.height < 2 {
        return;
    }
    let width = area.width - AXIS;
    let shown = tail(per_second, usize::from(width));
    let bad = tail(errors, shown.len());
    let ceiling = nice(shown.iter().copied().max().unwrap_or(0));
    let levels = c.glyphs().levels;
    let full = f64::from(area.height) * 8.0;
    for row in 0..area.height {
        let y = area.bottom() - 1 - row;
        let label = match row {
            0 => "0".to_owned(),
            r if r == area.height - 1 => rate(f64::from(ceiling)),
            _ => String::new(),
        };
        c.right(area.x, y, AXIS - 2, Role::Muted, &label);
        let tick = if c.m.options.ascii {
            "|"
        } else if label.is_empty() {
            "│"
        } else {
            "┤"
        };
        c.text(area.x + AXIS - 1, y, 1, Role::Faint, tick);
        for (i, value) in shown.iter().enumerate() {
            let x = area.x + AXIS + (usize::from(width) - shown.len() + i) as u16;
            let height = (f64::from(*value) / f64::from(ceiling) * full).ceil();
            let level = (height - f64::from(row) * 8.0).clamp(0.0, 8.0) as usize;
            let is_bad = bad.get(i + bad.len() - shown.len().min(bad.len())).is_some_and(|n| *n > 0);
            match level {
                0 if row == 0 => c.text(x, y, 1, Role::Faint, levels[1]),
                0 => 0,
                level => c.text(x, y, 1, if is_bad { Role::Fail } else { Role::Accent }, levels[level]),
            };
        }
    }
}

/// How much of something is done.
pub(crate) fn bar(c: &mut Canvas<'_>, x: u16, y: u16, width: u16, role: Role, done: usize, all: usize) {
    let full = (usize::from(width) * done.min(all)).checked_div(all).unwrap_or(0);
    let (on, off) = (c.glyphs().levels[3], c.glyphs().levels[1]);
    for i in 0..usize::from(width) {
        let (role, glyph) = if i < full { (role, on) } else { (Role::Faint, off) };
        c.text(x + i as u16, y, 1, role, glyph);
    }
}

fn tail<T>(values: &[T], n: usize) -> &[T] {
    &values[values.len().saturating_sub(n)..]
}

/// The next of 1, 2, 5, 10, 20, 50 …: an axis that changes rarely.
fn nice(n: u32) -> u32 {
    let mut step = 1u32;
    loop {
        for factor in [1, 2, 5] {
            let top = step.saturating_mul(factor);
            if top >= n || top == u32::MAX {
                return top.max(1);
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (n, top) in [(0, 1), (1, 1), (3, 5), (11, 20), (48, 50), (51, 100), (4_000_000_000, u32::MAX)] {
            assert_eq!(nice(n), top, "{n}");
        }
    }
}
