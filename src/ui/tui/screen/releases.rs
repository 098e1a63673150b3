//! The Releases tab: newest first, and what the marked one changed.

use ratatui::layout::Rect;

use once_app::{Release, ReleaseStatus};

use super::super::canvas::Canvas;
use super::super::format;
use super::super::model::{AppView, Pane};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::failure;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    let m = c.m;
    let releases = m.releases(app);
    if releases.is_empty() || area.height < 4 {
        c.text(area.x, area.y + 1, area.width, Role::Muted, "no release yet");
        return;
    }
    let marked = m.detail_at.min(releases.len() - 1);
    let below = 7.min(area.height / 2);
    let height = usize::from(area.height - 1 - below);
    let wide = area.width >= 58;
    heading(c, area, wide);
    let top = marked.saturating_sub(height.saturating_sub(1));
    for (i, release) in releases.iter().enumerate().skip(top).take(height) {
        let line = Rect { y: area.y + 1 + (i - top) as u16, height: 1, ..area };
        row(c, line, release, wide);
        if m.compare == Some(release.number) {
            c.text(line.x + 1, line.y, 1, Role::Accent, "c");
        }
        if i == marked {
            c.text(line.x, line.y, 1, Role::Accent, c.glyphs().mark);
            if m.pane == Pane::Detail {
                c.paint(Rect { x: line.x + 1, width: line.width.saturating_sub(1), ..line }, Role::Selected);
            }
        }
        c.hits.push((line, Hit::Entry(i)));
    }
    let shown = height.min(releases.len()) as u16;
    let rest = Rect { y: area.y + 2 + shown, height: (area.height).saturating_sub(2 + shown), ..area };
    changed(c, rest, app, releases[marked]);
    if releases.len() > height {
        let text = format!(" {}–{} of {} ", top + 1, (top + height).min(releases.len()), releases.len());
        c.right(area.x, area.y, area.width, Role::Muted, &text);
    } else if let Some((of, Err(problem))) = &m.settled.history
        && of == app.name()
    {
        let text = format!("older ones are not known: {}", problem.message);
        c.text(rest.x, rest.y.saturating_sub(1), rest.width, Role::Warn, &text);
    }
}

fn heading(c: &mut Canvas<'_>, area: Rect, wide: bool) {
    c.right(area.x + 1, area.y, 5, Role::Muted, "NO");
    c.text(area.x + 7, area.y, 8, Role::Muted, "STATE");
    c.text(area.x + 17, area.y, 8, Role::Muted, "WHEN");
    if wide {
        c.text(area.x + 30, area.y, 8, Role::Muted, "DIGEST");
        c.text(area.x + 40, area.y, 20, Role::Muted, "IMAGE");
    }
}

fn row(c: &mut Canvas<'_>, line: Rect, release: &Release, wide: bool) {
    let (role, word) = match &release.status {
        ReleaseStatus::Serving => (Role::Ok, "serving"),
        ReleaseStatus::Canary => (Role::Text, "canary"),
        ReleaseStatus::Replaced { .. } if release.container_kept => (Role::Text, "kept"),
        ReleaseStatus::Replaced { .. } => (Role::Muted, "replaced"),
        ReleaseStatus::Failed { .. } => (Role::Fail, "failed"),
    };
    let when = format::day(release.created_at, &c.m.zone);
    c.right(line.x + 1, line.y, 5, Role::Text, &release.number.to_string());
    c.text(line.x + 7, line.y, 9, role, word);
    c.text(line.x + 17, line.y, 12, Role::Muted, &when);
    if wide {
        c.text(line.x + 30, line.y, 8, Role::Muted, release.image.short());
        let image = &release.settings.image;
        let text = image.tag().map_or_else(|| image.short_name().to_owned(), |t| format!("{}:{t}", image.short_name()));
        c.text(line.x + 40, line.y, line.width.saturating_sub(40), Role::Text, &text);
    }
}

/// What a release was, and how it differs from the one before, or from the one that was marked for it.
fn changed(c: &mut Canvas<'_>, area: Rect, app: &AppView, release: &Release) {
    let mut y = area.y;
    let lines = facts(release).into_iter().chain(changes(c, app, release));
    for (role, text) in lines {
        if y < area.bottom() {
            y += c.paragraph(Rect { y, height: area.bottom() - y, ..area }, role, &text);
        }
    }
}

/// Who, how long, why, with what end.
pub(super) fn facts(release: &Release) -> Vec<(Role, String)> {
    let took = if release.took_ms > 0 { format!(", took {}", format::took(release.took_ms)) } else { String::new() };
    let by = &release.by;
    let mut lines =
        vec![(Role::Strong, format!("release {} · by {}@{} ({}){took}", release.number, by.user, by.host, by.command))];
    if let ReleaseStatus::Failed { why } = &release.status {
        lines.push((Role::Fail, format!("failed: {why}")));
    }
    if let Some(to) = release.rollback_to {
        lines.push((Role::Text, format!("went back to release {to}")));
    }
    if let Some(note) = &release.settings.note {
        lines.push((Role::Text, format!("why: {note}")));
    }
    if let Some(revision) = &release.revision {
        lines.push((Role::Muted, format!("revision {revision}")));
    }
    lines
}

/// How it differs, as lines.
pub(super) fn changes(c: &Canvas<'_>, app: &AppView, release: &Release) -> Vec<(Role, String)> {
    let (m, arrow) = (c.m, c.glyphs().arrow);
    let mut lines = Vec::new();
    let Some(from) = m.compared(app, release) else {
        lines.push((Role::Muted, "the first release".into()));
        return lines;
    };
    let changes = m.difference(app, from, release);
    let with =
        if m.compare == Some(from.number) { format!("release {}", from.number) } else { "the one before".into() };
    if changes.is_empty() {
        lines.push((Role::Muted, format!("the same image and settings as {with}")));
    } else if m.compare == Some(from.number) {
        lines.push((Role::Accent, format!("compared with {with}:")));
    }
    for change in &changes {
        let text: String = failure::change_pieces(change, arrow).into_iter().map(|(_, text)| text).collect();
        lines.push((Role::Text, text));
    }
    lines
}
