//! All that one read of the terminal brought, at once: a paste without brackets is one insertion, a turn of the wheel
//! one move, however many events the terminal made of it.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};

use super::super::model::Model;
use super::super::msg::Effect;
use super::{data, keys};

/// The same movement again and again is carried out at most so often where it cannot be added up: no list that is gone
/// through step by step is as long.
const STEPS: usize = 500;

pub(super) fn take(m: &mut Model, events: &[Event]) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut rest = events;
    while !rest.is_empty() {
        let before = (m.selected.clone(), m.tab);
        let (taken, more) = step(m, rest);
        rest = &rest[taken..];
        data::settle(m);
        if before != (m.selected.clone(), m.tab) {
            m.detail_at = 0;
        }
        let leaves = more.iter().any(|e| matches!(e, Effect::Quit | Effect::Suspend | Effect::Shell(_)));
        effects.extend(more);
        if leaves {
            // What was typed behind it is for whoever has the terminal then.
            break;
        }
    }
    effects
}

/// Takes the first event and those that go together with it: how many, and what is to be done.
fn step(m: &mut Model, events: &[Event]) -> (usize, Vec<Effect>) {
    let first = &events[0];
    let same = || events.iter().take_while(|event| *event == first).count();
    match first {
        Event::Key(_) if keys::is_text(m) => match text_of(events) {
            text if text.chars().nth(1).is_some() => {
                let taken = text.chars().count();
                (taken, keys::typed(m, &text))
            }
            _ => key(m, first, 1),
        },
        Event::Key(pressed) if is_movement(pressed) => key(m, first, same()),
        Event::Key(_) => key(m, first, 1),
        Event::Paste(text) => (1, keys::paste(m, text)),
        Event::Mouse(event) if matches!(event.kind, MouseEventKind::ScrollDown | MouseEventKind::ScrollUp) => {
            let taken = same();
            (taken, keys::wheel(m, *event, taken, STEPS))
        }
        Event::Mouse(event) => (1, keys::mouse(m, *event)),
        Event::Resize(..) | Event::FocusGained | Event::FocusLost => (1, Vec::new()),
    }
}

fn key(m: &mut Model, event: &Event, times: usize) -> (usize, Vec<Effect>) {
    let Event::Key(pressed) = event else { return (1, Vec::new()) };
    (times, keys::key(m, *pressed, times, STEPS))
}

/// Keys that do nothing but move, wherever they do something at all.
fn is_movement(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown | KeyCode::Char('j' | 'k'))
}

/// The letters that `events` begin with.
fn text_of(events: &[Event]) -> String {
    events
        .iter()
        .map_while(|event| match event {
            Event::Key(KeyEvent { code: KeyCode::Char(c), modifiers, kind, .. })
                if *kind == KeyEventKind::Press && !modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) =>
            {
                Some(*c)
            }
            _ => None,
        })
        .collect()
}
