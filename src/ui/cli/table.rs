//! Aligned columns. Cells may hold untrusted text: they are made safe here, once.

use unicode_width::UnicodeWidthStr as _;

use super::output::{Output, STRONG, styled};
use once_text::sanitize;

/// Rows of cells under headings.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|c| sanitize::line(&c).into_owned()).collect());
    }

    pub(crate) fn print(&self, out: &mut Output) {
        let lines = self.lines();
        let mut lines = lines.iter();
        if let Some(headings) = lines.next() {
            out.data(&styled(STRONG, headings));
        }
        for line in lines {
            out.data(line);
        }
    }

    fn lines(&self) -> Vec<String> {
        let headings = self.headings.iter().map(|h| (*h).to_owned()).collect();
        let all: Vec<&Vec<String>> = std::iter::once(&headings).chain(&self.rows).collect();
        let width = |column| all.iter().filter_map(|r| r.get(column)).map(|c: &String| c.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let line = |row: &&Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| {
                // Formatting pads by characters; wide ones need fewer blanks.
                format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_in_line_and_cells_are_safe() {
        let mut table = Table::new(&["NAME", "NOTE"]);
        table.row(["日本".to_owned(), "x".to_owned()]);
        table.row(["a".to_owned(), "\x1b[31mred".to_owned()]);
        assert_eq!(table.lines(), ["NAME  NOTE", "日本  x", r"a     \u{1b}[31mred"]);
    }
}
