//! One release in full: what `once show --release` tells.

use ratatui::layout::Rect;

use once_app::{Release, ReleaseNumber, ReleaseStatus, StepState};

use super::super::canvas::{Canvas, wrap};
use super::super::format;
use super::super::layout;
use super::super::model::{AppView, Model};
use super::super::theme::Role;
use super::{releases, settings};

/// Columns of the labels on the left.
const LABEL: usize = 12;

type Line = (Role, String);

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, number: ReleaseNumber) {
    let m = c.m;
    let Some(app) = m.app() else { return };
    let title = format!("{} release {number}", app.host());
    let inner = c.panel(area, &[(Role::Strong, &title)], true);
    let inside = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let Some(release) = m.release_of(app, number) else {
        c.text(inside.x, inside.y + 1, inside.width, Role::Muted, "it is not there any more");
        return;
    };
    let lines = lines(c, app, release, usize::from(inside.width));
    let height = usize::from(inside.height);
    let top = m.page_at.min(lines.len().saturating_sub(height));
    for (i, (role, text)) in lines.iter().skip(top).take(height).enumerate() {
        c.text(inside.x, inside.y + i as u16, inside.width, *role, text);
    }
    if lines.len() > height {
        let text = format!(" {}–{} of {} ", top + 1, (top + height).min(lines.len()), lines.len());
        c.right(area.x, area.bottom().saturating_sub(1), area.width.saturating_sub(2), Role::Muted, &text);
    }
}

/// How far the page can be scrolled.
pub(crate) fn overflow(m: &Model) -> usize {
    let super::super::model::View::Release(number) = m.view else { return 0 };
    let inside = layout::inner(layout::body(m));
    let mut buffer = ratatui::buffer::Buffer::empty(Rect::new(0, 0, 1, 1));
    let c = Canvas::new(&mut buffer, m);
    let release = m.app().and_then(|app| Some((app, m.release_of(app, number)?)));
    let width = usize::from(inside.width.saturating_sub(2));
    let all = release.map_or(0, |(app, release)| lines(&c, app, release, width).len());
    all.saturating_sub(usize::from(inside.height))
}

fn lines(c: &Canvas<'_>, app: &AppView, release: &Release, width: usize) -> Vec<Line> {
    let m = c.m;
    let mut lines: Vec<Line> = Vec::new();
    let mut put = |role: Role, label: &str, text: &str| {
        let text = once_text::sanitize::line(text);
        for (i, line) in wrap(&text, width.saturating_sub(LABEL).max(1)).into_iter().enumerate() {
            lines.push((role, format!("{:<LABEL$}{line}", if i == 0 { label } else { "" })));
        }
    };
    let (role, word) = match &release.status {
        ReleaseStatus::Serving => (Role::Ok, "serving".to_owned()),
        ReleaseStatus::Canary => (Role::Text, "canary: it gets some of the requests".to_owned()),
        ReleaseStatus::Replaced { at } if release.container_kept => {
            (Role::Text, format!("replaced {}; its container is kept", format::ago(m.now, *at)))
        }
        ReleaseStatus::Replaced { at } => (Role::Text, format!("replaced {}", format::ago(m.now, *at))),
        ReleaseStatus::Failed { why } => (Role::Fail, format!("failed: {why}")),
    };
    put(role, "outcome", &word);
    let at = release.created_at.to_zoned(m.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z");
    put(Role::Text, "when", &format!("{at} · {}", format::ago(m.now, release.created_at)));
    let by = &release.by;
    put(Role::Text, "who", &format!("{} from {}, with `{}`", by.user, by.host, by.command));
    if release.took_ms > 0 {
        put(Role::Text, "took", &format::took(release.took_ms));
    }
    let why = release.settings.note.as_deref();
    put(if why.is_some() { Role::Text } else { Role::Muted }, "why", why.unwrap_or("no note was given"));
    if let Some(revision) = &release.revision {
        put(Role::Text, "revision", revision);
    }
    put(Role::Text, "image", &release.settings.image.to_string());
    put(Role::Text, "digest", release.image.identity());
    put(Role::Text, "container", &format!("{}, port {}", release.container, release.port));
    put(Role::Muted, "change", &release.op.to_string());
    let heading = |lines: &mut Vec<Line>, text: &str| {
        lines.push((Role::Text, String::new()));
        lines.push((Role::Strong, text.to_owned()));
    };
    heading(&mut lines, "What changed");
    let told = releases::facts(release).into_iter().skip(1);
    for (role, text) in told.chain(releases::changes(c, app, release)) {
        lines.extend(wrap(&once_text::sanitize::line(&text), width).into_iter().map(|line| (role, line)));
    }
    heading(&mut lines, "Events");
    lines.extend(events(c, release, width));
    for (section, rows) in settings::rows(&release.settings.without_secrets(), c.glyphs().mask) {
        heading(&mut lines, section);
        for (label, value) in rows {
            lines.push((Role::Text, format!("{label:<18} {}", once_text::sanitize::line(&value))));
        }
    }
    lines
}

/// What the change went through, as far as the proxy still knows.
fn events(c: &Canvas<'_>, release: &Release, width: usize) -> Vec<Line> {
    let view = c.m.settled.made_by.as_ref().filter(|view| view.op == release.op);
    let Some(view) = view.filter(|view| !view.steps.is_empty()) else {
        let text =
            if view.is_some() { "asking the proxy" } else { "no longer kept: those of the last 200 changes are" };
        return vec![(Role::Muted, text.into())];
    };
    let glyphs = c.glyphs();
    let step = |step: &once_app::StepView| {
        let (role, glyph) = match step.state {
            StepState::Done => (Role::Text, glyphs.done),
            StepState::Failed => (Role::Fail, glyphs.down),
            StepState::Skipped => (Role::Muted, glyphs.skipped),
            StepState::Pending | StepState::Running => (Role::Muted, glyphs.pending),
        };
        let took = step.took_ms.map(|ms| format!(" ({})", format::took(ms))).unwrap_or_default();
        let detail = once_text::sanitize::line(&step.detail);
        (role, super::super::canvas::fit(&format!("{glyph} {:<14} {detail}{took}", step.step), width, glyphs.ellipsis))
    };
    let mut lines: Vec<Line> = view.steps.iter().map(step).collect();
    lines.extend(view.warnings.iter().map(|warning| (Role::Warn, format!("{} {warning}", glyphs.warn))));
    lines
}
