//! Where things stand for a size of the terminal. Pure, so that `update` and the screens agree on it.

use ratatui::layout::Rect;

use super::model::Model;
use super::screen;

/// The smallest terminal that is drawn on.
pub(crate) const MIN: (u16, u16) = (40, 15);

/// From here on list and detail stand side by side.
pub(crate) const WIDE: u16 = 100;

/// The parts of the main screen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// The line at the top.
    pub header: Rect,
    /// What is wrong, first.
    pub banner: Rect,
    /// Between the lines.
    pub body: Rect,
    /// The line of keys.
    pub footer: Rect,
}

/// Header, banner, body, footer.
pub(crate) fn frame(area: Rect, banner: u16) -> Frame {
    let line = |y| Rect { y, height: 1.min(area.height), ..area };
    let top = 1.min(area.height);
    let banner = banner.min(area.height.saturating_sub(2));
    let body = Rect { y: area.y + top + banner, height: area.height.saturating_sub(2 + banner), ..area };
    Frame {
        header: line(area.y),
        banner: Rect { y: area.y + top, height: banner, ..area },
        body,
        footer: line(area.y + area.height.saturating_sub(1)),
    }
}

/// List and detail side by side; `None`: there is room for one of them.
pub(crate) fn panes(body: Rect) -> Option<(Rect, Rect)> {
    if body.width < WIDE {
        return None;
    }
    let width = (body.width * 42 / 100).clamp(48, 62);
    let list = Rect { width, ..body };
    Some((list, Rect { x: body.x + width, width: body.width - width, ..body }))
}

/// Rows of apps that fit in the list: without its border and its heading.
pub(crate) fn list_rows(m: &Model) -> usize {
    usize::from(body(m).height.saturating_sub(3))
}

/// The part between banner and footer.
pub(crate) fn body(m: &Model) -> Rect {
    frame(Rect::new(0, 0, m.size.0, m.size.1), screen::banner_rows(m)).body
}

/// The inside of a bordered box.
pub(crate) fn inner(area: Rect) -> Rect {
    Rect {
        x: area.x + 1.min(area.width),
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

/// The part of the detail below its tabs.
pub(crate) fn tab_body(detail: Rect) -> Rect {
    let inner = inner(detail);
    let top = 2.min(inner.height);
    Rect {
        x: inner.x + 1.min(inner.width),
        y: inner.y + top,
        width: inner.width.saturating_sub(2),
        height: inner.height - top,
    }
}

/// The detail's rectangle.
pub(crate) fn detail(m: &Model) -> Rect {
    let body = body(m);
    panes(body).map_or(body, |(_, detail)| detail)
}

/// How far the page shown in the detail can be scrolled.
pub(crate) fn detail_overflow(m: &Model) -> usize {
    let body = tab_body(detail(m));
    screen::page_height(m, body.width).saturating_sub(usize::from(body.height))
}

/// A box of this size in the middle of an area, cut to it.
pub(crate) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
