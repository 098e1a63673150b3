//! References to images, and what a reference was resolved to.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::units::Port;

/// Why an image reference was turned down. The text reads after "invalid image `x`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// `https://…` was given; carries the part that was probably meant.
    #[error("it is a URL; did you mean `{0}`?")]
    Url(String),
    /// The repository breaks the distribution grammar.
    #[error("`{0}` is not a valid repository; use lower-case letters, digits and single `.`, `_`, `-` between them")]
    Repository(String),
    /// The tag breaks the distribution grammar.
    #[error("`{0}` is not a valid tag; up to 128 letters, digits, `_`, `.` and `-`")]
    Tag(String),
    /// Not `sha256:` and 64 hex digits.
    #[error("`{0}` is not a digest; it is `sha256:` and 64 hex digits")]
    Digest(String),
    /// Longer than 255 characters.
    #[error("it has {0} characters; at most 255 are allowed")]
    TooLong(usize),
}

/// `[registry/]repository[:tag][@digest]`, as the distribution grammar has it. Kept as given; no `latest` is invented.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageRef {
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
}

impl ImageRef {
    /// Registry and path, without tag and digest.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, where one was given.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where one was given: `sha256:…`.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The registry's host, where the first path segment is one (`ghcr.io`, `localhost:5000`).
    #[must_use]
    pub fn registry(&self) -> Option<&str> {
        let (first, _) = self.repository.split_once('/')?;
        (first.contains(['.', ':']) || first == "localhost").then_some(first)
    }

    /// The last path segment: what an app's name is derived from.
    #[must_use]
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    /// The reference the engine is to act on: tag or digest made explicit.
    #[must_use]
    pub fn canonical(&self) -> String {
        match (&self.tag, &self.digest) {
            (_, Some(digest)) => format!("{}@{digest}", self.repository),
            (Some(tag), None) => format!("{}:{tag}", self.repository),
            (None, None) => format!("{}:latest", self.repository),
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl From<ImageRef> for String {
    fn from(image: ImageRef) -> Self {
        image.to_string()
    }
}

impl TryFrom<String> for ImageRef {
    type Error = ImageError;
    fn try_from(text: String) -> Result<Self, ImageError> {
        text.parse()
    }
}

impl FromStr for ImageRef {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        if text.len() > 255 {
            return Err(ImageError::TooLong(text.len()));
        }
        if let Some((_, rest)) = text.split_once("://") {
            return Err(ImageError::Url(rest.trim_end_matches('/').to_owned()));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest
            && !is_digest(digest)
        {
            return Err(ImageError::Digest(digest.to_owned()));
        }
        // A colon behind the last slash starts a tag; one before it belongs to the registry's port.
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(ImageError::Tag(tag.to_owned()));
        }
        if !is_repository(repository) {
            return Err(ImageError::Repository(repository.to_owned()));
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_repository(text: &str) -> bool {
    let mut segments = text.split('/').peekable();
    let Some(first) = segments.next() else { return false };
    if segments.peek().is_none() {
        return is_path_segment(first);
    }
    let first_is_registry = first.contains(['.', ':']) || first == "localhost";
    (if first_is_registry { is_registry(first) } else { is_path_segment(first) }) && segments.all(is_path_segment)
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        // The colons of an IPv6 address come before its bracket.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fine = address.map_or_else(|| host.split('.').all(label), |address| address.parse::<Ipv6Addr>().is_ok());
    fine && port.is_none_or(|port| port.parse::<Port>().is_ok())
}

/// Words of letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_path_segment(text: &str) -> bool {
    let word = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9');
    let mut between = text.split(|c: char| c.is_ascii() && word(c as u8)).filter(|between| !between.is_empty());
    let separates = |between: &str| matches!(between, "." | "_" | "__") || between.bytes().all(|b| b == b'-');
    text.bytes().next().is_some_and(word) && text.bytes().next_back().is_some_and(word) && between.all(separates)
}

/// What a reference stood for when it was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedImage {
    /// The registry's manifest digest, `sha256:…`; `None` for an image that only exists on this engine.
    pub digest: Option<String>,
    /// The engine's image ID, `sha256:…`; empty until the image is on the engine.
    pub id: String,
}

impl ResolvedImage {
    /// What "the same image" is decided by: the manifest digest, or the ID of a local image.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.id)
    }

    /// Whether both stand for the same image. An image that was made here and pushed later has a digest since then.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.identity() == other.identity() || (!self.id.is_empty() && self.id == other.id)
    }

    /// The first eight hex digits of the identity, as shown to people.
    #[must_use]
    pub fn short(&self) -> &str {
        let hex = self.identity().strip_prefix("sha256:").unwrap_or(self.identity());
        hex.get(..8).unwrap_or(hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_references_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, repository, tag, registry, short) in [
            ("demo", "demo", None, None, "demo"),
            ("acme/shop:1.5.0", "acme/shop", Some("1.5.0"), None, "shop"),
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop", None, Some("ghcr.io"), "shop"),
            ("localhost:5000/a/b:x", "localhost:5000/a/b", Some("x"), Some("localhost:5000"), "b"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a", None, Some("127.0.0.1:5000"), "a"),
            ("[::1]:5000/a", "[::1]:5000/a", None, Some("[::1]:5000"), "a"),
            ("a__b.c---d_e", "a__b.c---d_e", None, None, "a__b.c---d_e"),
        ] {
            let image: ImageRef = text.parse().unwrap();
            assert_eq!((image.repository(), image.tag(), image.registry()), (repository, tag, registry), "{text}");
            assert_eq!(image.short_name(), short);
            assert_eq!(image.to_string(), text);
        }
        let pinned: ImageRef = format!("a/b:1@{digest}").parse().unwrap();
        assert_eq!(pinned.canonical(), format!("a/b@{digest}"));
        assert_eq!("a".parse::<ImageRef>().unwrap().canonical(), "a:latest");
    }

    #[test]
    fn turns_down_what_the_engine_would() {
        for bad in ["", "Shop", "a//b", "a:", "a:b c", "a@sha256:1", "-a", "a-", "a..b", "a/b/", "/a", "https://x/y"] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
        for bad in ["a._b", "a___b", "a.-b", "h:+80/a", "h:0/a", "-h.x/a", "h..x/a", "[::1/a", "[x]:1/a", "::1/a"] {
            assert!(bad.parse::<ImageRef>().is_err(), "{bad}");
        }
    }
}
