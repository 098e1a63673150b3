//! What holds for whatever is given as a certificate and its key; see `once-fuzzing`.

use super::pair::{Pair, covers};
use once_app::Hostname;

/// PEM is read or turned down, and a certificate holds for its own names only.
pub(crate) fn pair(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(pair) = Pair::parse(&text, &text) {
        assert_eq!(pair.fingerprint.len(), 64);
    }
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(host) = first.parse::<Hostname>() else { return };
    for name in rest.lines() {
        let parent = name.strip_prefix('*').filter(|parent| parent.starts_with('.'));
        if covers(&[name.to_owned()], &host) && name != host.as_str() {
            let label = parent.and_then(|parent| host.as_str().strip_suffix(parent));
            assert!(label.is_some_and(|label| !label.is_empty() && !label.contains('.')), "{name} {host}");
        }
    }
}
