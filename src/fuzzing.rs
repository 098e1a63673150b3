//! What fuzzing calls: for each parser of ours a property that holds for whatever bytes it is given. `bin/fuzz` throws
//! random ones at them; the test here replays the inputs that are kept. No part of the normal build.

use crate::app::fuzzing as app;
use crate::docker::fuzzing as docker;
use crate::proxy::fuzzing::{self as proxy, plane};
use crate::ui::fuzzing as ui;

/// A parser's letter, which is an input's first byte, its name, and what must hold: it panics where that does not.
type Parser = (u8, &'static str, fn(&[u8]));

/// The fuzz targets, each with the parsers it is about.
pub const TARGETS: &[(&str, &[Parser])] = &[
    ("request", &[(b'r', "request", plane::request)]),
    (
        "heads",
        &[
            (b'h', "hop", plane::hop),
            (b'f', "forwarded", plane::forwarded),
            (b'e', "coding", plane::coding),
            (b'p', "page", plane::page),
            (b'c', "cookie", plane::cookie),
            (b'a', "authorization", plane::authorization),
            (b'l', "log", plane::log),
        ],
    ),
    (
        "addresses",
        &[
            (b'p', "proxy-protocol", plane::proxy_protocol),
            (b'a', "authority", plane::authority),
            (b'x', "prefix", plane::prefix),
            (b'w', "frames", plane::frames),
        ],
    ),
    (
        "settings",
        &[
            (b'q', "quantity", app::quantity),
            (b'n', "name", app::name),
            (b'i', "image", app::image),
            (b'r', "rule", app::rule),
            (b'd', "draft", app::draft),
            (b'p', "proxy-draft", app::proxy_draft),
            (b'v', "env-file", ui::env_file),
            (b's', "since", ui::since),
            (b'k', "keys", ui::keys),
        ],
    ),
    (
        "engine",
        &[
            (b'l', "log", docker::log),
            (b'a', "address", docker::address),
            (b'c', "login", docker::login),
            (b'b', "label", docker::label),
            (b'k', "kernel", docker::kernel),
            (b'p', "pull", docker::pull),
            (b't', "taken", docker::taken),
            (b's', "line", ui::line),
        ],
    ),
    (
        "state",
        &[
            (b'r', "record", proxy::record),
            (b'c', "configuration", proxy::configuration),
            (b'u', "unknown", proxy::unknown),
            (b's', "schedule", proxy::schedule),
            (b'a', "answer", proxy::answer),
            (b't', "pair", proxy::pair),
            (b'w', "word", proxy::word),
            (b'f', "frame", proxy::frame),
            (b'g', "gateway", proxy::gateway),
        ],
    ),
];

/// Gives an input to the parser of its first byte; to one of them, where no letter fits.
pub fn run(target: &str, input: &[u8]) {
    let Some((letter, bytes)) = input.split_first() else { return };
    let Some((_, parsers)) = TARGETS.iter().find(|(name, _)| *name == target) else { return };
    let by_letter = parsers.iter().find(|(own, ..)| own == letter);
    if let Some((_, _, holds)) = by_letter.or_else(|| parsers.get(usize::from(*letter) % parsers.len())) {
        holds(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn folder(name: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn stem(path: &Path) -> String {
        path.file_stem().unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn the_seeds_hold() {
        for (target, parsers) in TARGETS {
            let mut tried = BTreeSet::new();
            for path in folder(&format!("seeds/{target}")) {
                let input = fs::read(&path).unwrap();
                let (_, name, _) = parsers.iter().find(|(letter, ..)| input.first() == Some(letter)).unwrap();
                assert!(stem(&path).starts_with(name), "{} is for {name}", path.display());
                if std::panic::catch_unwind(|| run(target, &input)).is_err() {
                    panic!("{} does not hold", path.display());
                }
                tried.insert(*name);
            }
            let all: BTreeSet<&str> = parsers.iter().map(|(_, name, _)| *name).collect();
            assert_eq!(tried, all, "each parser has a seed");
        }
    }

    #[test]
    fn each_target_has_its_program() {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        let programs: BTreeSet<String> = folder("targets").iter().map(|path| stem(path)).collect();
        assert_eq!(programs, names.iter().map(|name| (*name).to_owned()).collect());
        for path in folder("targets") {
            let program = fs::read_to_string(&path).unwrap();
            assert!(program.contains(&format!("run({:?}, input)", stem(&path))), "{}", path.display());
        }
    }
}
