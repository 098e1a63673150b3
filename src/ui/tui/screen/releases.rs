//! The Releases tab: newest first, and what the marked one changed.

use ratatui::layout::Rect;

use crate::app::{Release, ReleaseStatus, compare};

use super::super::canvas::Canvas;
use super::super::format;
use super::super::model::{AppView, Pane};
use super::super::msg::Hit;
use super::super::theme::Role;
use super::failure;

pub(super) fn draw(c: &mut Canvas<'_>, area: Rect, app: &AppView) {
    let m = c.m;
    let releases: Vec<&Release> = app.record.releases.iter().rev().collect();
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
    changed(c, rest, releases[marked], releases.get(marked + 1).copied());
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

/// What a release was, and how it differs from the one before.
fn changed(c: &mut Canvas<'_>, area: Rect, release: &Release, before: Option<&Release>) {
    let mut y = area.y;
    let mut put = |c: &mut Canvas<'_>, role: Role, text: &str| {
        if y < area.bottom() {
            y += c.paragraph(Rect { y, height: area.bottom() - y, ..area }, role, text);
        }
    };
    let took = if release.took_ms > 0 { format!(", took {}", format::took(release.took_ms)) } else { String::new() };
    let by = &release.by;
    put(c, Role::Strong, &format!("release {} · by {}@{} ({}){took}", release.number, by.user, by.host, by.command));
    if let ReleaseStatus::Failed { why } = &release.status {
        put(c, Role::Fail, &format!("failed: {why}"));
    }
    if let Some(to) = release.rollback_to {
        put(c, Role::Text, &format!("went back to release {to}"));
    }
    if let Some(revision) = &release.revision {
        put(c, Role::Muted, &format!("revision {revision}"));
    }
    let arrow = c.glyphs().arrow;
    match before {
        None => put(c, Role::Muted, "the first release"),
        Some(before) => {
            let changes = compare(before, release);
            if changes.is_empty() {
                put(c, Role::Muted, "the same image and settings as the release before");
            }
            for change in &changes {
                let text: String = failure::change_pieces(change, arrow).into_iter().map(|(_, text)| text).collect();
                put(c, Role::Text, &text);
            }
        }
    }
}
