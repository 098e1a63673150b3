//! Moving about: rows, tabs, panes, pages.

use super::super::keymap::Cmd;
use super::super::layout;
use super::super::model::{Model, Pane, RowKey, Tab, View};

/// Moves by so many rows or pages in the half that has the keys.
pub(super) fn by(m: &mut Model, cmd: Cmd, times: usize) {
    let page = isize::try_from(layout::list_rows(m)).unwrap_or(1).max(1);
    let one = match cmd {
        Cmd::Up => -1,
        Cmd::PageUp => -page,
        Cmd::PageDown => page,
        _ => 1,
    };
    let by = one.saturating_mul(isize::try_from(times).unwrap_or(isize::MAX));
    if m.pane == Pane::List { list(m, by) } else { detail(m, by) }
}

/// Moves the mark of the list by so many rows, stopping at the ends.
pub(super) fn list(m: &mut Model, by: isize) {
    let rows = m.rows();
    let at = m.selected.as_ref().and_then(|s| rows.iter().position(|r| r == s)).unwrap_or(0);
    let to = at.saturating_add_signed(by).min(rows.len().saturating_sub(1));
    m.selected = rows.get(to).cloned();
    keep_in_view(m);
}

/// Marks the first or the last row.
pub(super) fn list_end(m: &mut Model, last: bool) {
    let rows = m.rows();
    m.selected = if last { rows.last() } else { rows.first() }.cloned();
    keep_in_view(m);
}

/// Scrolls the list just so far that the marked row is on the screen.
pub(super) fn keep_in_view(m: &mut Model) {
    let rows = m.rows();
    let height = layout::list_rows(m).max(1);
    let at = m.selected.as_ref().and_then(|s| rows.iter().position(|r| r == s)).unwrap_or(0);
    let top = m.list_top.min(rows.len().saturating_sub(height));
    m.list_top = top.clamp((at + 1).saturating_sub(height), at);
}

/// Opens what is marked: the change an app is in, else its detail.
pub(super) fn open(m: &mut Model) {
    match m.selected.clone() {
        Some(RowKey::Birth(op)) => show_deploy(m, op),
        Some(RowKey::App(name)) => match m.deploys.active(&name).map(|w| w.view.op.clone()) {
            Some(op) => show_deploy(m, op),
            None => m.pane = Pane::Detail,
        },
        Some(RowKey::Orphan(_)) => m.pane = Pane::Detail,
        None => {}
    }
}

/// Leads from elsewhere to an app, whatever the list is filtered by.
pub(super) fn show_app(m: &mut Model, app: once_app::AppName) {
    m.filter.clear();
    m.selected = Some(RowKey::App(app));
    (m.view, m.pane, m.tab) = (View::Main, Pane::Detail, Tab::Overview);
    keep_in_view(m);
}

/// Shows a change; leaving it leads back to here.
pub(super) fn show_deploy(m: &mut Model, op: once_app::OpId) {
    m.under = match m.view {
        View::Host | View::Activity | View::Release(_) => m.view.clone(),
        _ => View::Main,
    };
    m.view = View::Deploy(op);
    m.deploy_scroll = 0;
}

/// Moves within the detail: the mark of a log or of releases, else the page.
pub(super) fn detail(m: &mut Model, by: isize) {
    match m.tab {
        Tab::Logs => m.logs.go(by),
        _ => {
            let last = match m.tab {
                Tab::Releases => m.app().map_or(0, |a| m.releases(a).len().saturating_sub(1)),
                _ => layout::detail_overflow(m),
            };
            m.detail_at = m.detail_at.saturating_add_signed(by).min(last);
        }
    }
}
