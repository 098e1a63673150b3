//! What fuzzing calls. Each crate has a list of its parsers, with a property of each that holds for whatever bytes it is
//! given (`fuzzing.rs`). `bin/fuzz` throws random ones at them; [`replay`], in each crate's own tests, the inputs that are
//! kept. No part of the normal build.

// What does not hold panics.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A parser's letter, which is an input's first byte, its name, and what must hold: it panics where that does not.
pub type Parser = (u8, &'static str, fn(&[u8]));

/// A fuzz target's name, and the parsers it is about.
pub type Target = (&'static str, &'static [Parser]);

/// Gives an input to the parser of its first byte; to one of them, where no letter fits.
///
/// # Panics
/// Where the property does not hold, or there is no such target.
pub fn run(targets: &[Target], target: &str, input: &[u8]) {
    let Some((_, parsers)) = targets.iter().find(|(name, _)| *name == target) else { panic!("no target {target}") };
    let Some((letter, bytes)) = input.split_first() else { return };
    let by_letter = parsers.iter().find(|(own, ..)| own == letter);
    if let Some((_, _, holds)) = by_letter.or_else(|| parsers.get(usize::from(*letter) % parsers.len())) {
        holds(bytes);
    }
}

/// Replays what is kept in `fuzz/seeds` for these targets.
///
/// # Panics
/// Where a property does not hold, an input is nobody's, or a parser has none; or where a target has no program in
/// `fuzz/targets`.
pub fn replay(targets: &[Target]) {
    for (target, parsers) in targets {
        let mut tried = BTreeSet::new();
        for path in seeds(target) {
            let input = fs::read(&path).unwrap();
            let parser = parsers.iter().find(|(letter, ..)| input.first() == Some(letter));
            let Some((_, name, _)) = parser else { panic!("{} is for no parser", path.display()) };
            let stem = path.file_stem().unwrap().to_string_lossy();
            assert!(stem.starts_with(name), "{} is for {name}", path.display());
            if std::panic::catch_unwind(|| run(targets, target, &input)).is_err() {
                panic!("{} does not hold", path.display());
            }
            tried.insert(*name);
        }
        let all: BTreeSet<&str> = parsers.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(tried, all, "each parser of {target} has an input that is kept");
        let program = fuzz().join(format!("targets/{target}.rs"));
        let text = fs::read_to_string(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        assert!(text.contains(&format!("TARGETS, {target:?}, input)")), "{}", program.display());
    }
}

fn seeds(target: &str) -> Vec<PathBuf> {
    let folder = fuzz().join("seeds").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}
