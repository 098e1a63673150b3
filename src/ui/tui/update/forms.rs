//! Filling a form in, reviewing it, sending it off.

use crossterm::event::KeyCode;
use tui_input::Input;

use once_app::{Action, Field};

use super::super::keymap::Cmd;
use super::super::model::{Confirm, Form, Model, Overlay, Row, RowKind, Stage, Then, View};
use super::super::msg::Effect;
use super::super::same_as;
use super::{actions, keys};

/// Edits the text in focus and checks the form.
pub(super) fn edit(m: &mut Model, change: impl FnOnce(&mut Input)) {
    let Some(form) = m.form.as_mut().filter(|f| f.stage == Stage::Edit) else { return };
    let on_key = form.on_key;
    let Some(row) = form.rows.get_mut(form.cursor) else { return };
    if row.dropped {
        return;
    }
    let words = row.kind.words();
    if !words.is_empty() {
        let at = words.iter().position(|w| *w == row.value.value()).unwrap_or(0);
        row.value = Input::new(words[(at + 1) % words.len()].to_owned());
    } else if on_key {
        change(&mut row.key);
    } else {
        change(&mut row.value);
    }
    form.check();
}

/// Whether the row in focus is chosen from words, so that arrows choose.
pub(super) fn is_choice(m: &Model) -> bool {
    m.overlays.is_empty() && m.form.as_ref().and_then(|f| f.row()).is_some_and(|r| !r.kind.words().is_empty())
}

/// Whether an arrow leaves an entry's name for its value or back, being at the end of the text.
pub(super) fn leaves(m: &Model, code: KeyCode) -> bool {
    let Some(form) = m.form.as_ref().filter(|_| m.overlays.is_empty() && m.view == View::Form) else { return false };
    let Some(row) = form.row().filter(|r| matches!(r.kind, RowKind::Entry(_))) else { return false };
    let at_end = row.key.cursor() >= row.key.value().chars().count();
    match code {
        KeyCode::Right => form.on_key && at_end,
        KeyCode::Left => !form.on_key && row.value.cursor() == 0,
        _ => false,
    }
}

pub(super) fn command(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    let Some(stage) = m.form.as_ref().map(|f| f.stage.clone()) else { return Vec::new() };
    match stage {
        Stage::Edit => editing(m, cmd),
        Stage::Planning(_) | Stage::Refused(_) | Stage::Review(_) => reviewing(m, cmd, &stage),
    }
}

fn editing(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    let Some(form) = m.form.as_mut() else { return Vec::new() };
    match cmd {
        Cmd::NextField => step(form, true),
        Cmd::PrevField => step(form, false),
        Cmd::PageUp | Cmd::PageDown => section(form, cmd == Cmd::PageDown),
        Cmd::Submit if form.cursor + 1 < form.rows.len() => step(form, true),
        Cmd::Submit | Cmd::Open => return review(m),
        Cmd::AddRow => add_row(form),
        Cmd::DropRow => drop_row(form),
        Cmd::Secret => secret(form),
        Cmd::Copy => {
            return match form.ask(false) {
                Ok(ask) => actions::copy(m, same_as::command(&ask)),
                Err(_) => Vec::new(),
            };
        }
        Cmd::Back if form.is_changed() => {
            let confirm = Confirm {
                title: "Leave without changing anything?".into(),
                lines: vec!["What was typed here is forgotten.".into()],
                yes: "Leave",
                then: Then::DropForm,
                command: None,
                armed: false,
                typed: None,
                message: None,
                asked_at: m.frames,
            };
            m.overlays.push(Overlay::Confirm(Box::new(confirm)));
        }
        Cmd::Back => {
            m.form = None;
            m.view = View::Main;
        }
        _ => {}
    }
    Vec::new()
}

fn reviewing(m: &mut Model, cmd: Cmd, stage: &Stage) -> Vec<Effect> {
    let Some(form) = m.form.as_mut() else { return Vec::new() };
    match (cmd, stage) {
        (Cmd::Back, _) => form.stage = Stage::Edit,
        (Cmd::Copy, _) => {
            if let Ok(ask) = form.ask(false) {
                return actions::copy(m, same_as::command(&ask));
            }
        }
        (Cmd::Submit, Stage::Review(plan)) if plan.action == Action::Nothing => {
            m.form = None;
            m.view = View::Main;
        }
        (Cmd::Submit, Stage::Review(_)) => {
            if let Ok(ask) = form.ask(false) {
                // The form stays for "edit" after a failure.
                return actions::run(m, ask);
            }
        }
        (Cmd::Submit, Stage::Refused(_)) => form.stage = Stage::Edit,
        _ => {}
    }
    Vec::new()
}

fn review(m: &mut Model) -> Vec<Effect> {
    let Some(form) = m.form.as_mut() else { return Vec::new() };
    form.check();
    if !form.is_changed() && !matches!(form.kind, super::super::model::FormKind::Deploy(_)) {
        keys::notice(m, "nothing was changed");
        return Vec::new();
    }
    match form.ask(true) {
        Err(row) => {
            form.cursor = row;
            form.on_key = false;
            if let Some(row) = form.rows.get_mut(row) {
                row.error.get_or_insert_with(|| "it is needed".into());
            }
            Vec::new()
        }
        Ok(ask) => {
            let effects = actions::run(m, ask);
            if let (Some(form), Some(Effect::Run(job))) = (m.form.as_mut(), effects.first()) {
                form.stage = Stage::Planning(job.op.clone());
            }
            effects
        }
    }
}

/// To the next text: an entry has two, its name and its value.
fn step(form: &mut Form, forward: bool) {
    let entry = |form: &Form| form.row().is_some_and(|r| matches!(r.kind, RowKind::Entry(_)));
    let last = form.rows.len().saturating_sub(1);
    if forward && entry(form) && form.on_key {
        form.on_key = false;
    } else if !forward && entry(form) && !form.on_key {
        form.on_key = true;
    } else if forward && form.cursor < last {
        form.cursor += 1;
        form.on_key = entry(form);
    } else if !forward && form.cursor > 0 {
        form.cursor -= 1;
        form.on_key = false;
    }
}

/// To the first row of the next section, or of this one and the one before.
fn section(form: &mut Form, forward: bool) {
    let of = |i: usize| form.rows.get(i).map(|r| r.kind.section());
    let here = of(form.cursor);
    let starts: Vec<usize> = (0..form.rows.len()).filter(|i| *i == 0 || of(*i) != of(*i - 1)).collect();
    let to = if forward {
        starts.iter().copied().find(|i| *i > form.cursor && of(*i) != here)
    } else {
        starts.iter().copied().rev().find(|i| *i < form.cursor)
    };
    if let Some(to) = to {
        form.cursor = to;
        form.on_key = false;
    }
}

/// Puts the focus on a row.
pub(super) fn focus(m: &mut Model, row: usize) {
    if let Some(form) = m.form.as_mut().filter(|f| f.stage == Stage::Edit && row < f.rows.len()) {
        form.cursor = row;
        form.on_key = false;
    }
}

/// A new entry below: of the kind the focus is in, else a variable.
fn add_row(form: &mut Form) {
    if !matches!(form.kind, super::super::model::FormKind::Settings(_)) {
        return;
    }
    let field = form.row().and_then(|r| r.kind.field()).unwrap_or(Field::Env);
    let field = match (field.is_keyed() && field != Field::Host, field.section()) {
        (true, _) => field,
        (_, once_app::Section::Resources) => Field::Volume,
        (_, once_app::Section::Network) => Field::Network,
        (_, once_app::Section::Protection) => Field::AllowIp,
        _ => Field::Env,
    };
    let order = |r: &Row| {
        let field = r.kind.field();
        (r.kind.section(), Field::ALL.iter().position(|f| Some(*f) == field))
    };
    let new = Row::added(field);
    let at = form.rows.iter().position(|r| order(r) > order(&new)).unwrap_or(form.rows.len());
    form.rows.insert(at, new);
    form.cursor = at;
    form.on_key = true;
    form.check();
}

fn drop_row(form: &mut Form) {
    let cursor = form.cursor;
    let Some(row) = form.rows.get_mut(cursor) else { return };
    if row.before.is_none() {
        form.rows.remove(cursor);
        form.cursor = cursor.min(form.rows.len().saturating_sub(1));
        form.on_key = false;
    } else if matches!(row.kind, RowKind::Entry(_)) || row.had_secret {
        row.dropped = !row.dropped;
    }
    form.check();
}

fn secret(form: &mut Form) {
    if let Some(row) = form.rows.get_mut(form.cursor)
        && row.kind == RowKind::Entry(Field::Env)
        && !row.had_secret
    {
        row.secret = !row.secret;
    }
}
