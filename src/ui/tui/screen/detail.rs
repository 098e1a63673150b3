//! The selected app: its tabs and what is on them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns};
use super::super::layout;
use super::super::model::{AppView, Model, Pane, RowKey, Tab, word};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::{apps, logs, overview, releases, settings, traffic};

/// Rows a page is measured on: more than any page has.
const TALL: u16 = 300;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect) {
    let m = c.m;
    let focused = m.pane == Pane::Detail;
    match &m.selected {
        Some(RowKey::App(name)) => {
            let Some(app) = m.apps.get(name) else { return nothing(c, area) };
            let standing = m.standing(app);
            let (role, glyph) = apps::glyph(c, &standing);
            let host = app.host();
            let word = match word(&standing) {
                word if word.is_empty() => standing.state.to_string(),
                word => word,
            };
            let locked = if m.locks_of(name).0.is_some() { "  locked" } else { "" };
            let title = [
                (role, glyph),
                (Role::Text, " "),
                (Role::Strong, host.as_str()),
                (Role::Faint, "  "),
                (role, word.as_str()),
                (Role::Warn, locked),
            ];
            let inner = c.panel(area, &title, focused);
            c.hits.push((area, Hit::Detail));
            tabs(c, inner);
            body(c, layout::tab_body(area), app);
            if !m.is_fresh() && m.tab != Tab::Logs {
                c.fade(layout::tab_body(area));
            }
        }
        Some(RowKey::Orphan(id)) => orphan(c, area, id),
        Some(RowKey::Birth(op)) => {
            let title = m.deploys.get(op).map(|w| w.title.clone()).unwrap_or_default();
            let inner = c.panel(area, &[(Role::Strong, &title)], focused);
            let text = "This app is being deployed for the first time. Enter shows the deploy.";
            c.paragraph(layout::centred(inner, inner.width.saturating_sub(4), 4), Role::Muted, text);
        }
        None => nothing(c, area),
    }
}

fn nothing(c: &mut Canvas<'_>, area: Rect) {
    c.panel(area, &[], false);
}

fn tabs(c: &mut Canvas<'_>, inner: Rect) {
    let m = c.m;
    let names: usize = Tab::ALL.iter().map(|t| columns(t.name()) + 3).sum();
    // Where they do not all fit, the names shrink to what still tells them apart.
    let short = names > usize::from(inner.width);
    let mut x = inner.x + 1;
    for tab in Tab::ALL {
        let current = tab == m.tab;
        let name = if short && !current { tab.short() } else { tab.name() };
        let start = x;
        if current {
            x += c.text(x, inner.y, inner.right().saturating_sub(x), Role::Accent, name);
            c.buffer.set_style(
                Rect { x: start, y: inner.y, width: x - start, height: 1 },
                ratatui::style::Style::new()
                    .add_modifier(ratatui::style::Modifier::BOLD | ratatui::style::Modifier::UNDERLINED),
            );
        } else {
            x += c.text(x, inner.y, inner.right().saturating_sub(x), Role::Muted, name);
        }
        c.hits.push((Rect { x: start, y: inner.y, width: x - start, height: 1 }, Hit::Tab(tab)));
        x += if short { 2 } else { 3 };
    }
}

fn body(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    match c.m.tab {
        Tab::Logs => logs::draw(c, area, app),
        Tab::Releases => releases::draw(c, area, app),
        tab => {
            let m = c.m;
            let (page, height) = page(m, area.width, app, tab);
            let scroll = m.detail_at.min(usize::from(height.saturating_sub(area.height))) as u16;
            for y in 0..area.height.min(height) {
                for x in 0..area.width {
                    c.buffer[(area.x + x, area.y + y)] = page[(x, y + scroll)].clone();
                }
            }
            if height > area.height + scroll {
                c.right(area.x, area.bottom(), area.width, Role::Muted, " more below ");
            }
        }
    }
}

/// Draws a page at its full height, for scrolling.
fn page(m: &Model, width: u16, app: &AppView, tab: Tab) -> (Buffer, u16) {
    let area = Rect::new(0, 0, width, TALL);
    let mut buffer = Buffer::empty(area);
    let mut c = Canvas::new(&mut buffer, m);
    let height = match tab {
        Tab::Traffic => traffic::draw(&mut c, area, app),
        Tab::Settings => settings::draw(&mut c, area, app),
        _ => overview::draw(&mut c, area, app),
    };
    (buffer, height)
}

/// Rows the page that is shown has.
pub(crate) fn page_height(m: &Model, width: u16) -> usize {
    m.app().map_or(0, |app| usize::from(page(m, width, app, m.tab).1))
}

fn orphan(c: &mut Canvas<'_>, area: Rect, id: &str) {
    let m = c.m;
    let Some(container) = m.containers.iter().find(|k| k.id == id) else { return nothing(c, area) };
    let title = [(Role::Warn, c.glyphs().unknown), (Role::Text, " "), (Role::Strong, container.name.as_str())];
    c.panel(area, &title, m.pane == Pane::Detail);
    let inner = layout::tab_body(area);
    let image = format!("image   {}", container.image);
    let state = format!("state   {}", container.status);
    let texts = [
        "This container carries our labels, but no app that the proxy remembers owns it.".to_owned(),
        String::new(),
        image,
        state,
        String::new(),
        "Either the record of its app was lost, or a change that was cut off left it behind. Nothing is done about it by itself.".into(),
        String::new(),
        format!("If it is to be an app again:  once adopt {}", container.name),
        format!("If nobody needs it:  docker rm -f {}", container.name),
        String::new(),
        "H shows everything that is wrong here, and mends what can be mended.".into(),
    ];
    let mut y = inner.y;
    for text in &texts {
        let left = inner.bottom().saturating_sub(y);
        y += c.paragraph(Rect { y, height: left, ..inner }, Role::Text, text).max(1);
    }
}
