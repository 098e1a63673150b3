//! The Settings tab: what holds, to read. `e` opens the form.

use ratatui::layout::Rect;

use once_app::{Field, Section, Settings};

use super::super::canvas::Canvas;
use super::super::model::{AppView, text_of};
use super::super::theme::Role;

/// Draws the page; its height.
pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) -> u16 {
    let Some(settings) = app.settings() else {
        c.text(area.x, area.y + 1, area.width, Role::Muted, "it has never served, so nothing is set");
        return 2;
    };
    let mut y = area.y;
    for (i, (section, rows)) in rows(settings, c.glyphs().mask).into_iter().enumerate() {
        y += u16::from(i > 0);
        c.text(area.x, y, area.width, Role::Strong, section);
        y += 1;
        for (label, value) in rows {
            c.text(area.x, y, 18, Role::Muted, &label);
            c.text(area.x + 19, y, area.width.saturating_sub(19), Role::Text, &value);
            y += 1;
        }
    }
    y + 1 - area.y
}

/// All that is set, by section.
pub(super) fn rows(settings: &Settings, mask: &str) -> Vec<(&'static str, Vec<(String, String)>)> {
    let mut fields: Vec<Field> = Field::ALL.to_vec();
    fields.sort_by_key(|f| f.section());
    let mut sections: Vec<(&'static str, Vec<(String, String)>)> = Vec::new();
    for field in fields {
        let rows = shown(field, settings, mask);
        let section = name(field.section());
        match sections.last_mut() {
            _ if rows.is_empty() => {}
            Some((last, all)) if *last == section => all.extend(rows),
            _ => sections.push((section, rows)),
        }
    }
    sections
}

/// A section's name.
pub(super) fn name(section: Section) -> &'static str {
    match section {
        Section::Application => "Application",
        Section::Network => "Network",
        Section::Protection => "Protection",
        Section::Environment => "Environment",
        Section::Email => "Email",
        Section::Resources => "Resources",
        Section::Updates => "Updates",
    }
}

/// Rows of a field: what is not set is left out.
fn shown(field: Field, s: &Settings, mask: &str) -> Vec<(String, String)> {
    match field {
        Field::Env => s
            .env
            .iter()
            .map(|(k, v)| (k.to_string(), if v.secret { mask.into() } else { v.value.expose().to_owned() }))
            .collect(),
        Field::Volume => s.volumes.iter().map(|(target, source)| (target.to_string(), source.to_string())).collect(),
        Field::Network => s.networks.iter().map(|n| ("Network".into(), n.clone())).collect(),
        Field::Label => s.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        Field::SmtpPassword => match s.smtp.as_ref().and_then(|m| m.password.as_ref()) {
            Some(_) => vec![(field.label().into(), mask.into())],
            None => Vec::new(),
        },
        Field::BasicAuth => s.web.basic_auth.keys().map(|user| (user.to_string(), mask.into())).collect(),
        Field::AllowIp => s.web.allow_ip.iter().map(|range| (field.label().into(), range.to_string())).collect(),
        Field::StripPrefix | Field::DefaultApp | Field::TlsRedirect | Field::Compress | Field::Upstream => {
            s.web.text(field).into_iter().map(|text| (field.label().into(), text)).collect()
        }
        Field::WatchTime if s.watch_time.is_zero() => Vec::new(),
        field => {
            let text = text_of(field, s);
            if text.is_empty() { Vec::new() } else { vec![(field.label().into(), text)] }
        }
    }
}
