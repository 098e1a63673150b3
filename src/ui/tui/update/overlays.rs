//! Keys of what lies on top.

use tui_input::Input;

use super::super::keymap::{self, Cmd};
use super::super::model::{Confirm, Model, Overlay, Palette, PaletteItem, Pane, RowKey, Then, View};
use super::super::msg::Effect;
use super::super::report;
use super::{actions, activity, forms, host, keys, locks, nav};

/// Edits the line of text in focus.
pub(super) fn edit(m: &mut Model, change: impl FnOnce(&mut Input)) {
    match m.overlays.last_mut() {
        Some(Overlay::Filter(input)) => {
            change(input);
            let text = input.value().to_owned();
            if m.view == View::Activity {
                (m.activity_filter, m.activity_at) = (text, 0);
            } else {
                m.filter = text;
            }
        }
        Some(Overlay::Search(input)) => change(input),
        Some(Overlay::Palette(palette)) => {
            change(&mut palette.input);
            palette.find();
        }
        Some(Overlay::Confirm(confirm)) => confirm.edit(change),
        Some(_) => {}
        None => forms::edit(m, change),
    }
}

pub(super) fn command(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    let Some(top) = m.overlays.last_mut() else { return Vec::new() };
    match (top, cmd) {
        (Overlay::Filter(_), Cmd::Back) => {
            if m.view == View::Activity { &mut m.activity_filter } else { &mut m.filter }.clear();
            m.overlays.pop();
        }
        (Overlay::Filter(_), Cmd::Submit) => {
            m.overlays.pop();
        }
        (Overlay::Filter(_), Cmd::Up | Cmd::Down) if m.view == View::Activity => {
            activity::go(m, if cmd == Cmd::Down { 1 } else { -1 });
        }
        (Overlay::Filter(_), Cmd::Up | Cmd::Down) => nav::list(m, if cmd == Cmd::Down { 1 } else { -1 }),
        (Overlay::Search(input), Cmd::Submit) => {
            m.logs.search = input.value().to_owned();
            m.overlays.pop();
            // What is on the screen comes first: the search runs upwards, as one reads a log.
            if !m.logs.search.is_empty() && !m.logs.find(false) {
                keys::notice(m, "no match");
            }
        }
        (Overlay::Palette(palette), Cmd::Up) => palette.cursor = palette.cursor.saturating_sub(1),
        (Overlay::Palette(palette), Cmd::Down) => {
            palette.cursor = (palette.cursor + 1).min(palette.found.len().saturating_sub(1));
        }
        (Overlay::Palette(palette), Cmd::Submit) => {
            let marked = palette.marked().cloned();
            m.overlays.pop();
            return marked.map_or_else(Vec::new, |item| go(m, item));
        }
        (Overlay::Menu(menu), Cmd::Up) => menu.cursor = menu.cursor.saturating_sub(1),
        (Overlay::Menu(menu), Cmd::Down) => menu.cursor = (menu.cursor + 1).min(menu.items.len().saturating_sub(1)),
        (Overlay::Menu(menu), Cmd::Top) => menu.cursor = 0,
        (Overlay::Menu(menu), Cmd::Bottom) => menu.cursor = menu.items.len().saturating_sub(1),
        (Overlay::Menu(menu), Cmd::Copy) => {
            let text = menu.items.get(menu.cursor).map(|i| i.command.clone());
            return text.map_or_else(Vec::new, |text| actions::copy(m, text));
        }
        (Overlay::Menu(menu), Cmd::Open) => {
            let Some(item) = menu.items.get(menu.cursor).cloned() else { return Vec::new() };
            if let Some(why) = item.off {
                keys::notice(m, why);
                return Vec::new();
            }
            m.selected = Some(RowKey::App(menu.app.clone()));
            m.overlays.pop();
            return keys::command(m, item.cmd);
        }
        (Overlay::Confirm(confirm), cmd) => {
            let confirm = confirm.clone();
            return answer(m, *confirm, cmd);
        }
        (Overlay::Help { scroll } | Overlay::Problems { scroll }, Cmd::Up) => *scroll = scroll.saturating_sub(1),
        (Overlay::Help { scroll } | Overlay::Problems { scroll }, Cmd::Down) => *scroll = (*scroll + 1).min(400),
        (Overlay::Help { scroll } | Overlay::Problems { scroll }, Cmd::PageUp) => *scroll = scroll.saturating_sub(10),
        (Overlay::Help { scroll } | Overlay::Problems { scroll }, Cmd::PageDown) => *scroll = (*scroll + 10).min(400),
        (Overlay::Problems { .. }, Cmd::Copy) => {
            let text = m.problems.iter().rev().map(|p| report::problem(&p.problem)).collect::<Vec<_>>().join("\n");
            return actions::copy(m, text);
        }
        (_, Cmd::Back | Cmd::Submit) => {
            m.overlays.pop();
        }
        _ => {}
    }
    Vec::new()
}

fn answer(m: &mut Model, mut confirm: Confirm, cmd: Cmd) -> Vec<Effect> {
    match cmd {
        Cmd::Right => confirm.armed = !confirm.armed && confirm.is_ready(),
        Cmd::Toggle => {
            if let Then::Run(ask) = &mut confirm.then
                && let once_app::Ask::Remove { data, .. } = ask.as_mut()
            {
                *data = !*data;
                let line = if *data {
                    "Its data goes too: volumes, generated secrets, history. This cannot be undone."
                } else {
                    "Its data is kept and can be attached again."
                };
                if let Some(last) = confirm.lines.last_mut() {
                    line.clone_into(last);
                }
                confirm.command = Some(super::super::same_as::command(ask));
            }
        }
        Cmd::Copy => {
            return match confirm.command {
                Some(text) => actions::copy(m, text),
                None => Vec::new(),
            };
        }
        Cmd::Submit if confirm.armed && confirm.is_ready() => {
            m.overlays.pop();
            return match confirm.then {
                Then::Run(ask) => actions::run(m, *ask),
                Then::Cancel(op) => vec![Effect::Cancel(op)],
                Then::Hold(app, why) => locks::hold(m, app, why),
                Then::Lift(app, force) => locks::lift(m, app, force),
                Then::Mend(fixes) => {
                    host::begin(m, fixes);
                    Vec::new()
                }
                Then::DropForm => {
                    m.form = None;
                    m.view = View::Main;
                    Vec::new()
                }
            };
        }
        // What was typed in full is answer enough to move on to the button, never to press it.
        Cmd::Submit if confirm.is_typed() && confirm.is_ready() => confirm.armed = true,
        Cmd::Submit if confirm.typed.is_some() => keys::notice(m, "type the name first, or press esc"),
        Cmd::Submit | Cmd::Back => {
            m.overlays.pop();
            return Vec::new();
        }
        _ => {}
    }
    if let Some(Overlay::Confirm(top)) = m.overlays.last_mut() {
        **top = confirm;
    }
    Vec::new()
}

/// A click on the nth entry of what is on top, or of the view.
pub(super) fn entry(m: &mut Model, n: usize) -> Vec<Effect> {
    match m.overlays.last_mut() {
        Some(Overlay::Menu(menu)) => {
            menu.cursor = n.min(menu.items.len().saturating_sub(1));
            command(m, Cmd::Open)
        }
        Some(Overlay::Palette(palette)) => {
            palette.cursor = n.min(palette.found.len().saturating_sub(1));
            command(m, Cmd::Submit)
        }
        Some(Overlay::Confirm(confirm)) => {
            confirm.armed = n == 1 && confirm.is_ready();
            if n == 1 && !confirm.armed { Vec::new() } else { command(m, Cmd::Submit) }
        }
        Some(_) => Vec::new(),
        None if m.view == View::Form => {
            forms::focus(m, n);
            Vec::new()
        }
        None if m.view == View::Host => {
            m.host_view.at = n;
            Vec::new()
        }
        None if m.view == View::Activity => {
            m.activity_at = n;
            Vec::new()
        }
        None => {
            m.detail_at = n;
            m.pane = Pane::Detail;
            Vec::new()
        }
    }
}

/// Opens the palette: what the keys of this screen do, and every app.
pub(super) fn palette(m: &mut Model) {
    let glyphs = m.glyphs();
    let mut items: Vec<PaletteItem> = Vec::new();
    let mut contexts = m.contexts();
    contexts.push(keymap::Ctx::App);
    for binding in keymap::available(&contexts) {
        let moves = matches!(
            binding.cmd,
            Cmd::Up | Cmd::Down | Cmd::PageUp | Cmd::PageDown | Cmd::Top | Cmd::Bottom | Cmd::Back | Cmd::Palette
        );
        let known = items.iter().any(|i| matches!(i, PaletteItem::Command(cmd, ..) if *cmd == binding.cmd));
        let off = binding.changes && m.options.read_only;
        if !(moves || known || off) {
            items.push(PaletteItem::Command(binding.cmd, binding.long, binding.key(glyphs)));
        }
    }
    if let Some(app) = m.app().filter(|_| !m.options.read_only) {
        let alias = (!app.record.aliases.is_empty()).then_some((Cmd::DropAlias, "drop an alias of the app (asks)"));
        let rest = [
            (Cmd::Start, "start the app (asks)"),
            (Cmd::Stop, "stop the app (asks)"),
            (Cmd::Close, "maintenance: close the app to visitors (asks)"),
            (Cmd::Reopen, "end the maintenance (asks)"),
            (Cmd::Pause, "pause: let requests wait (asks)"),
            (Cmd::Resume, "resume: let them go on (asks)"),
            (Cmd::Rename, "rename the app (reviewed first)"),
            (Cmd::Remove, "remove the app (asks)"),
        ];
        for (cmd, text) in rest.into_iter().chain(alias) {
            items.push(PaletteItem::Command(cmd, text, String::new()));
        }
    }
    items.extend(m.apps.values().map(|a| PaletteItem::Go(RowKey::App(a.name().clone()), a.host())));
    let mut palette = Palette { items, ..Palette::default() };
    palette.find();
    m.overlays.push(Overlay::Palette(palette));
}

fn go(m: &mut Model, item: PaletteItem) -> Vec<Effect> {
    match item {
        PaletteItem::Command(cmd, ..) => keys::command(m, cmd),
        PaletteItem::Go(row, _) => {
            m.filter.clear();
            m.selected = Some(row);
            m.view = View::Main;
            m.pane = Pane::Detail;
            nav::keep_in_view(m);
            Vec::new()
        }
    }
}
