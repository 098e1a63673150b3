//! Text into single values, with a sentence about what is wrong with it.

use super::FieldError;
use crate::app::field::Field;
use crate::app::settings::MountSource;
use crate::app::units::{ByteSize, Span, UrlPath};

pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(field: Field, text: &str) -> Result<T, FieldError> {
    text.parse().map_err(|reason: T::Err| wrong(field, text, reason.to_string()))
}

pub(super) fn positive(field: Field, text: &str) -> Result<Span, FieldError> {
    let span: Span = parse(field, text)?;
    if span.duration().is_zero() { Err(wrong(field, text, "it must be longer than 0")) } else { Ok(span) }
}

/// The engine refuses limits below 6 MiB; saying so here costs no half-made container.
pub(super) fn memory(text: &str) -> Result<ByteSize, FieldError> {
    let size: ByteSize = parse(Field::Memory, text)?;
    if size < ByteSize(6 << 20) {
        return Err(wrong(Field::Memory, text, "the engine needs at least 6m"));
    }
    Ok(size)
}

pub(super) fn line(field: Field, text: &str) -> Result<String, FieldError> {
    if text.trim().is_empty() {
        return Err(wrong(field, text, "it is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(field, text, "it holds control characters"));
    }
    Ok(text.to_owned())
}

pub(super) fn word(field: Field, text: &str) -> Result<String, FieldError> {
    let text = line(field, text)?;
    if text.contains(char::is_whitespace) { Err(wrong(field, &text, "it holds a space")) } else { Ok(text) }
}

/// `NAME:/path`, `/host/path:/path[:ro]`, or `docker:NAME:/path` for a volume of the engine that is there already.
pub(super) fn volume(text: &str) -> Result<(UrlPath, MountSource), String> {
    const FORM: &str = "a volume is given as NAME:/path or /host/path:/path[:ro]";
    let (rest, read_only) = match text.strip_suffix(":ro") {
        Some(rest) => (rest, true),
        None => (text.strip_suffix(":rw").unwrap_or(text), false),
    };
    if let Some((name, target)) = rest.strip_prefix("docker:").and_then(|rest| rest.split_once(':')) {
        return external(name, target, read_only);
    }
    let (source, target) = rest.split_once(':').ok_or(FORM)?;
    let target: UrlPath = target.parse().map_err(|_| FORM.to_owned())?;
    if matches!(target.as_str(), "/" | "/storage" | "/rails/storage") {
        return Err(format!("{target} is taken: the app's own data volume is mounted there"));
    }
    if source.starts_with('/') {
        let path: UrlPath = source.parse().map_err(|_| "the host's path has characters that are not allowed")?;
        return Ok((target, MountSource::Host { path: path.into(), read_only }));
    }
    let fine = (1..=24).contains(&source.len())
        && source.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !source.starts_with('-')
        && !source.ends_with('-');
    match (fine, read_only) {
        (false, _) => {
            Err(format!("`{source}` is not a volume's name; 1 to 24 of a-z, 0-9 and `-`; a host path starts with /"))
        }
        (true, true) => Err("only host paths can be mounted read-only".into()),
        (true, false) => Ok((target, MountSource::Volume { name: source.to_owned() })),
    }
}

/// A volume the app did not make. It may stand where the app's own data volume would.
fn external(name: &str, target: &str, read_only: bool) -> Result<(UrlPath, MountSource), String> {
    let target: UrlPath = target.parse().map_err(|_| "the path in the container is not one".to_owned())?;
    let fine = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    match (fine && target.as_str() != "/", read_only) {
        (false, _) => Err(format!("`{name}` at {target} is no volume of the engine at a path of the container")),
        (true, true) => Err("only host paths can be mounted read-only".into()),
        (true, false) => Ok((target, MountSource::External { name: name.to_owned() })),
    }
}

pub(super) fn wrong(field: Field, value: &str, reason: impl Into<String>) -> FieldError {
    FieldError { field, value: Some(value.to_owned()), reason: reason.into() }
}

pub(super) fn missing(field: Field, reason: &str) -> FieldError {
    FieldError { field, value: None, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes() {
        for good in ["cache:/cache", "docker:old_data:/storage", "docker:/c", "/srv/a:/b", "/srv/a:/b:ro"] {
            assert!(volume(good).is_ok(), "{good}");
        }
        for bad in [
            "docker:-x:/c",
            "docker:x:/c:ro",
            "docker:x:/",
            "cache",
            "cache:rel",
            "cache:/storage",
            "Cache:/c",
            "cache:/c:ro",
            ":/c",
            "/a/../b:/c",
            "-c:/c",
        ] {
            assert!(volume(bad).is_err(), "{bad}");
        }
    }
}
