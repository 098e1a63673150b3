//! The probe's words, done in memory.

use super::state::State;

/// What a program does at once.
#[derive(Default)]
pub struct Program {
    /// Whether to standard error, and the line.
    pub lines: Vec<(bool, String)>,
    /// `None`: it goes on.
    pub ends: Option<i64>,
}

fn said(lines: Vec<(bool, String)>) -> Program {
    Program { lines, ends: Some(0) }
}

fn line(text: impl Into<String>) -> Program {
    said(vec![(false, text.into())])
}

fn split(words: &[String]) -> Vec<(bool, String)> {
    let one = |word: &String| match word.strip_prefix("2:") {
        Some(word) => (true, word.to_owned()),
        None => (false, word.clone()),
    };
    words.iter().map(one).collect()
}

/// Runs the probe in a container.
pub fn run(state: &mut State, container: &str, argv: &[String], input: &[u8]) -> Program {
    let Some((word, rest)) = argv.split_first() else { return Program::default() };
    let held = &state.containers[container];
    match (word.as_str(), rest) {
        ("wait" | "tick" | "burn" | "listen", _) => Program::default(),
        ("exit", [code]) => Program { lines: vec![], ends: Some(code.parse().unwrap()) },
        ("say", words) => said(split(words)),
        ("say-and-wait", words) => Program { lines: split(words), ends: None },
        ("fail", [text, code]) => Program { lines: vec![(true, text.clone())], ends: Some(code.parse().unwrap()) },
        ("long", [length]) => line("x".repeat(length.parse().unwrap())),
        ("echo", _) => {
            let mut lines: Vec<_> =
                String::from_utf8_lossy(input).lines().map(|text| (false, text.to_owned())).collect();
            lines.push((true, "bye".into()));
            said(lines)
        }
        ("env", [key]) => {
            let value = held.env.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            line(value.unwrap_or_default())
        }
        ("write", [path, content]) => {
            if let Some((volume, path)) = held.on_volume(path) {
                let files = &mut state.volumes.get_mut(&volume).unwrap().files;
                files.insert(path.to_owned(), content.clone());
            }
            said(vec![])
        }
        ("read", [path]) => {
            let content =
                held.on_volume(path).and_then(|(volume, path)| state.volumes.get(&volume)?.files.get(path).cloned());
            match content {
                Some(content) => line(content),
                None => Program { lines: vec![(true, "no such file".into())], ends: Some(101) },
            }
        }
        ("terminal", _) => line("false"),
        // Images that are not the probe run what they like.
        _ => Program::default(),
    }
}
