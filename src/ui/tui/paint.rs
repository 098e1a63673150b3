//! Puts frames on the terminal: only the cells that changed, in one write, inside synchronized output. A frame that
//! changes nothing writes nothing. Colours are written here and not by a library, because crossterm 0.29 cancels bold
//! and reverse under `NO_COLOR`.

use std::fmt::Write as _;
use std::io::{self, Write};

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Position;
#[cfg(test)]
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

/// The terminal's cells, as last written.
pub(crate) struct Screen<W> {
    out: W,
    shown: Option<Buffer>,
    cursor: Option<Position>,
    text: String,
}

/// What a cell looks like, as written last.
#[derive(Clone, Copy, PartialEq)]
struct Look {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

const PLAIN: Look = Look { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

impl<W: Write> Screen<W> {
    /// On this terminal; nothing is known of what it shows.
    pub(crate) fn new(out: W) -> Self {
        Self { out, shown: None, cursor: None, text: String::new() }
    }

    /// The next frame is written as a whole.
    pub(crate) fn forget(&mut self) {
        self.shown = None;
    }

    /// Writes what differs from the frame before; the bytes written.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn show(&mut self, frame: Buffer, cursor: Option<Position>) -> io::Result<usize> {
        self.text.clear();
        let fresh = self.shown.as_ref().is_none_or(|shown| shown.area() != frame.area());
        if fresh {
            self.text.push_str("\x1b[0m\x1b[2J");
        }
        let empty;
        let before = match self.shown.as_ref().filter(|_| !fresh) {
            Some(shown) => shown,
            None => {
                empty = Buffer::empty(*frame.area());
                &empty
            }
        };
        write_cells(&mut self.text, before.diff(&frame));
        if self.text.is_empty() && cursor == self.cursor {
            self.shown = Some(frame);
            return Ok(0);
        }
        let mut bytes = String::with_capacity(self.text.len() + 40);
        bytes.push_str("\x1b[?2026h");
        if self.cursor.is_some() && !self.text.is_empty() {
            bytes.push_str("\x1b[?25l");
        }
        bytes.push_str(&self.text);
        match cursor {
            Some(at) => {
                let _ = write!(bytes, "\x1b[{};{}H\x1b[?25h", at.y + 1, at.x + 1);
            }
            None if self.cursor.is_some() || fresh => bytes.push_str("\x1b[?25l"),
            None => {}
        }
        bytes.push_str("\x1b[?2026l");
        self.out.write_all(bytes.as_bytes())?;
        self.out.flush()?;
        self.cursor = cursor;
        self.shown = Some(frame);
        Ok(bytes.len())
    }

    /// Writes a sequence that moves nothing on the screen.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(crate) fn send(&mut self, sequence: &str) -> io::Result<()> {
        self.out.write_all(sequence.as_bytes())?;
        self.out.flush()
    }

    /// The cells' rectangle as shown.
    #[cfg(test)]
    pub(crate) fn area(&self) -> Option<Rect> {
        self.shown.as_ref().map(|b| *b.area())
    }
}

fn write_cells(text: &mut String, cells: Vec<(u16, u16, &Cell)>) {
    let mut next = None;
    let mut look = PLAIN;
    for (x, y, cell) in cells {
        if next != Some((x, y)) {
            let _ = write!(text, "\x1b[{};{}H", y + 1, x + 1);
        }
        let own = Look { fg: cell.fg, bg: cell.bg, modifier: cell.modifier };
        if own != look {
            change_look(text, look, own);
            look = own;
        }
        text.push_str(cell.symbol());
        // Where the cursor stands after a wide character is not the same on all terminals: say it again.
        next = (cell.symbol().len() == 1 || super::canvas::columns(cell.symbol()) == 1).then_some((x + 1, y));
    }
    if look != PLAIN {
        text.push_str("\x1b[0m");
    }
}

fn change_look(text: &mut String, from: Look, to: Look) {
    let mut codes: Vec<String> = Vec::new();
    let reset = from.modifier != to.modifier;
    if reset {
        codes.push("0".into());
        for (modifier, code) in [
            (Modifier::BOLD, "1"),
            (Modifier::DIM, "2"),
            (Modifier::ITALIC, "3"),
            (Modifier::UNDERLINED, "4"),
            (Modifier::REVERSED, "7"),
        ] {
            if to.modifier.contains(modifier) {
                codes.push(code.into());
            }
        }
    }
    if (reset && to.fg != Color::Reset) || (!reset && from.fg != to.fg) {
        codes.push(colour(to.fg, 30));
    }
    if (reset && to.bg != Color::Reset) || (!reset && from.bg != to.bg) {
        codes.push(colour(to.bg, 40));
    }
    let _ = write!(text, "\x1b[{}m", codes.join(";"));
}

/// A colour's code; `base`: 30 for the foreground, 40 for the background.
fn colour(color: Color, base: u8) -> String {
    let plain = |n: u8| (base + n).to_string();
    let bright = |n: u8| (base + 60 + n).to_string();
    match color {
        Color::Reset => plain(9),
        Color::Black => plain(0),
        Color::Red => plain(1),
        Color::Green => plain(2),
        Color::Yellow => plain(3),
        Color::Blue => plain(4),
        Color::Magenta => plain(5),
        Color::Cyan => plain(6),
        Color::Gray => plain(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(n) => format!("{};5;{n}", base + 8),
        Color::Rgb(r, g, b) => format!("{};2;{r};{g};{b}", base + 8),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Style;

    use super::*;

    fn frame(text: &str, style: Style) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
        buffer.set_string(0, 0, text, style);
        buffer
    }

    #[test]
    fn a_frame_that_changes_nothing_writes_nothing() {
        let mut screen = Screen::new(Vec::new());
        assert!(screen.show(frame("hello", Style::new()), None).unwrap() > 0);
        assert_eq!(screen.show(frame("hello", Style::new()), None).unwrap(), 0);
        let changed = screen.show(frame("hallo", Style::new()), None).unwrap();
        assert!(changed > 0 && changed < 30, "{changed}");
        assert_eq!(screen.area(), Some(Rect::new(0, 0, 10, 2)));
    }

    #[test]
    fn a_terminal_shows_what_was_drawn() {
        let mut screen = Screen::new(Vec::new());
        let style = Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD | Modifier::REVERSED);
        screen.show(frame("日本 x", style), None).unwrap();
        screen.show(frame("日a x", Style::new()), Some(Position::new(3, 1))).unwrap();
        let mut terminal = vt100::Parser::new(2.try_into().unwrap(), 10.try_into().unwrap(), 0);
        terminal.process(&screen.out);
        assert_eq!(terminal.screen().contents().trim_end(), "日a x");
        assert_eq!(terminal.screen().cursor_position(), (1, 3));
        assert!(!terminal.screen().hide_cursor());
        assert!(!terminal.screen().cell(0, 0).unwrap().bold());
    }

    #[test]
    fn bold_and_reverse_survive_without_colours() {
        let mut screen = Screen::new(Vec::new());
        screen.show(frame("x", Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)), None).unwrap();
        let text = String::from_utf8(screen.out).unwrap();
        assert!(text.contains("\x1b[0;1;7mx"), "{text:?}");
    }

    #[test]
    fn each_frame_is_one_synchronized_write() {
        struct Writes(Vec<String>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(String::from_utf8_lossy(bytes).into_owned());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut screen = Screen::new(Writes(Vec::new()));
        screen.show(frame("hello", Style::new()), None).unwrap();
        screen.show(frame("other", Style::new()), None).unwrap();
        assert_eq!(screen.out.0.len(), 2);
        assert!(screen.out.0.iter().all(|w| w.starts_with("\x1b[?2026h") && w.ends_with("\x1b[?2026l")));
    }
}
