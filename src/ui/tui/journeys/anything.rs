//! Any message, at any size.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use once_app::OpId;

use super::super::console::ConsoleOptions;
use super::super::msg::Msg;
use super::super::sample::{self, feed};
use super::super::screen;

fn any_msg() -> impl Strategy<Value = Msg> {
    let letters = prop_oneof![
        proptest::char::range(' ', '~').prop_map(KeyCode::Char),
        proptest::sample::select(vec![
            KeyCode::Enter,
            KeyCode::Esc,
            KeyCode::Tab,
            KeyCode::BackTab,
            KeyCode::Up,
            KeyCode::Down,
            KeyCode::Left,
            KeyCode::Right,
            KeyCode::PageDown,
            KeyCode::PageUp,
            KeyCode::Home,
            KeyCode::End,
            KeyCode::Backspace,
            KeyCode::Delete,
            KeyCode::Char('ü'),
            KeyCode::Char('語'),
        ]),
    ];
    let key = (letters, any::<bool>()).prop_map(|(code, ctrl)| {
        Msg::Typed(vec![Event::Key(KeyEvent::new(code, if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE }))])
    });
    let mouse = (0u16..250, 0u16..80, 0usize..3).prop_map(|(column, row, kind)| {
        let kind =
            [MouseEventKind::Down(MouseButton::Left), MouseEventKind::ScrollUp, MouseEventKind::ScrollDown][kind];
        Msg::Typed(vec![Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })])
    });
    let other = (0usize..19).prop_map(|n| match n {
        0 => Msg::Snapshot(Box::new(sample::snapshot())),
        1 => Msg::Snapshot(Box::new({
            let mut s = sample::snapshot();
            s.apps.truncate(1);
            s
        })),
        2 => Msg::ProxyAbsent,
        3 => Msg::EngineDown(sample::problem(), sample::ago(-3)),
        4 => Msg::ProxyDown(sample::problem(), sample::ago(-3)),
        5 => sample::engine_up(),
        6 => Msg::Containers(sample::containers()),
        7 => Msg::Containers(Vec::new()),
        8 => sample::usage(7),
        9 => Msg::Problem(sample::problem()),
        10 => Msg::Log(1, sample::log_lines()),
        11 => Msg::Activity(sample::activity()),
        12 => Msg::Tick(sample::ago(-5)),
        16 => Msg::History("books".parse().unwrap(), Ok(sample::history())),
        17 => Msg::History("books".parse().unwrap(), Err(sample::problem())),
        14 => Msg::Examined(Ok(Box::new(sample::examined()))),
        15 => Msg::Examined(Err(sample::problem())),
        13 => Msg::Lost(OpId("f00d".into()), sample::problem()),
        _ => Msg::Typed(vec![Event::Paste("ghcr.io/a/b:1\n日本".into())]),
    });
    let step = (0usize..20, any::<bool>()).prop_map(|(n, good)| {
        let all = sample::deploy("f00d", good);
        Msg::Progress(Box::new(all[n % all.len()].clone()))
    });
    let size = (1u16..=250, 1u16..=80).prop_map(|(w, h)| Msg::Resize(w, h));
    prop_oneof![8 => key, 2 => mouse, 2 => other, 1 => step, 1 => size]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_message_at_any_size_breaks_it(
        size in (1u16..=250, 1u16..=80),
        ascii in any::<bool>(),
        msgs in proptest::collection::vec(any_msg(), 1..60),
    ) {
        let mut m = sample::host(size.0, size.1, ConsoleOptions { ascii, ..ConsoleOptions::default() });
        for msg in msgs {
            feed(&mut m, msg);
            let drawn = screen::draw(&m);
            prop_assert_eq!((drawn.buffer.area().width, drawn.buffer.area().height), m.size);
            if let Some(at) = drawn.cursor {
                prop_assert!(drawn.buffer.area().contains(at), "{:?} on {:?}", at, m.size);
            }
            let row = m.selected.clone();
            prop_assert!(row.is_none_or(|r| m.rows().contains(&r)));
            feed(&mut m, Msg::Painted(drawn.hits));
        }
    }
}
