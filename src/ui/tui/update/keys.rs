//! Keys, pastes and the mouse. Keys become commands in the one table; text goes to the line in focus.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use super::super::keymap::{self, Cmd, Ctx};
use super::super::model::{LogSource, Model, Overlay, Pane, Stage, Tab, View};
use super::super::msg::{Effect, Hit};
use super::{actions, activity, forms, host, nav, overlays, releases};

/// Rows a turn of the wheel moves.
const WHEEL: isize = 3;

/// Bytes of a line of text. The longest value an app can have is as long.
const TEXT_MAX: usize = 64 * 1024;

/// Takes a key that was pressed so many times in a row; more than once only keys that move.
pub(super) fn key(m: &mut Model, key: KeyEvent, times: usize, steps: usize) -> Vec<Effect> {
    let movement = matches!(key.code, KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown);
    let typed = matches!(key.code, KeyCode::Backspace | KeyCode::Char(_)) && is_text(m);
    match key.kind {
        KeyEventKind::Press => {}
        KeyEventKind::Repeat if movement || typed || key.code == KeyCode::Backspace => {}
        _ => return Vec::new(),
    }
    if is_early(m) {
        return Vec::new();
    }
    // It stands where the keys of the screen are told: who presses one has read it.
    m.notice = None;
    // Ctrl-C is never an answer and never text: it leaves, whatever is on top.
    if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
        if m.overlays.pop().is_some() {
            return Vec::new();
        }
        return match m.view {
            View::Main => vec![Effect::Quit],
            _ => command(m, Cmd::Back),
        };
    }
    let contexts = m.contexts();
    let text = is_text(m);
    if text && is_for_text(m, &key) {
        overlays::edit(m, |input| {
            input.handle_event(&Event::Key(key));
        });
        return Vec::new();
    }
    let Some(binding) = keymap::lookup(&contexts, &key) else { return Vec::new() };
    if binding.changes && m.options.read_only {
        notice(m, "read-only console: nothing can be changed here");
        return Vec::new();
    }
    if m.overlays.is_empty() && m.view == View::Main {
        moved(m, binding.cmd, times)
    } else {
        again(m, binding.cmd, times.min(steps))
    }
}

/// Carries a command out so many times.
fn again(m: &mut Model, cmd: Cmd, times: usize) -> Vec<Effect> {
    (0..times).flat_map(|_| command(m, cmd)).collect()
}

/// Carries a command out in the list or the detail, where a move of many rows is as quick as one of one.
fn moved(m: &mut Model, cmd: Cmd, times: usize) -> Vec<Effect> {
    if !matches!(cmd, Cmd::Up | Cmd::Down | Cmd::PageUp | Cmd::PageDown) {
        return command(m, cmd);
    }
    nav::by(m, cmd, times);
    Vec::new()
}

/// Keys typed before a question was on the screen are not answers to it.
fn is_early(m: &Model) -> bool {
    matches!(m.overlays.last(), Some(Overlay::Confirm(c)) if c.asked_at == m.frames || m.typed_early)
}

/// Whether a line of text has the keys.
pub(super) fn is_text(m: &Model) -> bool {
    match m.overlays.last() {
        Some(Overlay::Filter(_) | Overlay::Search(_) | Overlay::Palette(_)) => true,
        Some(Overlay::Confirm(c)) => c.is_typed(),
        Some(_) => false,
        None => m.contexts() == [Ctx::Form],
    }
}

/// Whether a key is for that line: all that the contexts of text have no use for.
fn is_for_text(m: &Model, key: &KeyEvent) -> bool {
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    match key.code {
        KeyCode::Char(_) if plain => true,
        KeyCode::Char('a' | 'e' | 'u' | 'w' | 'k') => key.modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Left | KeyCode::Right => {
            !matches!(m.overlays.last(), Some(Overlay::Confirm(_)))
                && !forms::is_choice(m)
                && !forms::leaves(m, key.code)
        }
        KeyCode::Backspace | KeyCode::Delete | KeyCode::Home | KeyCode::End => true,
        _ => false,
    }
}

/// Takes text that was pasted: it is never a command.
pub(super) fn paste(m: &mut Model, text: &str) -> Vec<Effect> {
    if is_text(m) {
        insert(m, text.trim());
    }
    Vec::new()
}

/// Takes letters that were typed in one go.
pub(super) fn typed(m: &mut Model, text: &str) -> Vec<Effect> {
    insert(m, text);
    Vec::new()
}

/// Puts text where the cursor of the line in focus is; nothing of it where the line would get too long.
fn insert(m: &mut Model, text: &str) {
    if is_early(m) {
        return;
    }
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut full = false;
    overlays::edit(m, |input| {
        full = input.value().len() + clean.len() > TEXT_MAX;
        if full {
            return;
        }
        let at = input.value().char_indices().nth(input.cursor()).map_or(input.value().len(), |(at, _)| at);
        let mut value = input.value().to_owned();
        value.insert_str(at, &clean);
        let cursor = input.cursor() + clean.chars().count();
        *input = Input::new(value).with_cursor(cursor);
    });
    if full {
        notice(m, "too long: a line takes 64 KiB of text at most");
    }
}

pub(super) fn mouse(m: &mut Model, event: MouseEvent) -> Vec<Effect> {
    let at = Position::new(event.column, event.row);
    let under: Vec<Hit> =
        m.hits.iter().rev().filter(|(area, _)| area.contains(at)).map(|(_, hit)| hit.clone()).collect();
    if is_early(m) {
        return Vec::new();
    }
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => under.first().map_or_else(Vec::new, |hit| click(m, hit)),
        _ => Vec::new(),
    }
}

/// Takes so many turns of the wheel at one place.
pub(super) fn wheel(m: &mut Model, event: MouseEvent, times: usize, steps: usize) -> Vec<Effect> {
    let at = Position::new(event.column, event.row);
    if is_early(m) {
        return Vec::new();
    }
    let down = event.kind == MouseEventKind::ScrollDown;
    if m.overlays.is_empty() && m.view == View::Main {
        let turns = isize::try_from(times).unwrap_or(isize::MAX);
        let turns = if down { turns } else { -turns };
        let under = |hit: &Hit| m.hits.iter().any(|(area, of)| area.contains(at) && of == hit);
        if under(&Hit::List) {
            nav::list(m, turns);
        } else if under(&Hit::Detail) {
            nav::detail(m, turns.saturating_mul(WHEEL));
        }
        return Vec::new();
    }
    again(m, if down { Cmd::Down } else { Cmd::Up }, times.min(steps))
}

fn click(m: &mut Model, hit: &Hit) -> Vec<Effect> {
    match hit {
        Hit::Row(key) => {
            let again = m.selected.as_ref() == Some(key) && m.pane == Pane::List;
            m.selected = Some(key.clone());
            m.pane = Pane::List;
            nav::keep_in_view(m);
            if again {
                nav::open(m);
            }
            Vec::new()
        }
        Hit::Tab(tab) => {
            m.tab = *tab;
            m.pane = Pane::Detail;
            Vec::new()
        }
        Hit::Detail => {
            m.pane = Pane::Detail;
            Vec::new()
        }
        Hit::List => Vec::new(),
        Hit::Entry(n) => overlays::entry(m, *n),
        Hit::Command(cmd) => {
            let changes = keymap::TABLE.iter().any(|b| b.cmd == *cmd && b.changes);
            if changes && m.options.read_only { Vec::new() } else { command(m, *cmd) }
        }
    }
}

/// A short word in the footer.
pub(super) fn notice(m: &mut Model, text: impl Into<String>) {
    let until = m.now + std::time::Duration::from_secs(4);
    m.notice = Some((text.into(), until));
}

/// Carries a command out where it was given.
pub(super) fn command(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    if !m.overlays.is_empty() {
        return overlays::command(m, cmd);
    }
    match &m.view {
        View::Form if m.form.is_some() => return forms::command(m, cmd),
        View::Deploy(op) => {
            let op = op.clone();
            if let Some(effects) = actions::in_deploy(m, &op, cmd) {
                return effects;
            }
        }
        View::Host => {
            if let Some(effects) = host::command(m, cmd) {
                return effects;
            }
        }
        View::Release(number) => {
            let number = *number;
            if let Some(effects) = releases::page(m, number, cmd) {
                return effects;
            }
        }
        View::Activity => {
            if let Some(effects) = activity::command(m, cmd) {
                return effects;
            }
        }
        _ => {}
    }
    main(m, cmd)
}

fn main(m: &mut Model, cmd: Cmd) -> Vec<Effect> {
    let in_list = m.pane == Pane::List;
    match cmd {
        Cmd::Up | Cmd::Down | Cmd::PageUp | Cmd::PageDown => nav::by(m, cmd, 1),
        Cmd::Top if in_list => nav::list_end(m, false),
        Cmd::Bottom if in_list => nav::list_end(m, true),
        Cmd::Top => nav::detail(m, -1_000_000),
        Cmd::Bottom => nav::detail(m, 1_000_000),
        Cmd::NextPane => m.pane = if in_list { Pane::Detail } else { Pane::List },
        Cmd::NextTab => m.tab = m.tab.step(1),
        Cmd::PrevTab => m.tab = m.tab.step(Tab::ALL.len() - 1),
        Cmd::Tab(n) => {
            m.tab = Tab::ALL.get(n).copied().unwrap_or(m.tab);
            m.pane = Pane::Detail;
        }
        Cmd::Logs => {
            m.tab = Tab::Logs;
            m.pane = Pane::Detail;
            m.view = View::Main;
        }
        Cmd::Open if in_list => nav::open(m),
        Cmd::Open if m.tab == Tab::Releases => return releases::open(m),
        Cmd::Open if m.tab == Tab::Settings => return actions::edit(m),
        Cmd::Open => nav::open(m),
        Cmd::Back if in_list => m.filter.clear(),
        Cmd::Back if m.tab == Tab::Logs && !m.logs.search.is_empty() => m.logs.search.clear(),
        Cmd::Back => m.pane = Pane::List,
        Cmd::Filter if !in_list && m.tab == Tab::Logs => {
            m.overlays.push(Overlay::Search(Input::new(m.logs.search.clone())));
        }
        Cmd::Filter => m.overlays.push(Overlay::Filter(Input::new(m.filter.clone()))),
        Cmd::NextMatch | Cmd::PrevMatch => {
            if !m.logs.find(cmd == Cmd::NextMatch) {
                notice(m, "no match");
            }
        }
        Cmd::Follow => {
            m.logs.go(0);
            if !m.logs.follow {
                m.logs.go(isize::MAX);
            }
        }
        Cmd::Wrap => m.logs.wrap = !m.logs.wrap,
        Cmd::Times => m.logs.times = !m.logs.times,
        Cmd::Source => m.logs.change_source(LogSource::Access),
        Cmd::Before => m.logs.change_source(LogSource::Before),
        Cmd::Sort => {
            use super::super::model::Sort;
            m.sort = match m.sort {
                Sort::Host => Sort::Requests,
                Sort::Requests => Sort::Cpu,
                Sort::Cpu => Sort::Memory,
                Sort::Memory => Sort::Host,
            };
            nav::keep_in_view(m);
        }
        Cmd::Help => m.overlays.push(Overlay::Help { scroll: 0 }),
        Cmd::Problems => {
            m.problems.iter_mut().for_each(|p| p.seen = true);
            m.overlays.push(Overlay::Problems { scroll: 0 });
        }
        Cmd::Palette => overlays::palette(m),
        Cmd::Activity => {
            m.view = View::Activity;
            m.activity_at = 0;
            m.activity_asked = None;
        }
        Cmd::Compare => releases::compare(m),
        Cmd::Host => host::open(m),
        Cmd::Quit | Cmd::Interrupt => return vec![Effect::Quit],
        Cmd::Suspend => return vec![Effect::Suspend],
        Cmd::Repaint => return vec![Effect::Repaint],
        _ => return actions::command(m, cmd),
    }
    if matches!(m.form.as_ref().map(|f| &f.stage), Some(Stage::Edit)) && m.view == View::Main {
        m.form = None;
    }
    Vec::new()
}
