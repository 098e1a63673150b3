//! Releases: the one in full, and the one that others are compared with.

use once_app::{DeployView, ReleaseNumber};

use super::super::keymap::Cmd;
use super::super::model::{Model, View};
use super::super::msg::Effect;
use super::super::screen;
use super::keys::notice;
use super::{actions, nav};

/// Shows the marked release in full, with the events of the change that made it.
pub(super) fn open(m: &mut Model) -> Vec<Effect> {
    let Some(number) = actions::marked_release(m) else { return Vec::new() };
    let made = m.app().and_then(|app| m.release_of(app, number)).map(|r| (r.op.clone(), r.created_at));
    m.page_at = 0;
    m.view = View::Release(number);
    m.settled.made_by = None;
    let Some((op, at)) = made else { return Vec::new() };
    if let Some(watched) = m.deploys.get(&op) {
        m.settled.made_by = Some(watched.view.clone());
        return Vec::new();
    }
    // Of a change that the proxy has never heard of, it would be waited for ever.
    if !m.told.contains(&op) {
        return Vec::new();
    }
    m.settled.made_by = Some(DeployView::new(op.clone(), at));
    vec![Effect::Follow(op, 0)]
}

/// Marks a release as the one that others are compared with, or no longer.
pub(super) fn compare(m: &mut Model) {
    let marked = actions::marked_release(m);
    m.compare = if m.compare == marked { None } else { marked };
    match m.compare {
        Some(number) => notice(m, format!("move on: what is marked is compared with release {number}")),
        None => notice(m, "compared with the release before again"),
    }
}

/// A command given on a release's page; `None`: it is none of this page's.
pub(super) fn page(m: &mut Model, number: ReleaseNumber, cmd: Cmd) -> Option<Vec<Effect>> {
    let Some(name) = m.app().map(|app| app.name().clone()) else {
        m.view = View::Main;
        return Some(Vec::new());
    };
    let last = screen::release_overflow(m);
    let go = |m: &mut Model, by: isize| m.page_at = m.page_at.saturating_add_signed(by).min(last);
    match cmd {
        Cmd::Up => go(m, -1),
        Cmd::Down => go(m, 1),
        Cmd::PageUp => go(m, -10),
        Cmd::PageDown => go(m, 10),
        Cmd::Back => {
            m.view = View::Main;
            nav::keep_in_view(m);
        }
        Cmd::Rollback => actions::ask(m, Cmd::Rollback),
        Cmd::Copy => return Some(actions::copy(m, format!("once show {name} --release {number}"))),
        _ => return None,
    }
    Some(Vec::new())
}
