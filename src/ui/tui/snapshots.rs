//! Every screen at every size, as text with its styles. Read them: they are what people see.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Modifier;

use super::console::ConsoleOptions;
use super::model::{Model, Tab, View};
use super::msg::Msg;
use super::palette::Depth;
use super::sample::{self, feed};
use super::screen::{self, Drawn};

pub(crate) fn press(m: &mut Model, keys: &str) -> Vec<super::msg::Effect> {
    let mut effects = Vec::new();
    for key in keys.split_whitespace() {
        let (code, modifiers) = match key {
            "enter" => (KeyCode::Enter, KeyModifiers::NONE),
            "esc" => (KeyCode::Esc, KeyModifiers::NONE),
            "tab" => (KeyCode::Tab, KeyModifiers::NONE),
            "up" => (KeyCode::Up, KeyModifiers::NONE),
            "down" => (KeyCode::Down, KeyModifiers::NONE),
            "left" => (KeyCode::Left, KeyModifiers::NONE),
            "right" => (KeyCode::Right, KeyModifiers::NONE),
            "pgdn" => (KeyCode::PageDown, KeyModifiers::NONE),
            "space" => (KeyCode::Char(' '), KeyModifiers::NONE),
            "backspace" => (KeyCode::Backspace, KeyModifiers::NONE),
            key if key.starts_with('^') && key.len() == 2 => {
                (KeyCode::Char(key.chars().last().unwrap().to_ascii_lowercase()), KeyModifiers::CONTROL)
            }
            key => {
                for c in key.chars() {
                    effects.extend(feed(
                        m,
                        Msg::Typed(vec![Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))]),
                    ));
                    feed(m, Msg::Painted(Vec::new()));
                }
                continue;
            }
        };
        effects.extend(feed(m, Msg::Typed(vec![Event::Key(KeyEvent::new(code, modifiers))])));
        feed(m, Msg::Painted(Vec::new()));
    }
    effects
}

/// The characters of a frame.
pub(crate) fn text(drawn: &Drawn) -> String {
    let area = *drawn.buffer.area();
    let mut text = String::new();
    for y in 0..area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < area.width {
            let symbol = drawn.buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += (super::canvas::columns(symbol) as u16).max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The same with a second grid: a letter for each style, and a legend.
fn styled(drawn: &Drawn) -> String {
    let area = *drawn.buffer.area();
    let mut legend: Vec<String> = Vec::new();
    let mut grid = String::new();
    for y in 0..area.height {
        let mut line = String::new();
        for x in 0..area.width {
            let cell = &drawn.buffer[(x, y)];
            let plain = cell.fg == ratatui::style::Color::Reset
                && cell.bg == ratatui::style::Color::Reset
                && cell.modifier == Modifier::empty();
            if plain {
                line.push(' ');
                continue;
            }
            let style = format!("{:?} on {:?} {:?}", cell.fg, cell.bg, cell.modifier);
            let at = legend.iter().position(|s| *s == style).unwrap_or_else(|| {
                legend.push(style);
                legend.len() - 1
            });
            line.push(char::from(b'a' + (at % 26) as u8));
        }
        grid.push_str(line.trim_end());
        grid.push('\n');
    }
    let legend: Vec<String> =
        legend.iter().enumerate().map(|(i, s)| format!("{}: {s}", char::from(b'a' + (i % 26) as u8))).collect();
    format!("{}\n{grid}\n{}\n", text(drawn), legend.join("\n"))
}

type Scene = (&'static str, fn(u16, u16, ConsoleOptions) -> Model);

/// Every screen.
pub(crate) const SCENES: &[Scene] = &[
    ("connecting", sample::fresh),
    ("empty", |w, h, o| {
        let mut m = sample::fresh(w, h, o);
        feed(&mut m, sample::engine_up());
        feed(&mut m, Msg::ProxyAbsent);
        m
    }),
    ("apps", sample::host),
    ("overview", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "enter");
        m
    }),
    ("overview_down", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "wiki");
        press(&mut m, "tab");
        m
    }),
    ("overview_locked", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "chat");
        press(&mut m, "tab");
        m
    }),
    ("overview_failing", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "blog");
        press(&mut m, "tab");
        m
    }),
    ("link_down", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::EngineDown(sample::problem(), sample::ago(-4)));
        m
    }),
    ("error", |w, h, o| {
        let mut m = sample::host(w, h, o);
        let problem = once_app::Problem::new(
            once_app::event::Outcome::Environment,
            "registry-refused",
            "the registry refused access to ghcr.io/acme/shop:1.14.0",
        )
        .hint("`docker login ghcr.io` with an account that may read it");
        feed(&mut m, Msg::Problem(problem));
        m
    }),
    ("errors", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::Problem(sample::problem()));
        press(&mut m, "!");
        m
    }),
    ("filter", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "/sho");
        m
    }),
    ("traffic", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "2");
        let name = m.app().unwrap().name().clone();
        feed(&mut m, Msg::Traffic(name, Ok(Box::new(sample::report()))));
        m
    }),
    ("logs", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "l");
        let generation = m.logs.generation;
        feed(&mut m, Msg::Log(generation, sample::log_lines()));
        press(&mut m, "t / orders enter");
        m
    }),
    ("logs_wrapped", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "l");
        let generation = m.logs.generation;
        feed(&mut m, Msg::Log(generation, sample::log_lines()));
        press(&mut m, "w");
        m
    }),
    ("releases", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "4 down");
        m
    }),
    ("releases_compared", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "4");
        feed(&mut m, Msg::History("books".parse().unwrap(), Ok(sample::history())));
        press(&mut m, "c down down down down down");
        m.notice = None;
        m
    }),
    ("release", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "4");
        feed(&mut m, Msg::History("books".parse().unwrap(), Ok(sample::history())));
        press(&mut m, "down down down down down enter");
        m
    }),
    ("settings", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "5");
        m
    }),
    ("form", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "e down down 90x");
        m
    }),
    ("form_env", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "e ^n FEATURE_Y tab on");
        m
    }),
    ("new_app", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "n");
        feed(&mut m, Msg::Typed(vec![Event::Paste("ghcr.io/acme/wiki:2.0".into())]));
        press(&mut m, "down down https://wiki");
        m
    }),
    ("review", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "books");
        press(&mut m, "d backspace 9 enter");
        let Some(super::model::Stage::Planning(op)) = m.form.as_ref().map(|f| f.stage.clone()) else {
            panic!("no dry run: {:?}", m.form)
        };
        for envelope in sample::planned(&op, sample::plan()) {
            feed(&mut m, Msg::Progress(Box::new(envelope)));
        }
        m
    }),
    ("deploy", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "shop");
        press(&mut m, "enter");
        m
    }),
    ("deploy_done", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "shop");
        press(&mut m, "enter");
        for envelope in sample::deploy("f00d", true) {
            feed(&mut m, Msg::Progress(Box::new(envelope)));
        }
        m
    }),
    ("deploy_failed", |w, h, o| {
        let mut m = sample::fresh(w, h, o);
        feed(&mut m, sample::engine_up());
        feed(&mut m, Msg::Containers(sample::containers()));
        feed(&mut m, Msg::Snapshot(Box::new(sample::snapshot())));
        for envelope in sample::deploy("f00d", false) {
            feed(&mut m, Msg::Progress(Box::new(envelope)));
        }
        m.view = View::Deploy(once_app::OpId("f00d".into()));
        m
    }),
    ("actions", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "a down down");
        m
    }),
    ("rollback", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "b");
        m
    }),
    ("remove", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "a G enter boo");
        m
    }),
    ("rename", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, ": rename enter ^u library ^s");
        let Some(super::model::Stage::Planning(op)) = m.form.as_ref().map(|f| f.stage.clone()) else {
            panic!("no dry run: {:?}", m.form)
        };
        for envelope in sample::planned(&op, sample::renaming()) {
            feed(&mut m, Msg::Progress(Box::new(envelope)));
        }
        m
    }),
    ("lock", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "L load");
        m
    }),
    ("unlock", |w, h, o| {
        let mut m = sample::host(w, h, o);
        sample::select(&mut m, "chat");
        press(&mut m, "L");
        m
    }),
    ("help", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "?");
        m
    }),
    ("palette", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, ":ro");
        m
    }),
    ("host", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
        press(&mut m, "H down");
        m
    }),
    ("host_clean", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::Examined(Ok(Box::new(sample::clean()))));
        press(&mut m, "H");
        m
    }),
    ("host_unknown", |w, h, o| {
        let mut m = sample::fresh(w, h, o);
        feed(&mut m, sample::engine_up());
        feed(&mut m, Msg::ProxyDown(sample::problem(), sample::ago(-4)));
        feed(&mut m, Msg::Examined(Err(sample::problem())));
        press(&mut m, "H");
        m
    }),
    ("host_mend", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
        press(&mut m, "H F");
        m
    }),
    ("host_mending", |w, h, o| {
        let mut m = sample::host(w, h, o);
        feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
        press(&mut m, "H F right enter");
        m
    }),
    ("activity", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "A");
        feed(&mut m, Msg::Activity(sample::activity()));
        press(&mut m, "down");
        m
    }),
    ("activity_failed", |w, h, o| {
        let mut m = sample::host(w, h, o);
        press(&mut m, "A");
        feed(&mut m, Msg::Activity(sample::activity()));
        press(&mut m, "f /lap enter");
        m
    }),
];

const SIZES: [(u16, u16); 4] = [(120, 36), (100, 30), (80, 24), (60, 20)];

#[test]
fn every_screen_in_colour() {
    for (name, scene) in SCENES {
        for (columns, rows) in SIZES {
            let m = scene(columns, rows, ConsoleOptions::default());
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), styled(&screen::draw(&m)));
        }
    }
}

#[test]
fn every_screen_without_colour() {
    for (name, scene) in SCENES {
        for (columns, rows) in SIZES {
            let options = ConsoleOptions { color: Depth::None, ..ConsoleOptions::default() };
            let plain = screen::draw(&scene(columns, rows, options));
            let colour = screen::draw(&scene(columns, rows, ConsoleOptions::default()));
            assert_eq!(text(&plain), text(&colour), "{name}: colour is never alone in telling something");
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}_plain"), styled(&plain));
        }
    }
}

#[test]
fn every_screen_in_ascii() {
    for (name, scene) in SCENES {
        let options = ConsoleOptions { color: Depth::Ansi, ascii: true, ..ConsoleOptions::default() };
        let drawn = screen::draw(&scene(80, 24, options));
        let text = text(&drawn);
        assert!(text.is_ascii(), "{name}: {text}");
        insta::assert_snapshot!(format!("{name}_ascii"), text);
    }
}

#[test]
fn every_tab_fits_a_phone() {
    for tab in Tab::ALL {
        let mut m = sample::host(40, 15, ConsoleOptions::default());
        press(&mut m, "tab");
        m.tab = tab;
        insta::assert_snapshot!(format!("phone_{}", tab.name().to_lowercase()), text(&screen::draw(&m)));
    }
}

#[test]
fn the_host_fits_a_phone() {
    let mut m = sample::host(40, 15, ConsoleOptions::default());
    feed(&mut m, Msg::Examined(Ok(Box::new(sample::examined()))));
    press(&mut m, "H");
    insta::assert_snapshot!("phone_host", text(&screen::draw(&m)));
}

#[test]
fn too_small_says_what_is_needed() {
    let m = sample::host(39, 14, ConsoleOptions::default());
    let text = text(&screen::draw(&m));
    assert!(text.replace('\n', " ").contains("at least 40 x 15"), "{text}");
}
