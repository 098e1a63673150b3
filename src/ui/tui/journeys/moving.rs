//! Getting about by keys and mouse.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::super::model::{Pane, RowKey, Tab};
use super::super::msg::{Effect, Msg};
use super::super::sample::feed;
use super::super::screen;
use super::super::snapshots::press;
use super::host;

#[test]
fn the_mouse_selects_opens_and_scrolls() {
    let mut m = host();
    let drawn = screen::draw(&m);
    let row = RowKey::App("chat".parse().unwrap());
    let (area, _) = drawn.hits.iter().find(|(_, h)| *h == super::super::msg::Hit::Row(row.clone())).unwrap().clone();
    feed(&mut m, Msg::Painted(drawn.hits));
    let mouse = |kind, column, row| {
        Msg::Typed(vec![Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })])
    };
    feed(&mut m, mouse(MouseEventKind::Down(MouseButton::Left), area.x + 5, area.y));
    assert_eq!((m.selected.clone(), m.pane), (Some(row), Pane::List));
    feed(&mut m, mouse(MouseEventKind::ScrollDown, area.x + 5, area.y));
    assert_eq!(m.selected, Some(RowKey::App("old".parse().unwrap())));
}

#[test]
fn tabs_and_panes_are_reached_by_keys_alone() {
    let mut m = host();
    press(&mut m, "3");
    assert_eq!((m.tab, m.pane), (Tab::Logs, Pane::Detail));
    press(&mut m, "] ]");
    assert_eq!(m.tab, Tab::Settings);
    press(&mut m, "] [");
    assert_eq!(m.tab, Tab::Settings);
    press(&mut m, "esc");
    assert_eq!(m.pane, Pane::List);
    assert_eq!(press(&mut m, "q"), [Effect::Quit]);
    assert_eq!(press(&mut m, "^c"), [Effect::Quit]);
    assert_eq!(press(&mut m, "^z"), [Effect::Suspend]);
}

#[test]
fn what_comes_at_once_is_taken_in_order() {
    let mut m = host();
    let key = |code| Event::Key(KeyEvent::new(code, KeyModifiers::NONE));
    feed(&mut m, Msg::Typed("/shop".chars().map(|c| key(KeyCode::Char(c))).collect()));
    assert_eq!(m.filter, "shop");
    let rest = [KeyCode::Enter, KeyCode::Char('4'), KeyCode::Down, KeyCode::Down, KeyCode::Up];
    feed(&mut m, Msg::Typed(rest.map(key).into()));
    assert_eq!((m.selected.clone(), m.tab), (Some(RowKey::App("shop".parse().unwrap())), Tab::Releases));
    assert_eq!(m.detail_at, 1);
    let effects = feed(&mut m, Msg::Typed([KeyCode::Char('q'), KeyCode::Char('n')].map(key).into()));
    assert_eq!(effects, [Effect::Quit]);
    assert!(m.form.is_none(), "what comes behind it is not for the console");
}

#[test]
fn a_turn_of_the_wheel_is_as_many_rows_as_its_events() {
    let mut one_by_one = host();
    let mut at_once = host();
    press(&mut one_by_one, "3");
    press(&mut at_once, "3");
    let drawn = screen::draw(&at_once);
    let (area, _) = drawn.hits.iter().find(|(_, h)| *h == super::super::msg::Hit::Detail).unwrap().clone();
    let generation = one_by_one.logs.generation;
    feed(&mut one_by_one, Msg::Log(generation, super::super::sample::log_lines()));
    let generation = at_once.logs.generation;
    feed(&mut at_once, Msg::Log(generation, super::super::sample::log_lines()));
    feed(&mut one_by_one, Msg::Painted(drawn.hits.clone()));
    feed(&mut at_once, Msg::Painted(drawn.hits));
    let up = Event::Mouse(MouseEvent {
        kind: MouseEventKind::ScrollUp,
        column: area.x + 2,
        row: area.y + 2,
        modifiers: KeyModifiers::NONE,
    });
    for _ in 0..3 {
        feed(&mut one_by_one, Msg::Typed(vec![up.clone()]));
    }
    let before = at_once.logs.lines().1;
    feed(&mut at_once, Msg::Typed(vec![up; 3]));
    assert_eq!(at_once.logs.lines().1, one_by_one.logs.lines().1);
    assert_ne!(at_once.logs.lines().1, before);
}

#[test]
fn a_line_takes_only_so_much() {
    let mut m = host();
    press(&mut m, "/");
    feed(&mut m, Msg::Typed(vec![Event::Paste("x".repeat(60_000))]));
    feed(&mut m, Msg::Typed(vec![Event::Paste("y".repeat(60_000))]));
    assert_eq!(m.filter.len(), 60_000, "the second one is refused as a whole");
    assert!(m.notice.as_ref().is_some_and(|(text, _)| text.contains("too long")));
}

#[test]
fn lines_of_any_length_are_drawn() {
    for length in [0, 119, 120, 65_470, 65_500, 65_530, 65_536] {
        for open in ["/", "n", "e", ":"] {
            let mut m = host();
            press(&mut m, open);
            feed(&mut m, Msg::Typed(vec![Event::Paste("x".repeat(length))]));
            screen::draw(&m);
            press(&mut m, "down");
            screen::draw(&m);
        }
    }
}
