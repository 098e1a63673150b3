//! Import circles between the files of a crate. An import is followed through `pub use` to the file that defines the item.

use std::collections::{BTreeMap, BTreeSet};

use super::scan::{Scan, scan};

/// A file's module, from the crate's root.
type Module = Vec<String>;

/// The files of one crate and what each takes from others of it.
pub struct Crate {
    files: BTreeMap<Module, String>,
    scans: BTreeMap<Module, Scan>,
    /// What a module passes on: module and name, and where that comes from.
    passed_on: BTreeMap<(Module, String), Module>,
}

impl Crate {
    /// `sources`: paths from the crate's folder, and texts. Files that are only compiled for tests are left out.
    pub fn of(sources: &[(String, String)]) -> Self {
        let mut scans: BTreeMap<Module, (String, Scan)> = BTreeMap::new();
        for (file, text) in sources {
            let found = scan(&without_visibility(text)).unwrap_or_else(|error| panic!("{file}: {error}"));
            scans.insert(module(file), (file.clone(), found));
        }
        let tests: BTreeSet<Module> = scans
            .iter()
            .flat_map(|(module, (_, scan))| scan.test_files.iter().map(|name| child(module, name)))
            .collect();
        scans.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        let files = scans.iter().map(|(module, (file, _))| (module.clone(), file.clone())).collect();
        let scans: BTreeMap<Module, Scan> = scans.into_iter().map(|(module, (_, scan))| (module, scan)).collect();
        let mut found = Self { files, scans, passed_on: BTreeMap::new() };
        for (module, scan) in &found.scans {
            for path in scan.paths.iter().filter(|path| path.import && !path.test && path.within.is_empty()) {
                if let (Some(to), Some(name)) = (found.absolute(module, &path.segments), path.segments.last()) {
                    found.passed_on.insert((module.clone(), name.clone()), to);
                }
            }
        }
        found
    }

    /// What the files of a circle take from each other, a line a file.
    pub fn arrows_inside(&self, circle: &[String]) -> String {
        let inside = |module: &Module| circle.contains(&self.files[module]);
        let lines = self.scans.iter().filter(|(module, _)| inside(module)).map(|(module, scan)| {
            let to = self.arrows(module, scan).into_iter().filter(|to| inside(to)).map(|to| self.files[to].as_str());
            format!("    {} → {}", self.files[module], to.collect::<Vec<_>>().join(", "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Circles that are too large, or that join folders: the files of each.
    pub fn forbidden(&self) -> Vec<Vec<String>> {
        let mut circles = self.circles();
        circles.retain(|files| {
            let folders: BTreeSet<&str> =
                files.iter().map(|file| file.rsplit_once('/').map_or("", |(f, _)| f)).collect();
            files.len() > LARGEST || folders.len() > 1
        });
        circles
    }

    fn circles(&self) -> Vec<Vec<String>> {
        let arrows: BTreeMap<&Module, BTreeSet<&Module>> =
            self.scans.iter().map(|(module, scan)| (module, self.arrows(module, scan))).collect();
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            arrows.keys().map(|from| (*from, reach(from, &arrows))).collect();
        let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
        for (from, to) in &reached {
            let circle =
                to.iter().filter(|other| reached[*other].contains(from)).map(|module| self.files[*module].clone());
            let circle: Vec<String> = circle.collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// The other files a file takes something from.
    fn arrows<'a>(&'a self, from: &Module, scan: &Scan) -> BTreeSet<&'a Module> {
        let paths = scan.paths.iter().filter(|path| !path.test);
        paths
            .filter_map(|path| {
                let mut at = from.clone();
                at.extend(path.within.iter().cloned());
                self.definer(&self.absolute(&at, &path.segments)?, 0)
            })
            .filter(|to| *to != from)
            .collect()
    }

    /// The path from the crate's root, where it is one of this crate.
    fn absolute(&self, at: &Module, segments: &[String]) -> Option<Module> {
        let (mut base, mut rest) = match segments.first().map(String::as_str)? {
            "crate" => (Vec::new(), &segments[1..]),
            "self" => (at.clone(), &segments[1..]),
            "super" => (at.clone(), segments),
            first if self.files.contains_key(&child(at, first)) => (at.clone(), segments),
            _ => return None,
        };
        while rest.first().is_some_and(|segment| segment == "super") {
            base.pop();
            rest = &rest[1..];
        }
        base.extend(rest.iter().filter(|segment| *segment != "self").cloned());
        Some(base)
    }

    /// The file in which what a path leads to is defined.
    fn definer(&self, path: &[String], hops: usize) -> Option<&Module> {
        let (module, _) = (0..=path.len()).rev().find_map(|n| self.files.get_key_value(&path[..n]))?;
        let Some(name) = path.get(module.len()) else { return Some(module) };
        match self.passed_on.get(&(module.clone(), name.clone())) {
            Some(to) if hops < 8 && !to.starts_with(&path[..=module.len()]) => {
                let mut further = to.clone();
                further.extend(path[module.len() + 1..].iter().cloned());
                self.definer(&further, hops + 1)
            }
            _ => Some(module),
        }
    }
}

/// Files that may import each other inside one folder.
const LARGEST: usize = 3;

fn reach<'a>(from: &Module, arrows: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = vec![from];
    while let Some(module) = open.pop() {
        for to in &arrows[module] {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}

/// `pub(in path)` names a module, and takes nothing from it.
fn without_visibility(text: &str) -> String {
    let mut parts = text.split("pub(in ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + "pub(crate" + &part[part.find(')').unwrap_or_default()..])
}

fn module(file: &str) -> Module {
    let mut parts: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib") {
        parts.pop();
    }
    parts
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}
