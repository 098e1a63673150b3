//! Each rule says no to a fixture that breaks it, at the right line, and yes to its lawful neighbour.

use super::circles::Crate;
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
fn app_keeps_to_its_crates() {
    for text in [
        "use serde_json::Value;",
        "fn f() { regex::Regex::new(x) }",
        "use tokio::net::TcpStream;",
        "fn f() { tokio::spawn(g()) }",
        "fn f() { std::fs::read(x) }",
        "use std::{fmt, process::Command};",
        "mod inner { use tokio::fs; }",
        "use {serde_json::Value, std::fmt};",
        "use ::bollard::Docker;",
        "extern crate bollard;",
        "use bollard as engine;",
        "fn f(x: Vec<bollard::Docker>) {}",
        "fn f() { select! { _ = bollard::connect() => {} } }",
        "#[serde(with = \"bollard::text\")] struct X;",
        "#[bollard::attribute] struct X;",
    ] {
        assert_eq!(breaks("src/app/model/name.rs", text), [(1, Rule::AppCrate)], "{text}");
    }
    for text in [
        "use serde::{Deserialize, Serialize};",
        "use tokio::sync::watch; fn f() { tokio::time::sleep(x) }",
        "use std::{fmt, net::IpAddr};",
        "#[cfg(test)] mod tests { use proptest::prelude::*; #[tokio::test] async fn f() { tokio::spawn(g()) } }",
        "#[cfg(test)] use proptest::prelude::*;",
        "//! [`bollard::Docker`] is mentioned.\nfn f() { log(\"bollard::x\"); x.bollard::<u8>(); /* bollard::y */ }",
    ] {
        assert_eq!(breaks("src/app/model/name.rs", text), [], "{text}");
    }
    assert_eq!(breaks("src/app/plan/fingerprint.rs", "use serde_json::to_vec; use std::fmt;"), []);
    assert_eq!(breaks("src/app/plan/fingerprint.rs", "use regex::Regex;"), [(1, Rule::AppCrate)]);
    assert_eq!(breaks("src/proxy/store.rs", "use serde_json::Value; use std::fs;"), []);
}

#[test]
fn what_is_for_tests_ends_with_its_item() {
    let text = "#[cfg(test)] mod tests { use regex::Regex; }\nuse regex::Regex;";
    assert_eq!(breaks("src/app/model/name.rs", text), [(2, Rule::AppCrate)]);
    let text = "#[cfg(test)] use regex::Regex;\nuse regex::Regex;";
    assert_eq!(breaks("src/app/model/name.rs", text), [(2, Rule::AppCrate)]);
    let text = "#[cfg(test)] fn f() { regex::f() }\nfn g() { regex::g() }";
    assert_eq!(breaks("src/app/model/name.rs", text), [(2, Rule::AppCrate)]);
}

#[test]
fn a_file_declared_for_tests_is_one() {
    let uses = "use regex::Regex;";
    assert_eq!(check(&[("src/app/lib.rs", "#[cfg(test)] mod fake;"), ("src/app/fake.rs", uses)]), []);
    let declared = "#[cfg(any(fuzzing, test))] pub(crate) mod fake;";
    assert_eq!(check(&[("src/app/lib.rs", declared), ("src/app/fake.rs", uses)]), []);
    let other = "#[cfg(any(fuzzing, unix))] mod fake;";
    assert_ne!(check(&[("src/app/lib.rs", other), ("src/app/fake.rs", uses)]), []);
    assert_eq!(check(&[("src/app/lib.rs", "mod fake;"), ("src/app/fake.rs", uses)]), [(1, Rule::AppCrate)]);
}

#[test]
fn a_path_is_reported_at_its_line() {
    let text = "use serde::Serialize;\n\nfn f() {\n    g(\n        bollard::client(),\n    );\n}\n";
    assert_eq!(breaks("src/app/model/name.rs", text), [(5, Rule::AppCrate)]);
}

#[test]
fn long_files_are_found_and_their_tests_not_counted() {
    let code = "const A: u8 = 1;\n";
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", code.repeat(600));
    assert_eq!(breaks("src/app/model/name.rs", &code.repeat(451)), [(1, Rule::Length)]);
    assert_eq!(breaks("src/app/model/name.rs", &format!("{}{tests}", code.repeat(440))), []);
    assert_eq!(breaks("src/app/model/name.rs", &format!("{tests}{}", code.repeat(451))), [(1, Rule::Length)]);
    assert_eq!(breaks("src/main.rs", &code.repeat(81)), [(1, Rule::Length)]);
}

#[test]
fn unfinished_things_are_found_everywhere() {
    for file in ["src/app/model/name.rs", "tests/journeys/main.rs", "benches/proxy.rs"] {
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

fn circles(sources: &[(&str, &str)]) -> Vec<Vec<String>> {
    let sources: Vec<(String, String)> = sources.iter().map(|(f, t)| ((*f).to_owned(), (*t).to_owned())).collect();
    Crate::of(&sources).forbidden()
}

#[test]
fn a_circle_over_two_folders_is_found_through_what_is_passed_on() {
    let lib = ("lib.rs", "mod a; mod b;");
    let passes_on = ("a/mod.rs", "mod x; pub use x::X;");
    let takes = ("b.rs", "use crate::a::X; pub struct Y;");
    assert_eq!(circles(&[lib, passes_on, takes, ("a/x.rs", "use crate::b::Y; pub struct X;")]), [["a/x.rs", "b.rs"]]);
    for lawful in [
        "pub struct X;",
        "#[cfg(test)] mod tests { use crate::b::Y; } pub struct X;",
        "//! [`crate::b::Y`] is mentioned.\npub(in crate::b) struct X;",
    ] {
        assert_eq!(circles(&[lib, passes_on, takes, ("a/x.rs", lawful)]), Vec::<Vec<String>>::new(), "{lawful}");
    }
}

#[test]
fn three_files_of_a_folder_may_import_each_other_and_four_may_not() {
    let files = [
        ("a.rs", "use super::b::B; pub struct A;"),
        ("b.rs", "use super::c::C; pub struct B;"),
        ("c.rs", "use super::a::A; use super::d::D; pub struct C;"),
        ("d.rs", "use super::a::A; pub struct D;"),
    ];
    let last = ("d.rs", "pub struct D;");
    assert_eq!(circles(&files), [["a.rs", "b.rs", "c.rs", "d.rs"]]);
    assert_eq!(circles(&[&files[..3], &[last]].concat()), Vec::<Vec<String>>::new());
}

#[test]
fn a_file_that_is_no_rust_is_not_passed_over() {
    assert_eq!(breaks("src/ui/mod.rs", "fn f( {"), [(1, Rule::NotRust)]);
}
