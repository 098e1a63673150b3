//! Pictures of the console for the README, made of the real buffer. The test says when they are stale.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::canvas::columns;
use super::console::ConsoleOptions;
use super::model::Model;
use super::theme::Theme;
use super::{screen, snapshots};

/// Size of a cell in the picture's own units: a monospace font of 14 is 8.4 wide.
const CELL: (f64, f64) = (8.4, 18.0);

/// Around the screen.
const EDGE: f64 = 14.0;

/// A frame as an SVG in the colours of a theme.
fn svg(buffer: &Buffer, theme: &Theme, title: &str) -> String {
    let area = *buffer.area();
    let (width, height) = (f64::from(area.width) * CELL.0 + 2.0 * EDGE, f64::from(area.height) * CELL.1 + 2.0 * EDGE);
    let (page, ink) = theme.page;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#{page:06x}\"/>\n\
         <g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"14\" \
         fill=\"#{ink:06x}\" xml:space=\"preserve\">\n"
    );
    for y in 0..area.height {
        row(&mut text, buffer, y, page, ink);
    }
    text.push_str("</g>\n</svg>\n");
    text
}

/// Runs of one look; each says its width, so that columns stay aligned in any font.
fn row(text: &mut String, buffer: &Buffer, y: u16, page: u32, ink: u32) {
    let area = *buffer.area();
    let mut x = 0;
    while x < area.width {
        let first = &buffer[(x, y)];
        let look = (first.fg, first.bg, first.modifier);
        let start = x;
        let mut run = String::new();
        while x < area.width {
            let cell = &buffer[(x, y)];
            if (cell.fg, cell.bg, cell.modifier) != look {
                break;
            }
            run.push_str(cell.symbol());
            x += (columns(cell.symbol()) as u16).max(1);
        }
        let (mut fg, mut bg) = (hex(look.0, ink), hex(look.1, page));
        if look.2.contains(Modifier::REVERSED) {
            std::mem::swap(&mut fg, &mut bg);
        }
        let (left, top) = (EDGE + f64::from(start) * CELL.0, EDGE + f64::from(y) * CELL.1);
        let wide = f64::from(x - start) * CELL.0;
        if bg != page {
            let _ = writeln!(
                text,
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"{:.1}\" fill=\"#{bg:06x}\"/>",
                CELL.1
            );
        }
        if run.trim().is_empty() {
            continue;
        }
        let lead = run.len() - run.trim_start().len();
        let shown = run.trim();
        let (left, wide) = (left + lead as f64 * CELL.0, columns(shown) as f64 * CELL.0);
        let bold = if look.2.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
        let line = if look.2.contains(Modifier::UNDERLINED) { " text-decoration=\"underline\"" } else { "" };
        let colour = if fg == ink { String::new() } else { format!(" fill=\"#{fg:06x}\"") };
        let escaped = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            text,
            "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{wide:.1}\" lengthAdjust=\"spacingAndGlyphs\"{colour}{bold}{line}>{escaped}</text>",
            top + 13.5
        );
    }
}

fn hex(color: Color, plain: u32) -> u32 {
    match color {
        Color::Rgb(r, g, b) => u32::from(r) << 16 | u32::from(g) << 8 | u32::from(b),
        _ => plain,
    }
}

fn scene(name: &str) -> Model {
    let (_, draw) = snapshots::SCENES.iter().find(|(n, _)| *n == name).unwrap();
    draw(120, 30, ConsoleOptions::default())
}

#[test]
fn the_pictures_of_the_readme_are_fresh() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs");
    let renew = std::env::var_os("ONCE_PICTURES").is_some();
    for (file, name, title) in [
        ("console.svg", "apps", "The console of once: all apps of a host, and one of them"),
        ("deploy.svg", "deploy", "A deploy without downtime, as the console of once shows it"),
    ] {
        let m: Model = scene(name);
        let fresh = svg(&screen::draw(&m).buffer, m.theme(), title);
        let path = folder.join(file);
        if renew {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &fresh).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == fresh, "docs/{file} is stale: ONCE_PICTURES=1 cargo test -p once-tui picture makes it anew");
        assert!(!fresh.contains('\u{1b}'));
    }
}
