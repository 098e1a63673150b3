//! One file a screen. All of them draw from `&Model` onto a [`Canvas`] and change nothing.

mod activity;
mod apps;
mod deploy;
mod detail;
mod dialog;
mod empty;
mod failure;
mod form;
mod frame;
mod help;
mod host;
mod lock;
mod logs;
mod menu;
mod overview;
mod release;
mod releases;
mod review;
mod settings;
mod traffic;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::canvas::Canvas;
use super::layout;
use super::model::{Model, Overlay, View};
use super::msg::Hit;
use super::palette;
use super::theme::Role;
use super::widget::keys;

pub(crate) use detail::page_height;
pub(crate) use frame::banner_rows;
pub(crate) use release::overflow as release_overflow;

/// A finished frame.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    /// Cells, in the terminal's own colours.
    pub buffer: Buffer,
    /// Where the cursor stands; `None`: it is hidden.
    pub cursor: Option<Position>,
    /// What can be clicked, outer places first.
    pub hits: Vec<(Rect, Hit)>,
}

/// Draws everything at the model's size.
pub(crate) fn draw(m: &Model) -> Drawn {
    let area = Rect::new(0, 0, m.size.0, m.size.1);
    let mut buffer = Buffer::empty(area);
    let mut c = Canvas::new(&mut buffer, m);
    if m.size.0 < layout::MIN.0 || m.size.1 < layout::MIN.1 {
        too_small(&mut c, area);
    } else {
        whole(&mut c, area);
    }
    let (cursor, hits) = (c.cursor, std::mem::take(&mut c.hits));
    palette::downgrade(&mut buffer, m.options.color, m.options.ascii, m.theme());
    Drawn { buffer, cursor, hits }
}

fn whole(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let parts = layout::frame(area, banner_rows(m));
    frame::header(c, parts.header);
    frame::banner(c, parts.banner);
    match (&m.view, &m.form) {
        (View::Deploy(op), _) if m.deploys.get(op).is_some() => deploy::draw(c, parts.body, op),
        (View::Form, Some(form)) => form::draw(c, parts.body, form),
        (View::Activity, _) => activity::draw(c, parts.body),
        (View::Host, _) => host::draw(c, parts.body),
        (View::Release(number), _) if m.app().is_some() => release::draw(c, parts.body, *number),
        _ => main(c, parts.body),
    }
    if !m.overlays.is_empty() {
        c.hits.clear();
        c.cursor = None;
    }
    for overlay in &m.overlays {
        match overlay {
            Overlay::Help { scroll } => help::keys(c, area, *scroll),
            Overlay::Problems { scroll } => help::problems(c, area, *scroll),
            Overlay::Menu(menu) => menu::actions(c, area, menu),
            Overlay::Palette(palette) => menu::palette(c, area, palette),
            Overlay::Confirm(confirm) => dialog::confirm(c, area, confirm),
            Overlay::Filter(_) | Overlay::Search(_) => {}
        }
    }
    footer(c, parts.footer);
}

fn main(c: &mut Canvas<'_>, body: Rect) {
    let m = c.m;
    if m.rows().is_empty() && m.filter.is_empty() {
        return empty::draw(c, body);
    }
    match layout::panes(body) {
        Some((list, detail)) => {
            apps::draw(c, list);
            detail::draw(c, detail);
        }
        None if m.pane == super::model::Pane::List => apps::draw(c, body),
        None => detail::draw(c, body),
    }
}

fn footer(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    c.clear(area);
    match m.overlays.last() {
        Some(Overlay::Filter(input)) => return frame::prompt(c, area, "filter", input),
        Some(Overlay::Search(input)) => return frame::prompt(c, area, "search", input),
        _ => {}
    }
    if let Some((text, _)) = &m.notice {
        c.text(area.x + 1, area.y, area.width.saturating_sub(2), Role::Strong, text);
        return;
    }
    let contexts = m.contexts();
    keys::footer(c, area, &contexts);
}

fn too_small(c: &mut Canvas<'_>, area: Rect) {
    let (columns, rows) = layout::MIN;
    let text =
        format!("once needs a terminal of at least {columns} x {rows}; this one is {} x {}", area.width, area.height);
    let lines = super::canvas::wrap(&text, usize::from(area.width.max(1))).len() as u16;
    let y = area.height.saturating_sub(lines) / 2;
    c.paragraph(Rect { y, height: area.height.saturating_sub(y), ..area }, Role::Warn, &text);
}
