//! What is allowed, and who breaks it.

use std::collections::BTreeSet;
use std::fmt;

use super::scan::{Found, Mark, Scan, scan};

/// The crates `app` may use, with the modules of them where not all are meant.
const APP_CRATES: [(&str, &[&str]); 11] = [
    ("serde", &[]),
    ("thiserror", &[]),
    ("jiff", &[]),
    ("futures_core", &[]),
    // Combinators on the streams that the ports hand out.
    ("futures_util", &[]),
    ("async_trait", &[]),
    // Ranges of addresses: pure values, as std's addresses are.
    ("ipnet", &[]),
    // How the name system spells a name that is not ASCII: pure values too.
    ("idna", &[]),
    ("tracing", &[]),
    ("tokio", &["sync", "time", "select", "join", "try_join", "pin"]),
    ("tokio_util", &["sync"]),
];

/// More for one file of `app`: bytes made of values, no I/O. A container's snapshot is the JSON in its label, and what
/// makes it differ from another is a keyed hash. What other tools left in labels and files is JSON too, and a directory of
/// theirs is named by a hash.
const APP_EXCEPTIONS: [(&str, &[&str]); 6] = [
    ("src/app/plan/fingerprint.rs", &["serde_json", "hmac", "sha2"]),
    // Names of volumes.
    ("src/app/plan/volumes.rs", &["sha2"]),
    ("src/app/settings/label.rs", &["serde_json"]),
    ("src/app/import/once_label.rs", &["serde_json"]),
    ("src/app/import/kamal.rs", &["serde_json"]),
    ("src/app/host/port_handover/certificates.rs", &["serde_json", "sha2"]),
];

/// Lines a file may have without its tests.
const LONGEST: usize = 450;

/// Lines `main.rs` may have: it reads like a table of contents.
const LONGEST_MAIN: usize = 80;

/// A rule that was broken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub file: String,
    pub line: usize,
    pub what: String,
    pub rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    AppCrate,
    Length,
    Unfinished,
    Ignored,
    Foreign,
    Released,
    NotRust,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = match self.rule {
            Rule::AppCrate => {
                "app is pure: it has a short list of crates, the outside world comes in through its ports"
            }
            Rule::Length => "the file is too long; which second reason to change has moved in?",
            Rule::Unfinished => "nothing unfinished stays; what is missing is said in README.md",
            Rule::Ignored => "a test that does not run proves nothing",
            Rule::Foreign => "files are reached as modules or crates",
            Rule::Released => {
                "somebody else takes a port that was chosen and released; `tests/support/ports.rs` keeps it until the end"
            }
            Rule::NotRust => "the file cannot be read as Rust",
        };
        write!(f, "{}:{}: {}: {rule}", self.file, self.line, self.what)
    }
}

/// The rules, with the crates that can be named at all.
pub struct House {
    dependencies: BTreeSet<String>,
}

impl House {
    pub fn new(dependencies: BTreeSet<String>) -> Self {
        Self { dependencies }
    }

    /// Judges files, given as path from the repository's root and text.
    pub fn check(&self, sources: &[(String, String)]) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut scans = Vec::new();
        for (file, text) in sources {
            violations.extend(unfinished_words(file, text));
            match scan(text) {
                Ok(scan) => scans.push((file.as_str(), text.as_str(), scan)),
                Err(error) => violations.push(broken(file, 1, error, Rule::NotRust)),
            }
        }
        let test_modules: Vec<Vec<String>> = scans
            .iter()
            .flat_map(|(file, _, scan)| scan.test_files.iter().map(|name| child(&module(file), name)))
            .collect();

        for (file, text, scan) in &scans {
            violations.extend(scan.marks.iter().filter_map(|(line, mark)| judge_mark(file, *line, mark)));
            if !file.starts_with("src/") {
                continue;
            }
            let module = module(file);
            let all_test = test_modules.iter().any(|test| module.starts_with(test));
            if !all_test {
                violations.extend(length(file, text, scan));
            }
            for path in &scan.paths {
                violations.extend(self.judge_path(file, all_test, path));
            }
        }
        violations.sort_by(|a, b| (&a.file, a.line, a.rule).cmp(&(&b.file, b.line, b.rule)));
        violations.dedup();
        violations
    }

    /// Holds `app` to its crates; what else one of ours may use stands in its `Cargo.toml`.
    fn judge_path(&self, file: &str, all_test: bool, path: &Found) -> Option<Violation> {
        let first = path.segments.first()?.as_str();
        let ours = matches!(first, "crate" | "self" | "super") && !path.leading;
        if !file.starts_with("src/app/") || ours || path.test || all_test {
            return None;
        }
        let rest = path.segments.get(1).map_or("", String::as_str);
        if APP_EXCEPTIONS.iter().any(|(name, crates)| *name == file && crates.contains(&first)) {
            return None;
        }
        let allowed = match APP_CRATES.iter().find(|(name, _)| *name == first) {
            Some((_, [])) => true,
            Some((_, modules)) => modules.contains(&rest),
            None if first == "std" => !matches!(rest, "fs" | "process" | "env" | "os" | "thread"),
            None => !self.dependencies.contains(first),
        };
        (!allowed).then(|| broken(file, path.line, path.segments.join("::"), Rule::AppCrate))
    }
}

/// The module a file is, from `src`.
fn module(file: &str) -> Vec<String> {
    let mut parts: Vec<String> =
        file.trim_start_matches("src/").trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn child(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn judge_mark(file: &str, line: usize, mark: &Mark) -> Option<Violation> {
    match mark {
        Mark::Unfinished(what) => Some(broken(file, line, (*what).to_owned(), Rule::Unfinished)),
        Mark::Ignored => Some(broken(file, line, "#[ignore]".to_owned(), Rule::Ignored)),
        Mark::Released => Some(broken(file, line, "bind(…:0).local_addr()".to_owned(), Rule::Released)),
        // Tests share their fakes this way.
        Mark::Foreign(what) => file.starts_with("src/").then(|| broken(file, line, (*what).to_owned(), Rule::Foreign)),
    }
}

fn length(file: &str, text: &str, scan: &Scan) -> Option<Violation> {
    let lines = text.lines().count();
    let tests: usize = scan.test_lines.iter().map(|r| r.end() + 1 - r.start()).sum();
    let own = lines.saturating_sub(tests);
    let longest = if file == "src/main.rs" { LONGEST_MAIN } else { LONGEST };
    (own > longest).then(|| broken(file, 1, format!("{own} lines without its tests, {longest} at most"), Rule::Length))
}

/// Words in comments that promise later work. Put together here so that this file is not one of them.
fn unfinished_words(file: &str, text: &str) -> Vec<Violation> {
    let words = [concat!("FIX", "ME"), concat!("TO", "DO")];
    let has = |line: &str, word: &str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word);
    text.lines()
        .enumerate()
        .flat_map(|(at, line)| {
            words.iter().filter(move |word| has(line, word)).map(move |word| (at + 1, (*word).to_owned()))
        })
        .map(|(line, word)| broken(file, line, word, Rule::Unfinished))
        .collect()
}

fn broken(file: &str, line: usize, what: String, rule: Rule) -> Violation {
    Violation { file: file.to_owned(), line, what, rule }
}
