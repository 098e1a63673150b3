//! A lock in words: who, from where, since when, with which command, why.

use once_app::AppName;
use once_app::event::LockView;

use super::super::canvas::columns;
use super::super::format;
use super::super::model::Model;
use super::super::theme::Role;

/// `chat mia@laptop (lock) · 66 minutes ago: load test`.
pub(super) fn pieces(m: &Model, lock: &LockView) -> Vec<(Role, String)> {
    vec![(Role::Strong, format!("{} ", lock.app)), (Role::Warn, by(m, lock))]
}

/// The same without the app.
pub(super) fn by(m: &Model, lock: &LockView) -> String {
    let since = format::ago(m.now, lock.since);
    let why = lock.message.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}@{} ({}) · {since}{why}", lock.by.user, lock.by.host, lock.by.command)
}

/// That an app is locked on purpose and by whom, in as many words as there is room for. `None`: it is not, or there is no
/// room at all.
pub(super) fn short(m: &Model, app: &AppName, room: u16) -> Option<String> {
    let by = &m.locks_of(app).0?.by;
    let texts = [format!("locked by {}@{}", by.user, by.host), format!("locked by {}", by.user), "locked".to_owned()];
    texts.into_iter().find(|text| columns(text) <= usize::from(room))
}
