//! A lock in words: who, from where, since when, with which command, why.

use crate::app::event::LockView;

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
