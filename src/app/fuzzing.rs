//! What holds for whatever is typed as a setting; see `once-fuzzing`.

// What does not hold panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::LazyLock;

use regex::Regex;

use crate::{
    AppName, AskUrl, ByteSize, CanaryRule, Cidr, Cpus, Draft, EnvKey, FieldPath, Hostname, ImageRef, MaxAge, Namespace,
    Port, ProxyConfig, ProxyDraft, ProxyField, RateLimit, Settings, Share, Span, Switch, Tls, UrlPath, UserName,
};
use once_fuzzing::Target;

/// The fuzz targets of this crate.
pub const TARGETS: &[Target] = &[(
    "settings",
    &[
        (b'q', "quantity", quantity),
        (b'n', "name", name),
        (b'i', "image", image),
        (b'r', "rule", rule),
        (b'd', "draft", draft),
        (b'p', "proxy-draft", proxy_draft),
    ],
)];

/// A value that was read is written so that it is read as the same, on one line.
fn stays<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let written = value.to_string();
    assert!(!written.chars().any(char::is_control), "{written:?}");
    assert_eq!(written.parse::<T>().ok().as_ref(), Some(&value), "{text:?} was written as {written:?}");
    Some(value)
}

fn is_like(reference: &LazyLock<Regex>, text: &str) {
    assert!(reference.is_match(text), "{text:?}");
}

/// Quantities: what is taken is a number and a unit, and nothing std's parsers add to that.
pub(crate) fn quantity(bytes: &[u8]) {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[0-9]*\.?[0-9]*(?i:ms|[smhdw]|b|[kmgt](i?b)?)?$").unwrap());
    static INTEGER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[0-9]+(/s|[smhdw])?$").unwrap());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let decimal = stays::<Span>(text).is_some() | stays::<ByteSize>(text).is_some() | stays::<Cpus>(text).is_some();
    let whole = stays::<Port>(text).is_some() | stays::<RateLimit>(text).is_some() | stays::<MaxAge>(text).is_some();
    if decimal {
        is_like(&NUMBER, text);
    }
    if whole {
        is_like(&INTEGER, text);
    }
    stays::<Switch>(text);
    stays::<Tls>(text);
}

/// Names: what is taken can be a part of an object's name, a path or a URL.
pub(crate) fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_graphic() && !b"/\\\"'`$&;|<>?#%@ ".contains(&b));
    for name in [stays::<AppName>(text).map(String::from), stays::<Namespace>(text).map(String::from)] {
        assert!(name.is_none_or(|name| plain(&name) && name.len() <= 40 && !name.starts_with('-')));
    }
    if let Some(host) = stays::<Hostname>(text) {
        assert!(plain(host.as_str()) && host.as_str().len() <= 253, "{host}");
        assert_eq!(host.as_str(), host.as_str().to_ascii_lowercase());
    }
    stays::<EnvKey>(text);
    stays::<UserName>(text);
    // What is behind the dot is judged by the field.
    if let Ok(path) = text.parse::<FieldPath>() {
        assert_eq!(path.to_string(), text);
    }
    if let Some(path) = stays::<UrlPath>(text) {
        assert!(path.as_str().starts_with('/') && path.as_str().parse::<http::Uri>().is_ok(), "{path}");
    }
}

/// Images: what is taken, the engine takes too.
pub(crate) fn image(bytes: &[u8]) {
    // The grammar of github.com/distribution/reference.
    static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
        let domain = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?";
        let component = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*";
        let rest = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?";
        Regex::new(&format!("^(?:{domain}/)?{component}(?:/{component})*{rest}$")).unwrap()
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(image) = stays::<ImageRef>(text) else { return };
    assert_eq!(image.to_string(), text);
    is_like(&REFERENCE, text);
    is_like(&REFERENCE, &image.canonical());
    assert!(image.repository().ends_with(image.short_name()));
    assert!(image.registry().is_none_or(|registry| image.repository().starts_with(&format!("{registry}/"))));
}

/// Rules, ranges and addresses.
pub(crate) fn rule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    stays::<CanaryRule>(text);
    if let Some(share) = stays::<Share>(text) {
        assert!(share.holds(0) || share.to_string() == "0%");
        assert!(!share.holds(Share::WHOLE));
    }
    if let Some(range) = stays::<Cidr>(text) {
        let written = range.to_string();
        let first = written.split('/').next().and_then(|address| address.parse().ok());
        assert!(first.is_some_and(|address| range.contains(address)), "{written}");
    }
    if let Some(AskUrl::Url(url)) = stays::<AskUrl>(text) {
        let uri: http::Uri = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        assert!(uri.host().is_some_and(|host| !host.is_empty()), "{url}");
        assert_eq!(uri.query(), None);
    }
}

/// A setting that was taken is one that can be kept, read again, and wished for again as a whole.
pub(crate) fn draft(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut draft = Draft::default();
    let mut taken = false;
    for line in text.split('\n') {
        let Some((path, value)) = line.split_once(' ') else { continue };
        if let Some(entry) = path.strip_prefix('-') {
            draft.unset.extend(entry.parse::<FieldPath>());
            continue;
        }
        let Ok(path) = path.parse() else { continue };
        let before = draft.clone();
        match draft.set(&path, value) {
            Ok(()) => taken = true,
            Err(_) => assert_eq!(draft, before, "{path} {value:?}"),
        }
    }
    let json = serde_json::to_string(&draft).unwrap();
    assert_eq!(serde_json::from_str::<Draft>(&json).ok().as_ref(), Some(&draft), "{json}");
    let base = Settings::new("acme/shop:1".parse().unwrap(), "shop.example.com".parse().unwrap());
    let Ok(settings) = draft.merge(Some(&base), None) else { return };
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&json).ok().as_ref(), Some(&settings), "{json}");
    assert_eq!(Draft::exactly(&settings).merge(None, None).as_ref(), Ok(&settings), "{taken}");
}

/// The same of the proxy's own.
pub(crate) fn proxy_draft(bytes: &[u8]) {
    let Some((field, text)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let mut draft = ProxyDraft::default();
    let field = ProxyField::ALL[usize::from(*field) % ProxyField::ALL.len()];
    if draft.set(field, text).is_err() {
        assert!(draft.is_empty(), "{field}");
        let _ = draft.unset(text);
    }
    let config = draft.merge(&ProxyConfig::default());
    let json = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ProxyConfig>(&json).ok().as_ref(), Some(&config), "{json}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn kept_inputs_hold() {
        once_fuzzing::replay(super::TARGETS);
    }
}
