//! Holds the source to what Cargo cannot hold: which crate may use which, that `app` does no input or output, how long a
//! file may grow, and that nothing unfinished stays. Reads the source as tokens, so a path deep inside a function or a
//! macro counts as much as a `use` at the top, and a word in a comment or a text does not.
//!
//! `scan` finds paths, `rules` judges them, `selftest` shows that each rule can say no.

// A file that cannot be read fails the test, wherever it was to be read.
#![allow(clippy::unwrap_used, clippy::panic)]

mod circles;
mod rules;
mod scan;
mod selftest;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rules::{House, Violation};

/// The folders the rules look at; in all of them nothing unfinished may stay.
const FOLDERS: [&str; 3] = ["src", "tests", "benches"];

#[test]
fn every_file_keeps_to_the_plan() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let house = House::new(dependencies(root));
    let mut sources = Vec::new();
    for folder in FOLDERS {
        collect(&root.join(folder), &mut sources);
    }
    let sources: Vec<(String, String)> = sources
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    assert!(sources.len() > 20, "found only {} files: the walk is broken, not the house", sources.len());

    let violations = house.check(&sources);
    assert!(
        violations.is_empty(),
        "\n{}\n",
        violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("\n")
    );
}

/// Names under which the crates of the workspace can be written in code.
fn dependencies(root: &Path) -> BTreeSet<String> {
    let workspace = &manifest(&root.join("Cargo.toml"))["workspace"];
    let names: BTreeSet<String> =
        workspace["dependencies"].as_table().unwrap().keys().map(|name| name.replace('-', "_")).collect();
    assert!(names.contains("bollard") && names.contains("ratatui"), "the manifest was read wrongly: {names:?}");
    names
}

fn manifest(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Which of our crates a crate may use, tests of its own included. Only `once`, the binary, knows all.
const ARROWS: [(&str, &[&str]); 9] = [
    ("app", &[]),
    ("docker", &["app"]),
    ("proxy", &["app"]),
    ("demo", &[]),
    ("ui/text", &["app"]),
    ("ui/job", &["app"]),
    ("ui/cli", &["app", "text", "job"]),
    ("ui/tui", &["app", "text", "job"]),
    ("fuzzing", &[]),
];

/// Crates that only one of ours may use: what an engine, a terminal, a request or an argument is.
const HOMES: [(&str, &[&str]); 8] = [
    ("bollard", &["docker"]),
    ("ratatui", &["ui/tui"]),
    ("tui-input", &["ui/tui"]),
    ("crossterm", &["ui/tui", "ui/cli"]),
    ("hyper", &["proxy", "demo"]),
    ("h2", &["proxy"]),
    ("clap", &["ui/cli"]),
    ("clap_complete", &["ui/cli"]),
];

#[test]
fn crates_keep_to_their_arrows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let members = manifest(&root.join("Cargo.toml"))["workspace"]["members"].as_array().unwrap().len();
    // The root itself, and the bench.
    assert_eq!(members, ARROWS.len() + 2, "a crate has no arrows");
    for (krate, may) in ARROWS {
        let manifest = manifest(&root.join("src").join(krate).join("Cargo.toml"));
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else { continue };
            for name in table.keys() {
                if let Some(ours) = name.strip_prefix("once-") {
                    let kept = ours == "fuzzing" && section == "dev-dependencies";
                    assert!(kept || may.contains(&ours), "src/{krate} may not use {name}");
                }
                if let Some((_, homes)) = HOMES.iter().find(|(foreign, _)| foreign == name) {
                    assert!(homes.contains(&krate), "{name} is not at home in src/{krate}");
                }
            }
        }
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// The crates, and how many circles are left in each: of more than three files, or over several folders. None may come, and
/// one that is cut is taken off here.
const CIRCLES: [(&str, usize); 8] =
    [("app", 0), ("docker", 0), ("proxy", 5), ("demo", 0), ("ui/text", 0), ("ui/job", 0), ("ui/cli", 0), ("ui/tui", 1)];

#[test]
fn files_import_each_other_in_no_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (krate, known) in CIRCLES {
        let folder = root.join(krate);
        let mut paths = Vec::new();
        collect(&folder, &mut paths);
        let sources: Vec<(String, String)> = paths
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).unwrap();
                (path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned(), text)
            })
            .collect();
        let files = circles::Crate::of(&sources);
        let circles = files.forbidden();
        if circles.len() != known {
            let arrows: Vec<String> = circles
                .iter()
                .map(|circle| format!("  {} files\n{}", circle.len(), files.arrows_inside(circle)))
                .collect();
            wrong.push(format!("{krate}: {} circles, {known} known\n{}", circles.len(), arrows.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Documents rot where they name files. Each one named in backticks or linked to is there, as file or folder.
#[test]
fn documents_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    let mut missing = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/glossary.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let quoted = text.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
        let linked = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for word in quoted.chain(linked) {
            if ["src/", "tests/", "bin/", "docs/", ".ci/"].iter().any(|folder| word.starts_with(folder)) {
                named += 1;
                if !root.join(word).exists() {
                    missing.push(format!("{document}: {word}"));
                }
            }
        }
    }
    assert!(named > 30, "found only {named} names: the search is broken");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

/// Calls that delete something on the engine, or a file of our volume. Each file that makes one says in ARCHITECTURE.md
/// ("What can delete something") why it may.
const DELETES: [&str; 7] = [
    "engine.remove(",
    "remove_container(",
    ".remove_volume(",
    ".remove_image(",
    ".remove_network(",
    "remove_file(",
    "remove_dir_all(",
];

#[test]
fn whatever_deletes_something_says_why_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let section = text.split("\n## What can delete something").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut sources = Vec::new();
    collect(&root.join("src"), &mut sources);
    let (mut calls, mut named) = (0, Vec::new());
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        let file = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let count: usize = DELETES.iter().map(|call| code.matches(call).count()).sum();
        let declares = file == "src/app/ports/engine.rs";
        if count == 0 || declares {
            continue;
        }
        calls += count;
        // `src/app/deploy/swap/release_command.rs` ×1: a further call in a file that is listed has to be listed, too.
        let listed = [" ", ","].iter().any(|end| section.contains(&format!("`{file}` ×{count}{end}")));
        assert!(listed, "{file} deletes at {count} places: list them");
        named.push(file);
    }
    assert!(calls > 20, "found only {calls} calls: the search is broken");
    let gone = section.split('`').skip(1).step_by(2).filter(|word| word.starts_with("src/"));
    let gone: Vec<&str> = gone.filter(|word| !named.iter().any(|file| file == word)).collect();
    assert!(gone.is_empty(), "listed, and they delete nothing: {gone:?}");
}
