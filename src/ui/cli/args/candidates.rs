//! What a shell offers for a value that is being typed.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap_complete::{ArgValueCandidates, CompletionCandidate};

/// The variable by which the script of a shell says which one it is.
pub(crate) const ASKED_BY: &str = "COMPLETE";

/// A person who types does not wait longer for names.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Names that are offered at most, in bytes of the list: far more than a screen holds.
const LONGEST_LIST: u64 = 4 << 20;

/// The names of apps, asked for when they are needed.
pub(crate) fn apps() -> ArgValueCandidates {
    ArgValueCandidates::new(|| names().into_iter().map(CompletionCandidate::new).collect())
}

/// One of these words.
pub(crate) fn words(words: &'static [&'static str]) -> ArgValueCandidates {
    ArgValueCandidates::new(move || words.iter().map(CompletionCandidate::new).collect())
}

/// Asks this binary for its list, on the engine and of the namespace that are being typed.
fn names() -> Vec<String> {
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let typed: Vec<OsString> = std::env::args_os().skip_while(|arg| arg != "--").collect();
    let mut command = Command::new(own);
    command.args(place(&typed)).args(["list", "--json"]).env_remove(ASKED_BY);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let Ok(mut child) = command.spawn() else { return Vec::new() };
    let Some(stdout) = child.stdout.take() else { return Vec::new() };
    let (done, answer) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = stdout.take(LONGEST_LIST).read_to_string(&mut text);
        let _ = done.send(read.map(|_| text));
    });
    let text = answer.recv_timeout(PATIENCE).ok().and_then(Result::ok).unwrap_or_default();
    let _ = child.kill();
    let _ = child.wait();
    named(&text)
}

/// Which engine and which namespace: the flags that lead to another place.
fn place(typed: &[OsString]) -> Vec<OsString> {
    let mut flags = Vec::new();
    for (at, arg) in typed.iter().enumerate() {
        let long = |flag: &str| arg.to_str().is_some_and(|arg| arg.starts_with(&format!("{flag}=")));
        if long("--on") || long("--namespace") {
            flags.push(arg.clone());
        } else if arg == OsStr::new("--on") || arg == OsStr::new("--namespace") {
            flags.extend(typed.get(at..=at + 1).unwrap_or_default().iter().cloned());
        }
    }
    flags
}

/// The names in a list of apps.
fn named(list: &str) -> Vec<String> {
    let objects = list.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    objects.filter_map(|object| Some(object.get("name")?.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_objects_with_a_name() {
        let list = "{\"name\":\"shop\",\"id\":\"x\"}\nnot json\n{\"event\":\"finished\"}\n{\"name\":\"wiki\"}\n";
        assert_eq!(named(list), ["shop", "wiki"]);
    }

    #[test]
    fn the_typed_place_is_asked() {
        let typed = ["--", "once", "--on", "ssh://a@b", "--namespace=t1", "logs", ""].map(OsString::from);
        assert_eq!(place(&typed), ["--on", "ssh://a@b", "--namespace=t1"].map(OsString::from));
        assert!(place(&["--", "once", "--on"].map(OsString::from)).is_empty());
    }
}
