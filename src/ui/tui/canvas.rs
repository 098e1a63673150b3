//! What screens draw on: text by role, cut to its columns, made safe on the way. One place knows cells.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use once_text::sanitize;

use super::glyph::Glyphs;
use super::model::Model;
use super::msg::Hit;
use super::theme::Role;

/// A piece of a line.
pub(crate) type Piece<'a> = (Role, &'a str);

/// A frame being drawn.
pub(crate) struct Canvas<'a> {
    /// The cells.
    pub buffer: &'a mut Buffer,
    /// What is drawn.
    pub m: &'a Model,
    /// Where the cursor stands; `None`: it is hidden.
    pub cursor: Option<Position>,
    /// What can be clicked.
    pub hits: Vec<(Rect, Hit)>,
}

impl<'a> Canvas<'a> {
    /// On these cells.
    pub(crate) fn new(buffer: &'a mut Buffer, m: &'a Model) -> Self {
        Self { buffer, m, cursor: None, hits: Vec::new() }
    }

    /// All of it.
    pub(crate) fn area(&self) -> Rect {
        *self.buffer.area()
    }

    /// The characters to draw with.
    pub(crate) fn glyphs(&self) -> &'static Glyphs {
        self.m.glyphs()
    }

    /// How a role looks.
    pub(crate) fn style(&self, role: Role) -> Style {
        self.m.theme().style(role, self.host_colour())
    }

    fn host_colour(&self) -> usize {
        let name = self.m.engine_info.as_ref().map_or(self.m.options.engine_label.as_str(), |e| e.name.as_str());
        name.bytes().fold(0usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b)))
    }

    /// Writes a text into at most `width` columns; the columns used.
    pub(crate) fn text(&mut self, x: u16, y: u16, width: u16, role: Role, text: &str) -> u16 {
        let style = self.style(role);
        self.styled(x, y, width, style, text)
    }

    /// [`Canvas::text`] in a style of its own.
    pub(crate) fn styled(&mut self, x: u16, y: u16, width: u16, style: Style, text: &str) -> u16 {
        let area = self.area();
        if y < area.top() || y >= area.bottom() || x >= area.right() || x < area.left() {
            return 0;
        }
        let width = width.min(area.right() - x);
        let safe = sanitize::line(text);
        let text = fit(&safe, usize::from(width), self.glyphs().ellipsis);
        self.buffer.set_stringn(x, y, &text, usize::from(width), style).0.saturating_sub(x)
    }

    /// Writes pieces one after another into at most `width` columns; the columns used.
    pub(crate) fn line(&mut self, x: u16, y: u16, width: u16, pieces: &[Piece<'_>]) -> u16 {
        let mut used = 0;
        for (role, text) in pieces {
            if used >= width {
                break;
            }
            used += self.text(x + used, y, width - used, *role, text);
        }
        used
    }

    /// Writes a text that ends at the right of `width` columns.
    pub(crate) fn right(&mut self, x: u16, y: u16, width: u16, role: Role, text: &str) {
        let own = columns(text).min(usize::from(width)) as u16;
        self.text(x + width - own, y, own, role, text);
    }

    /// Gives cells a style, keeping their characters.
    pub(crate) fn paint(&mut self, area: Rect, role: Role) {
        let style = self.style(role);
        let area = area.intersection(self.area());
        self.buffer.set_style(area, style);
    }

    /// Makes cells blank.
    pub(crate) fn clear(&mut self, area: Rect) {
        for position in area.intersection(self.area()).positions() {
            self.buffer[position].reset();
        }
    }

    /// Dims cells, for what is not as of now or lies below something.
    pub(crate) fn fade(&mut self, area: Rect) {
        let style = self.style(Role::Faint);
        for position in area.intersection(self.area()).positions() {
            let cell = &mut self.buffer[position];
            cell.set_style(style);
            cell.modifier.remove(Modifier::BOLD | Modifier::REVERSED);
            cell.bg = ratatui::style::Color::Reset;
        }
    }

    /// A box with a title; its inside.
    pub(crate) fn panel(&mut self, area: Rect, title: &[Piece<'_>], focused: bool) -> Rect {
        let area = area.intersection(self.area());
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let set = self.glyphs().border;
        let role = if focused { Role::Accent } else { Role::Faint };
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        for x in area.left() + 1..right {
            self.text(x, area.top(), 1, role, set.horizontal_top);
            self.text(x, bottom, 1, role, set.horizontal_bottom);
        }
        for y in area.top() + 1..bottom {
            self.text(area.left(), y, 1, role, set.vertical_left);
            self.text(right, y, 1, role, set.vertical_right);
        }
        for (x, y, corner) in [
            (area.left(), area.top(), set.top_left),
            (right, area.top(), set.top_right),
            (area.left(), bottom, set.bottom_left),
            (right, bottom, set.bottom_right),
        ] {
            self.text(x, y, 1, role, corner);
        }
        if area.width > 6 && !title.is_empty() {
            self.text(area.left() + 1, area.top(), 1, role, " ");
            let used = self.line(area.left() + 2, area.top(), area.width - 4, title);
            self.text(area.left() + 2 + used, area.top(), 1, role, " ");
        }
        super::layout::inner(area)
    }

    /// A text of several lines, wrapped at words; the rows used.
    pub(crate) fn paragraph(&mut self, area: Rect, role: Role, text: &str) -> u16 {
        let safe = sanitize::line(text).into_owned();
        let mut y = area.y;
        for line in wrap(&safe, usize::from(area.width)) {
            if y >= area.bottom() {
                break;
            }
            self.text(area.x, y, area.width, role, &line);
            y += 1;
        }
        y - area.y
    }
}

/// The columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// A text cut to so many columns, with a sign where something is missing.
pub(crate) fn fit(text: &str, width: usize, ellipsis: char) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        let own = c.width().unwrap_or(0);
        if used + own + 1 > width {
            break;
        }
        used += own;
        fitted.push(c);
    }
    if width > 0 {
        fitted.push(ellipsis);
    }
    fitted
}

/// A text broken at words into lines of at most so many columns; words that are too long are broken too.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && columns(&line) + 1 + columns(&word) > width {
            lines.push(std::mem::take(&mut line));
        }
        while columns(&word) > width {
            let head: String = {
                let mut used = 0;
                word.chars()
                    .take_while(|c| {
                        used += c.width().unwrap_or(0);
                        used <= width
                    })
                    .collect()
            };
            // A character wider than the line itself would never fit.
            let taken = head.len().max(word.chars().next().map_or(1, char::len_utf8));
            lines.push(head);
            word = word[taken..].to_owned();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_columns_not_bytes() {
        assert_eq!(fit("shop.example.com", 8, '…'), "shop.ex…");
        assert_eq!(fit("日本語日本語", 7, '…'), "日本語…");
        assert_eq!(fit("日本語", 6, '…'), "日本語");
        assert_eq!(fit("ab", 1, '…'), "…");
        assert_eq!(fit("ab", 0, '…'), "");
    }

    #[test]
    fn texts_are_wrapped_at_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("日本", 1), ["", "", ""]);
        assert_eq!(wrap("", 5), [""]);
    }
}
