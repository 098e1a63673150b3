//! Brings a finished frame down to what the terminal can show, in one pass: no screen asks how many colours there are.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::glyph;
use super::theme::Theme;

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// `NO_COLOR`: bold, dim and reverse are left.
    None,
    /// The user's own 16.
    Ansi,
    /// xterm's 256.
    Indexed,
    /// All.
    True,
}

impl Depth {
    /// From the environment's `NO_COLOR`, `COLORTERM` and `TERM`.
    #[must_use]
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        if var("NO_COLOR").is_some_and(|v| !v.is_empty()) {
            return Self::None;
        }
        let term = var("TERM").unwrap_or_default();
        if var("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit") || term.contains("direct") {
            return Self::True;
        }
        if term.contains("256color") { Self::Indexed } else { Self::Ansi }
    }
}

/// Changes colours and glyphs of a frame in place.
pub(crate) fn downgrade(buffer: &mut Buffer, depth: Depth, ascii: bool, theme: &Theme) {
    let (r, g, b) = theme.selected.0.rgb;
    let selected = Color::Rgb(r, g, b);
    for cell in &mut buffer.content {
        if ascii && let Some(plain) = glyph::to_ascii(cell.symbol()) {
            cell.set_symbol(plain);
        }
        if depth == Depth::True {
            continue;
        }
        if depth <= Depth::Ansi && cell.bg == selected {
            (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            cell.modifier.insert(Modifier::REVERSED);
        }
        if depth == Depth::None && cell.fg != Color::Reset && theme.is_faint(cell.fg) {
            cell.modifier.insert(Modifier::DIM);
        }
        cell.fg = lower(cell.fg, depth, theme);
        cell.bg = lower(cell.bg, depth, theme);
    }
}

fn lower(color: Color, depth: Depth, theme: &Theme) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    match depth {
        Depth::None => Color::Reset,
        Depth::Ansi => theme.tones().find(|t| t.rgb == (r, g, b)).map_or(Color::Reset, |t| t.ansi),
        Depth::Indexed => Color::Indexed(nearest_indexed(r, g, b)),
        Depth::True => color,
    }
}

/// The nearest of xterm's colour cube and grey ramp; the first 16 are left to the user's palette.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance = |(x, y, z): (u8, u8, u8)| {
        let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        d(x, r) + d(y, g) + d(z, b)
    };
    let step = |c: u8| (0..6u8).min_by_key(|i| STEPS[usize::from(*i)].abs_diff(c)).unwrap_or(0);
    let (x, y, z) = (step(r), step(g), step(b));
    let cube = distance((STEPS[usize::from(x)], STEPS[usize::from(y)], STEPS[usize::from(z)]));
    let level = |i: u8| 8 + 10 * i;
    let grey = (0..24u8).min_by_key(|i| distance((level(*i), level(*i), level(*i)))).unwrap_or(0);
    if distance((level(grey), level(grey), level(grey))) < cube { 232 + grey } else { 16 + 36 * x + 6 * y + z }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::super::theme::{DARK, LIGHT, Role};
    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        |key| pairs.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn depth_comes_from_the_environment() {
        assert_eq!(Depth::detect(env(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")])), Depth::None);
        assert_eq!(Depth::detect(env(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")])), Depth::True);
        assert_eq!(Depth::detect(env(&[("TERM", "xterm-256color")])), Depth::Indexed);
        assert_eq!(Depth::detect(env(&[("TERM", "linux")])), Depth::Ansi);
    }

    #[test]
    fn no_colour_is_left_below_its_depth_and_selection_stays_visible() {
        for theme in [&DARK, &LIGHT] {
            for role in [Role::Muted, Role::Faint, Role::Accent, Role::Ok, Role::Warn, Role::Fail, Role::Selected] {
                for depth in [Depth::None, Depth::Ansi, Depth::Indexed] {
                    let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
                    buffer.set_string(0, 0, "a·b", theme.style(role, 1));
                    downgrade(&mut buffer, depth, true, theme);
                    let cell = &buffer[(1, 0)];
                    assert_eq!(cell.symbol(), "-");
                    assert!(!matches!(cell.fg, Color::Rgb(..)) && !matches!(cell.bg, Color::Rgb(..)));
                    assert!(depth != Depth::None || (cell.fg, cell.bg) == (Color::Reset, Color::Reset));
                    let reversed = cell.modifier.contains(Modifier::REVERSED);
                    assert_eq!(reversed, role == Role::Selected && depth <= Depth::Ansi);
                }
            }
        }
        assert_eq!(Style::new().fg(Color::Indexed(nearest_indexed(255, 0, 0))), Style::new().fg(Color::Indexed(196)));
        assert_eq!(nearest_indexed(128, 128, 128), 244);
    }
}
