//! Getting about by keys and mouse.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

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
    let mouse = |kind, column, row| Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
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
fn esc_and_a_key_that_arrive_as_one_are_two() {
    let mut m = host();
    press(&mut m, "?");
    let effects = feed(&mut m, Msg::Key(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)));
    assert_eq!(effects, [Effect::Quit]);
}
