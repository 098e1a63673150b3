//! Each rule says no to a fixture that breaks it, at the right line, and yes to its lawful neighbour.

use super::rules::{House, Rule};

fn breaks(file: &str, text: &str) -> Vec<(usize, Rule)> {
    check(&[(file, text)])
}

fn check(sources: &[(&str, &str)]) -> Vec<(usize, Rule)> {
    let dependencies = ["serde", "serde_json", "tokio", "bollard", "proptest", "regex"];
    let house = House::new(dependencies.into_iter().map(str::to_owned).collect());
    let sources: Vec<(String, String)> = sources.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
    house.check(&sources).into_iter().map(|v| (v.line, v.rule)).collect()
}

#[test]
fn an_import_of_a_forbidden_room_is_found_however_it_is_written() {
    for text in [
        "use crate::docker::Docker;",
        "use crate::{app::Settings, docker::Docker};",
        "use crate::{app::{self, Settings}, docker};",
        "pub(crate) use crate::docker as d;",
        "use super::super::super::docker::Docker;",
        "use {crate::docker::Docker, std::fmt};",
        "use once::docker::Docker;",
        "use ::once::docker::Docker;",
        "use crate::r#docker::Docker;",
        "fn f() { use crate::docker::Docker; }",
    ] {
        assert_eq!(breaks("src/ui/cli/list.rs", text), [(1, Rule::Arrow)], "{text}");
    }
}

#[test]
fn a_path_inside_code_counts_as_much_as_an_import() {
    for text in [
        "fn f() { crate::docker::connect() }",
        "fn f() -> crate::docker::Docker { g() }",
        "fn f(x: Vec<crate::docker::Docker>) {}",
        "impl crate::docker::Port for X {}",
        "fn f() { super::super::super::docker::connect() }",
        "fn f() { select! { _ = crate::docker::connect() => {} } }",
        "macro_rules! m { () => { $crate::docker::connect() } }",
        "fn f() { for _ in 0..crate::docker::LIMIT {} }",
        "fn f() { x.map::<crate::docker::Docker>() }",
        "#[serde(with = \"crate::docker::text\")] struct X;",
        "#[crate::docker::attribute] struct X;",
        "mod inner { fn f() { super::super::super::super::docker::connect() } }",
    ] {
        assert_eq!(breaks("src/ui/cli/list.rs", text), [(1, Rule::Arrow)], "{text}");
    }
}

#[test]
fn a_forbidden_path_is_reported_at_its_line() {
    let text = "use crate::app::Settings;\n\nfn f() {\n    g(\n        crate::proxy::client(),\n    );\n}\n";
    assert_eq!(breaks("src/docker/mod.rs", text), [(5, Rule::Arrow)]);
}

#[test]
fn the_arrows_hold_for_each_room() {
    for (file, room, allowed) in [
        ("src/app/deploy/mod.rs", "docker", false),
        ("src/app/deploy/mod.rs", "proxy", false),
        ("src/app/name.rs", "ui", false),
        ("src/docker/mod.rs", "app", true),
        ("src/docker/mod.rs", "proxy", false),
        ("src/proxy/mod.rs", "app", true),
        ("src/proxy/mod.rs", "docker", false),
        ("src/proxy/mod.rs", "demo", false),
        ("src/ui/tui/mod.rs", "app", true),
        ("src/ui/tui/mod.rs", "proxy", false),
        ("src/ui/tui/mod.rs", "ui", true),
        ("src/demo/mod.rs", "app", false),
        ("src/demo/mod.rs", "demo", true),
        ("src/lib.rs", "docker", true),
        ("src/main.rs", "proxy", true),
    ] {
        let found = breaks(file, &format!("use crate::{room}::Thing;"));
        assert_eq!(found, if allowed { vec![] } else { vec![(1, Rule::Arrow)] }, "{file} and {room}");
    }
}

#[test]
fn words_that_only_look_like_a_forbidden_path_are_none() {
    let text = r#"
        //! [`crate::docker`] is mentioned.
        /// So is `crate::docker::Docker`.
        use crate::app::proxy::Proxy;
        mod docker { pub fn local() {} }
        pub(crate) fn f() { docker::local(); log("crate::docker::x"); x.docker::<u8>(); /* crate::docker::y */ }
    "#;
    assert_eq!(breaks("src/ui/mod.rs", text), []);
}

#[test]
fn the_crates_root_is_nobodys_shortcut() {
    for text in [
        "use crate::*;",
        "use crate as root;",
        "use crate::Thing;",
        "use super::super::*;",
        "fn f() { crate::thing() }",
    ] {
        assert_eq!(breaks("src/ui/cli/mod.rs", text), [(1, Rule::Root)], "{text}");
    }
    assert_eq!(breaks("src/lib.rs", "pub use crate::app::Settings; use crate::ui;"), []);
}

#[test]
fn code_outside_the_rooms_is_found() {
    assert_eq!(breaks("src/helpers/mod.rs", "fn f() {}"), [(1, Rule::Room)]);
    assert_eq!(breaks("src/helpers.rs", "fn f() {}"), [(1, Rule::Room)]);
}

#[test]
fn crates_stay_at_home() {
    for (file, text) in [
        ("src/ui/mod.rs", "use bollard::Docker;"),
        ("src/app/engine.rs", "fn f() -> ::bollard::Docker { g() }"),
        ("src/proxy/mod.rs", "extern crate bollard;"),
        ("src/lib.rs", "use bollard as engine;"),
        ("src/ui/cli/list.rs", "use ratatui::text::Line;"),
        ("src/proxy/mod.rs", "fn f() { crossterm::terminal::size() }"),
        ("src/docker/mod.rs", "use hyper::Request;"),
        ("src/ui/cli/mod.rs", "use hyper_util::rt::TokioIo;"),
        ("src/ui/tui/mod.rs", "use clap::Parser;"),
        ("src/app/mod.rs", "#[derive(clap::ValueEnum)] enum X {}"),
        ("src/lib.rs", "use color_eyre::eyre::Report;"),
        ("src/app/mod.rs", "#[cfg(test)] mod tests { use bollard::Docker; }"),
    ] {
        assert_eq!(breaks(file, text), [(1, Rule::Home)], "{file}: {text}");
    }
    for (file, text) in [
        ("src/docker/mod.rs", "use bollard::Docker;"),
        ("src/ui/tui/mod.rs", "use ratatui::text::Line; use crossterm::event::Event;"),
        ("src/ui/cli/exec.rs", "use crossterm::terminal; use clap::Parser;"),
        ("src/demo/app.rs", "use hyper::Request;"),
        ("src/main.rs", "fn f() { color_eyre::install() }"),
    ] {
        assert_eq!(breaks(file, text), [], "{file}: {text}");
    }
}

#[test]
fn app_keeps_to_its_crates() {
    for text in [
        "use serde_json::Value;",
        "fn f() { regex::Regex::new(x) }",
        "use tokio::net::TcpStream;",
        "fn f() { tokio::spawn(g()) }",
        "fn f() { std::fs::read(x) }",
        "use std::{fmt, process::Command};",
        "mod inner { use tokio::fs; }",
    ] {
        assert_eq!(breaks("src/app/name.rs", text), [(1, Rule::AppCrate)], "{text}");
    }
    for text in [
        "use serde::{Deserialize, Serialize};",
        "use tokio::sync::watch; fn f() { tokio::time::sleep(x) }",
        "use std::{fmt, net::IpAddr};",
        "#[cfg(test)] mod tests { use proptest::prelude::*; #[tokio::test] async fn f() { tokio::spawn(g()) } }",
        "#[cfg(test)] use proptest::prelude::*;",
    ] {
        assert_eq!(breaks("src/app/name.rs", text), [], "{text}");
    }
    assert_eq!(breaks("src/app/shape.rs", "use serde_json::to_vec; use std::fmt;"), []);
    assert_eq!(breaks("src/app/shape.rs", "use regex::Regex;"), [(1, Rule::AppCrate)]);
    assert_eq!(breaks("src/proxy/store.rs", "use serde_json::Value; use std::fs;"), []);
}

#[test]
fn what_is_for_tests_ends_with_its_item() {
    let text = "#[cfg(test)] mod tests { use regex::Regex; }\nuse regex::Regex;";
    assert_eq!(breaks("src/app/name.rs", text), [(2, Rule::AppCrate)]);
    let text = "#[cfg(test)] use regex::Regex;\nuse regex::Regex;";
    assert_eq!(breaks("src/app/name.rs", text), [(2, Rule::AppCrate)]);
    let text = "#[cfg(test)] fn f() { regex::f() }\nfn g() { regex::g() }";
    assert_eq!(breaks("src/app/name.rs", text), [(2, Rule::AppCrate)]);
}

#[test]
fn a_file_declared_for_tests_is_one() {
    let uses = "use regex::Regex;";
    assert_eq!(check(&[("src/app/mod.rs", "#[cfg(test)] mod fake;"), ("src/app/fake.rs", uses)]), []);
    let declared = "#[cfg(any(fuzzing, test))] pub(crate) mod fake;";
    assert_eq!(check(&[("src/app/mod.rs", declared), ("src/app/fake.rs", uses)]), []);
    let other = "#[cfg(any(fuzzing, unix))] mod fake;";
    assert_ne!(check(&[("src/app/mod.rs", other), ("src/app/fake.rs", uses)]), []);
    assert_eq!(check(&[("src/app/mod.rs", "mod fake;"), ("src/app/fake.rs", uses)]), [(1, Rule::AppCrate)]);
}

#[test]
fn long_files_are_found_and_their_tests_not_counted() {
    let code = "const A: u8 = 1;\n";
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code.repeat(600));
    assert_eq!(breaks("src/app/name.rs", &code.repeat(451)), [(1, Rule::Length)]);
    assert_eq!(breaks("src/app/name.rs", &format!("{}{tests}", code.repeat(440))), []);
    assert_eq!(breaks("src/app/name.rs", &format!("{tests}{}", code.repeat(451))), [(1, Rule::Length)]);
    assert_eq!(breaks("src/main.rs", &code.repeat(81)), [(1, Rule::Length)]);
}

#[test]
fn unfinished_things_are_found_everywhere() {
    for file in ["src/app/name.rs", "tests/journeys/main.rs", "benches/proxy.rs"] {
        assert_eq!(breaks(file, "fn f() { todo!() }"), [(1, Rule::Unfinished)], "{file}");
        assert_eq!(breaks(file, "fn f() { std::unimplemented!(\"x\") }"), [(1, Rule::Unfinished)], "{file}");
        assert_eq!(breaks(file, concat!("// FIX", "ME: later")), [(1, Rule::Unfinished)], "{file}");
        assert_eq!(breaks(file, concat!("/* TO", "DO */")), [(1, Rule::Unfinished)], "{file}");
        assert_eq!(breaks(file, "#[test]\n#[ignore]\nfn f() {}"), [(2, Rule::Ignored)], "{file}");
        assert_eq!(breaks(file, "#[test]\n#[ignore = \"slow\"]\nfn f() {}"), [(2, Rule::Ignored)], "{file}");
        assert_eq!(breaks(file, "#[test]\n#[ignore = \"started by `another`\"]\nfn f() {}"), [], "{file}");
    }
}

#[test]
fn files_taken_from_elsewhere_are_found() {
    assert_eq!(breaks("src/ui/mod.rs", "#[path = \"../docker/mod.rs\"] mod d;"), [(1, Rule::Foreign)]);
    assert_eq!(breaks("tests/contract/main.rs", "#[path = \"../support/fake.rs\"] mod fake;"), []);
    assert_eq!(breaks("src/ui/mod.rs", "include!(\"../docker/mod.rs\");"), [(1, Rule::Foreign)]);
}

#[test]
fn a_port_that_is_chosen_and_released_is_found() {
    for text in [
        "fn f() { let port = TcpListener::bind(\"127.0.0.1:0\").unwrap().local_addr().unwrap().port(); }",
        "fn f() { std::net::TcpListener::bind((at, 0))?.local_addr() }",
        "fn f() { TcpListener::bind(\"127.0.0.1:0\").await.unwrap().local_addr().unwrap() }",
        "use a::{bind}; fn f() { bind(\"[::1]:0\").unwrap().local_addr() }",
    ] {
        assert_eq!(breaks("tests/plane/probes.rs", text), [(1, Rule::Released)], "{text}");
    }
    for text in [
        "fn f() { let listener = TcpListener::bind(\"127.0.0.1:0\").unwrap(); listener.local_addr() }",
        "fn f() { TcpListener::bind((at, port)).unwrap().local_addr() }",
        "fn f() { serve(TcpListener::bind(\"127.0.0.1:0\").unwrap()).local_addr() }",
        "fn f() { UdpSocket::bind(\"127.0.0.1:0\").unwrap(); here.local_addr() }",
    ] {
        assert_eq!(breaks("tests/plane/probes.rs", text), [], "{text}");
    }
}

#[test]
fn a_file_that_is_no_rust_is_not_passed_over() {
    assert_eq!(breaks("src/ui/mod.rs", "fn f( {"), [(1, Rule::NotRust)]);
}
