//! Locks taken on purpose, and taken away: asked about, then done by the same code as `once lock` and `once unlock`.

use tui_input::Input;

use once_app::AppName;
use once_app::event::LockView;

use super::super::format;
use super::super::model::{Confirm, Model, Overlay, Then};
use super::super::msg::Effect;
use super::super::same_as;
use super::keys::notice;

/// `L`: lifts the lock of the selected app, or takes one. Where a change under way holds it, that is asked about.
pub(super) fn toggle(m: &mut Model) {
    let Some(app) = m.app().map(|a| a.name().clone()) else { return };
    if !m.proxy.is_up() {
        return notice(m, "the proxy keeps the locks, and does not answer");
    }
    let confirm = match m.locks_of(&app) {
        (Some(lock), _) => lifting(m, &app, lock),
        (None, Some(held)) => breaking(m, &app, held),
        (None, None) => holding(m, &app),
    };
    m.overlays.push(Overlay::Confirm(Box::new(confirm)));
}

fn holding(m: &Model, app: &AppName) -> Confirm {
    Confirm {
        title: format!("Lock {app}?"),
        lines: vec![
            "Nobody can deploy, change, stop or remove it until the lock is lifted: no CI job, no colleague, not you."
                .into(),
            "It serves on. The lock outlives this console and restarts of everything.".into(),
        ],
        yes: "Lock",
        then: Then::Hold(app.clone(), None),
        command: Some(same_as::hold(app, None)),
        armed: false,
        typed: None,
        message: Some(("others read why: ", Input::default())),
        asked_at: m.frames,
    }
}

fn lifting(m: &Model, app: &AppName, lock: &LockView) -> Confirm {
    let mut lines = vec![format!("{}@{} took it {}.", lock.by.user, lock.by.host, format::ago(m.now, lock.since))];
    lines.extend(lock.message.as_ref().map(|why| format!("Why: {why}")));
    lines.push("From then on everybody can change the app again.".into());
    Confirm {
        title: format!("Lift the lock of {app}?"),
        lines,
        yes: "Lift",
        then: Then::Lift(app.clone(), false),
        command: Some(format!("once unlock {app}")),
        armed: false,
        typed: None,
        message: None,
        asked_at: m.frames,
    }
}

fn breaking(m: &Model, app: &AppName, held: &LockView) -> Confirm {
    let since = format::ago(m.now, held.since);
    Confirm {
        title: format!("Take the lock of {app} away from a change under way?"),
        lines: vec![
            format!("`{}` by {}@{} holds it, {since}.", held.by.command, held.by.user, held.by.host),
            "If it still lives, it ends as failed. What it has begun is undone or finished by the next command.".into(),
        ],
        yes: "Take it away",
        then: Then::Lift(app.clone(), true),
        command: Some(format!("once unlock {app} --force")),
        armed: false,
        typed: Some((app.to_string(), Input::default())),
        message: None,
        asked_at: m.frames,
    }
}

/// What was answered with yes.
pub(super) fn hold(m: &mut Model, app: AppName, why: Option<String>) -> Vec<Effect> {
    vec![Effect::Hold(app, m.op(), m.by.clone(), why)]
}

/// The same.
pub(super) fn lift(m: &Model, app: AppName, force: bool) -> Vec<Effect> {
    vec![Effect::Lift(app, m.by.clone(), force)]
}
