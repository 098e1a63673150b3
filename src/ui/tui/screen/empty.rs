//! A host without apps: how to get the first one. Shown only after a successful empty answer; before it, what is
//! being waited for.

use ratatui::layout::Rect;

use super::super::canvas::{Canvas, columns};
use super::super::layout;
use super::super::model::Link;
use super::super::theme::Role;

/// The name, drawn large.
const LOGO: &str = include_str!("../../../../assets/logo.txt");

pub(super) fn draw(c: &mut Canvas<'_>, body: Rect) {
    let m = c.m;
    let inner = c.panel(body, &[(Role::Strong, "Apps "), (Role::Muted, "0")], true);
    let known = matches!((&m.engine, &m.proxy), (Link::Up, Link::Up | Link::Absent));
    let lines: Vec<(Role, String)> = if known {
        let mut lines = vec![
            (Role::Strong, "No app here yet.".to_owned()),
            (Role::Text, String::new()),
            (Role::Text, "n  installs the first one, from any image".into()),
            (Role::Text, String::new()),
            (Role::Muted, "The same from a shell or a CI job:".into()),
            (Role::Accent, "once deploy ghcr.io/acme/shop:1.5.0 --host shop.example.com".into()),
        ];
        if m.options.read_only {
            lines.truncate(1);
        }
        lines
    } else {
        let what = if m.engine.reason().is_some() {
            "Nothing is known about the apps of this host: its engine does not answer."
        } else if m.engine.is_up() {
            "Asking the proxy for the apps of this host"
        } else {
            "Connecting to the container engine"
        };
        vec![(Role::Muted, what.into())]
    };
    let logo: Vec<&str> = LOGO.lines().collect();
    let with_logo = inner.height as usize > lines.len() + logo.len() + 4 && !m.options.ascii;
    let logo = if with_logo { logo } else { Vec::new() };
    let height = lines.len() + logo.len() + 2;
    let width = lines.iter().map(|(_, l)| columns(l)).max().unwrap_or(0);
    let area = layout::centred(inner, width as u16, height as u16);
    let mut y = area.y;
    let logo_width = logo.iter().map(|l| columns(l)).max().unwrap_or(0) as u16;
    for line in &logo {
        c.text(inner.x + inner.width.saturating_sub(logo_width) / 2, y, inner.width, Role::Accent, line);
        y += 1;
    }
    y += u16::from(with_logo) * 2;
    for (role, line) in &lines {
        let rect = Rect { x: area.x, y, width: area.width, height: area.bottom().max(y).saturating_sub(y).max(2) };
        y += c.paragraph(rect, *role, line).max(1);
    }
}
