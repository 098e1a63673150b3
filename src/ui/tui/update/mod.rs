//! `update(&mut Model, Msg) -> Vec<Effect>`: the only place the model changes. Pure: no clock, no task, no terminal.

mod actions;
mod activity;
mod data;
mod forms;
mod host;
mod keys;
mod locks;
mod menu;
mod nav;
mod overlays;
mod releases;

pub(crate) use actions::command_of;
pub(crate) use host::words as words_of_fix;

use super::model::{Model, View};
use super::msg::{Effect, Msg};

/// Takes one message in; what is to be done about it.
pub(crate) fn update(m: &mut Model, msg: Msg) -> Vec<Effect> {
    let before = (m.selected.clone(), m.tab);
    let mut effects = match msg {
        Msg::Key(key) => keys::key(m, key),
        Msg::Paste(text) => keys::paste(m, &text),
        Msg::Mouse(event) => keys::mouse(m, event),
        Msg::Resize(columns, rows) => {
            m.size = (columns, rows);
            nav::keep_in_view(m);
            vec![Effect::Repaint]
        }
        Msg::Painted(hits) => {
            m.frames += 1;
            m.hits = hits;
            Vec::new()
        }
        other => data::take(m, other),
    };
    data::settle(m);
    if before != (m.selected.clone(), m.tab) {
        m.detail_at = 0;
    }
    nav::keep_in_view(m);
    effects.extend(host::go_on(m));
    effects.extend(host::look(m));
    effects.extend(activity::look(m));
    if matches!(m.view, View::Main) {
        effects.extend(data::look_closer(m));
    }
    effects
}
