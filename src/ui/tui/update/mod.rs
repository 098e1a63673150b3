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
mod typed;

pub(crate) use actions::command_of;
pub(crate) use host::words as words_of_fix;

use crossterm::event::Event;

use super::model::{Model, View};
use super::msg::{Effect, Msg};

/// Takes one message in; what is to be done about it.
pub(crate) fn update(m: &mut Model, msg: Msg) -> Vec<Effect> {
    let before = (m.selected.clone(), m.tab);
    let mut effects = match msg {
        Msg::Typed(events) => return typed_in(m, &events),
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
    effects.extend(looked_after(m));
    effects
}

fn typed_in(m: &mut Model, events: &[Event]) -> Vec<Effect> {
    let mut effects = typed::take(m, events);
    effects.extend(looked_after(m));
    effects
}

/// What follows from where the model stands now.
fn looked_after(m: &mut Model) -> Vec<Effect> {
    nav::keep_in_view(m);
    let mut effects = host::go_on(m);
    effects.extend(host::look(m));
    effects.extend(activity::look(m));
    if matches!(m.view, View::Main) {
        effects.extend(data::look_closer(m));
    }
    effects
}
