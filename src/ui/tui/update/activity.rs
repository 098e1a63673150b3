//! The audit log: which entry is marked, what it is filtered by, and where an entry leads.

use std::time::Duration;

use tui_input::Input;

use super::super::format::since;
use super::super::keymap::Cmd;
use super::super::model::{Model, Overlay, View};
use super::super::msg::Effect;
use super::keys::notice;
use super::{actions, nav};

/// How often it is loaded again while it is shown.
const EVERY: Duration = Duration::from_secs(10);

/// Loads it where that is due.
pub(super) fn look(m: &mut Model) -> Option<Effect> {
    let due = m.activity_asked.is_none_or(|at| since(m.now, at) >= EVERY);
    if m.view != View::Activity || !due || !m.proxy.is_up() {
        return None;
    }
    m.activity_asked = Some(m.now);
    Some(Effect::Activity(None))
}

/// Moves the mark.
pub(super) fn go(m: &mut Model, by: isize) {
    let last = m.activities().len().saturating_sub(1);
    m.activity_at = m.activity_at.saturating_add_signed(by).min(last);
}

/// A command given here; `None`: it is none of this view's.
pub(super) fn command(m: &mut Model, cmd: Cmd) -> Option<Vec<Effect>> {
    match cmd {
        Cmd::Up => go(m, -1),
        Cmd::Down => go(m, 1),
        Cmd::PageUp => go(m, -10),
        Cmd::PageDown => go(m, 10),
        Cmd::Top => m.activity_at = 0,
        Cmd::Bottom => go(m, isize::MAX),
        Cmd::Filter => m.overlays.push(Overlay::Filter(Input::new(m.activity_filter.clone()))),
        Cmd::Bad => (m.activity_bad, m.activity_at) = (!m.activity_bad, 0),
        Cmd::Open => open(m),
        Cmd::Back if !m.activity_filter.is_empty() || m.activity_bad => {
            m.activity_filter.clear();
            (m.activity_bad, m.activity_at) = (false, 0);
        }
        Cmd::Back => m.view = View::Main,
        Cmd::Activity => {}
        Cmd::Copy => {
            let told = m.activities().get(m.activity_at).map(|e| {
                let app = e.app.as_ref().map_or("-", |a| a.as_str());
                format!("{} {app} {} {}@{} ({}): {}", e.at, e.outcome, e.by.user, e.by.host, e.by.command, e.text)
            });
            return Some(actions::copy(m, told.unwrap_or_else(|| "once activity".into())));
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// What became of the change while that is known, else the app.
fn open(m: &mut Model) {
    let Some(entry) = m.activities().get(m.activity_at).map(|e| (*e).clone()) else { return };
    if let Some(op) = entry.op.filter(|op| m.deploys.get(op).is_some()) {
        return nav::show_deploy(m, op);
    }
    match entry.app.filter(|app| m.apps.contains_key(app)) {
        Some(app) => nav::show_app(m, app),
        None => notice(m, "its app is not there (any more); what was said is below"),
    }
}
