//! What holds for whatever an engine, its files and its user say; see `once-fuzzing`.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use bollard::models::CreateImageInfo;

use super::address::{self, Transport};
use super::logs::Joiner;
use super::progress::Layers;
use super::{cgroup, credentials, error, host, labels};
use once_fuzzing::Target;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[(
    "engine",
    &[
        (b'l', "log", log),
        (b'a', "address", address),
        (b'c', "login", login),
        (b'b', "label", label),
        (b'k', "kernel", kernel),
        (b'p', "pull", pull),
        (b't', "taken", taken),
    ],
)];

/// Lines are the same however the engine cuts them into frames.
pub(crate) fn log(bytes: &[u8]) {
    let [size, text @ ..] = bytes else { return };
    let (mut cut, mut raw) = (Joiner::default(), Joiner::default());
    let (mut lines, mut others) = (VecDeque::new(), VecDeque::new());
    for piece in text.chunks(usize::from(*size) + 1) {
        cut.add(false, &[b"2026-01-31T12:00:00.5Z ", piece].concat(), &mut lines);
        raw.add(*size & 1 == 0, piece, &mut others);
    }
    cut.finish(&mut lines);
    raw.finish(&mut others);
    let expected = text.strip_suffix(b"\n").unwrap_or(text).split(|b| *b == b'\n');
    let expected = expected.map(|line| String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned());
    let expected: Vec<String> = if text.is_empty() { Vec::new() } else { expected.collect() };
    assert_eq!(lines.iter().map(|line| line.text.clone()).collect::<Vec<_>>(), expected);
    assert!(lines.iter().all(|line| line.at.is_some() && !line.stderr));
    assert!(others.iter().all(|line| !line.text.contains('\n')));
}

/// What goes on ssh's command line cannot be an option, and an address keeps its words.
pub(crate) fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for certificates in [None, Some(PathBuf::from("/certificates"))] {
        let Ok(found) = address::parse(text, certificates) else { continue };
        assert_eq!(found.text, text);
        let port = text.trim_end_matches('/').rsplit_once(':').map(|(_, port)| port).unwrap_or_default();
        match found.transport {
            Transport::Unix(path) => assert!(path.is_absolute()),
            Transport::Tcp | Transport::Tls(_) => {
                assert!(!port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()), "{text}");
            }
            Transport::Ssh(target) => {
                for word in target.user.iter().chain([&target.host]) {
                    let bad = |c: char| c.is_whitespace() || c.is_control();
                    assert!(!word.is_empty() && !word.starts_with('-') && !word.contains(bad), "{word:?}");
                }
                assert!(target.port.is_none() || port.bytes().all(|b| b.is_ascii_digit()), "{text}");
            }
        }
    }
}

/// A login is found for the server it is for, and never shown with its secret.
pub(crate) fn login(bytes: &[u8]) {
    let Ok(config) = credentials::Config::parse(bytes) else { return };
    for server in ["https://index.docker.io/v1/", "ghcr.io"] {
        if let Ok(Some(login)) = config.written(server) {
            let shown = format!("{login:?}");
            assert!(shown.starts_with("Login {") && shown.ends_with(".. }"), "{shown}");
            // A name may be anything, that word too.
            assert!(login.name().contains("secret") || !shown.contains("secret"), "{shown}");
            // Where name and secret are one word, the first colon parts them.
            assert!(!login.name().contains(':') || names(bytes), "{shown}");
        }
    }
}

/// Whether a file of logins has a name that stands for itself.
fn names(bytes: &[u8]) -> bool {
    // Written anew: a key may be spelt with escapes. What nobody reads may be no text.
    let anew = serde_json::from_str(&String::from_utf8_lossy(bytes)).map(|file: serde_json::Value| file.to_string());
    anew.is_ok_and(|text| text.contains("\"username\":"))
}

/// Labels that are ours are whole; numbers and names in them are what they say.
pub(crate) fn label(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('\n').filter_map(|line| line.split_once('='));
    let given: BTreeMap<String, String> = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let Some(identity) = labels::identity(&given) else { return };
    let same = |key: &str, value: Option<String>| assert_eq!(given.get(key), value.as_ref(), "{key}");
    same(labels::NAMESPACE, Some(identity.namespace.to_string()));
    same(labels::APP, identity.app.map(|app| app.to_string()));
    same(labels::RELEASE, identity.release.map(|release| release.to_string()));
    assert!(identity.id.is_none_or(|id| id.is_plain()));
}

/// The kernel's files: whatever numbers stand there, shares and sums stay in bounds.
pub(crate) fn kernel(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = cgroup::field(&text, "usage_usec");
    let _ = host::Processor::parse(&text);
    if let Some((used, all)) = host::memory(&text) {
        assert!(used <= all);
    }
}

/// A pull's progress never says that more is done than there is.
pub(crate) fn pull(bytes: &[u8]) {
    let mut layers = Layers::default();
    for line in bytes.split(|b| *b == b'\n') {
        let Ok(line) = serde_json::from_slice::<CreateImageInfo>(line) else { continue };
        if let Some(progress) = layers.fold(&line) {
            assert!(progress.layers_done <= progress.layers && progress.bytes_done <= progress.bytes, "{progress:?}");
        }
    }
}

/// A port that is said to be taken is one that was asked for.
pub(crate) fn taken(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for published in [&[][..], &[80], &[80, 443]] {
        let taken = error::taken_port(&text, published);
        assert!(taken.is_none_or(|port| published.contains(&port)));
        assert!(error::taken_port(&format!("{text} address already in use"), &[8080]).is_some());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
