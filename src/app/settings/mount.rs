//! Mounts: what is mounted where, and the one text for it that is typed, shown, compared and kept.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::units::UrlPath;

/// Behind a source: mounted read-only.
const READ_ONLY: &str = ":ro";

/// Behind a source: what holds anyway.
const WRITABLE: &str = ":rw";

/// Before the name of a volume of the engine.
const EXTERNAL: &str = "docker:";

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountSource {
    /// A named volume of this app, `once-<app>-<name>`; kept with the app's data. `[a-z0-9-]`, 1 to 24 characters.
    Volume {
        /// The name behind the app's.
        name: String,
    },
    /// A volume of the engine that is not the app's own: it stays where it is, also when the app's data goes.
    External {
        /// Its full name.
        name: String,
    },
    /// A directory or file of the host.
    Host {
        /// Absolute path on the host.
        path: String,
        /// Mounted read-only.
        #[serde(default)]
        read_only: bool,
    },
}

/// A source and where it is mounted.
///
/// Its text is `NAME:/path`, `/host/path:/path`, `/host/path:/path:ro` or `docker:NAME:/path`, and what is parsed from
/// this text is the same mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// The path in the container.
    pub target: UrlPath,
}

/// What a mount's text is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountError {
    /// It has not the form of one.
    #[error("a volume is given as NAME:/path, docker:NAME:/path or /host/path:/path[:ro]")]
    Form,
    /// The source has not the form of one.
    #[error("a volume comes from NAME, docker:NAME or /host/path[:ro]")]
    Source,
    /// The app's own volume is mounted there.
    #[error("{0} is taken: the app's own data volume is mounted there")]
    Taken(UrlPath),
    /// Nothing is mounted in place of the whole image.
    #[error("`{0}` at / is no mount: it would hide the image")]
    Root(MountSource),
    /// It is no path of a host.
    #[error("a path of the host holds no `:` (behind it only `:ro`), no `..` and nothing that paths do not hold")]
    HostPath,
    /// It is no name of a volume of the app.
    #[error("`{0}` is not a volume's name; 1 to 24 of a-z, 0-9 and `-`; a host path starts with /")]
    Name(String),
    /// It is no name of a volume of the engine.
    #[error("`{0}` is not the name of a volume of the engine")]
    External(String),
    /// Only paths of the host are.
    #[error("only host paths can be mounted read-only")]
    ReadOnly,
}

impl MountSource {
    /// The source without what is said about how it is mounted.
    fn parse(text: &str, read_only: bool) -> Result<Self, MountError> {
        let source = if let Some(name) = text.strip_prefix(EXTERNAL) {
            let fine = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
            if !fine {
                return Err(MountError::External(name.to_owned()));
            }
            Self::External { name: name.to_owned() }
        } else if text.starts_with('/') {
            // A colon ends the path wherever a mount is written in one piece.
            let path: UrlPath = text.parse().map_err(|_| MountError::HostPath)?;
            if text.contains(':') {
                return Err(MountError::HostPath);
            }
            return Ok(Self::Host { path: path.into(), read_only });
        } else {
            let fine = (1..=24).contains(&text.len())
                && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !text.starts_with('-')
                && !text.ends_with('-');
            if !fine {
                return Err(MountError::Name(text.to_owned()));
            }
            Self::Volume { name: text.to_owned() }
        };
        if read_only { Err(MountError::ReadOnly) } else { Ok(source) }
    }

    /// What stands behind the path in the container, or behind the source where that is all.
    fn mode(&self) -> &'static str {
        match self {
            Self::Host { read_only: true, .. } => READ_ONLY,
            Self::Host { .. } | Self::Volume { .. } | Self::External { .. } => "",
        }
    }

    /// The source's text without [`Self::mode`].
    fn place(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume { name } => f.write_str(name),
            Self::External { name } => write!(f, "{EXTERNAL}{name}"),
            Self::Host { path, .. } => f.write_str(path),
        }
    }
}

/// `NAME`, `docker:NAME`, `/host/path` or `/host/path:ro`.
impl fmt::Display for MountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place(f)?;
        f.write_str(self.mode())
    }
}

impl FromStr for MountSource {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let (place, read_only) = without_mode(text);
        match place {
            "" => Err(MountError::Source),
            _ => Self::parse(place, read_only),
        }
    }
}

impl Mount {
    /// Those of settings or of a draft, by their path.
    pub fn all(volumes: &BTreeMap<UrlPath, MountSource>) -> impl Iterator<Item = Self> {
        volumes.iter().map(|(target, source)| Self { source: source.clone(), target: target.clone() })
    }

    /// A mount of this source, where it may be.
    ///
    /// # Errors
    /// The path belongs to the app's own data volume, or is the whole image.
    pub fn new(source: MountSource, target: UrlPath) -> Result<Self, MountError> {
        match (target.as_str(), &source) {
            ("/", MountSource::External { .. }) => Err(MountError::Root(source)),
            // A volume that the app did not make may stand where its own data volume would.
            (_, MountSource::External { .. }) => Ok(Self { source, target }),
            ("/" | "/storage" | "/rails/storage", _) => Err(MountError::Taken(target)),
            _ => Ok(Self { source, target }),
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.place(f)?;
        write!(f, ":{}{}", self.target, self.source.mode())
    }
}

impl FromStr for Mount {
    type Err = MountError;

    fn from_str(text: &str) -> Result<Self, MountError> {
        let (rest, read_only) = without_mode(text);
        // `docker:/path` is a volume of the app that is called so.
        let named = match rest.strip_prefix(EXTERNAL) {
            Some(name) if name.contains(':') => EXTERNAL.len(),
            _ => 0,
        };
        let colon = rest[named..].find(':').ok_or(MountError::Form)? + named;
        let target: UrlPath = rest[colon + 1..].parse().map_err(|_| MountError::Form)?;
        Self::new(MountSource::parse(&rest[..colon], read_only)?, target)
    }
}

/// What stands before `:ro` or `:rw`, and whether it is `:ro`.
fn without_mode(text: &str) -> (&str, bool) {
    match text.strip_suffix(READ_ONLY) {
        Some(rest) => (rest, true),
        None => (text.strip_suffix(WRITABLE).unwrap_or(text), false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any kind of source, for tests of what is done with them.
    fn any_source() -> impl Strategy<Value = MountSource> {
        prop_oneof![
            "[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?".prop_map(|name| MountSource::Volume { name }),
            "[A-Za-z0-9][A-Za-z0-9_.-]{0,40}".prop_map(|name| MountSource::External { name }),
            ("(/[a-zA-Z0-9][a-zA-Z0-9._-]{0,11}){1,4}", any::<bool>())
                .prop_map(|(path, read_only)| MountSource::Host { path, read_only }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_can_be_typed(source in any_source(), target in "(/[a-z]{1,8}){1,3}") {
            prop_assert_eq!(source.to_string().parse::<MountSource>(), Ok(source.clone()));
            prop_assume!(!matches!(target.as_str(), "/storage" | "/rails/storage"));
            let mount = Mount { source, target: target.parse().unwrap() };
            prop_assert_eq!(mount.to_string().parse::<Mount>(), Ok(mount.clone()));
        }
    }

    #[test]
    fn mounts() {
        for good in ["cache:/cache", "docker:old_data:/storage", "docker:/c", "/srv/a:/b", "/srv/a:/b:ro"] {
            assert!(good.parse::<Mount>().is_ok(), "{good}");
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
            assert!(bad.parse::<Mount>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_mount_is_refused() {
        for (text, error) in [
            ("cache", MountError::Form),
            ("cache:x", MountError::Form),
            ("docker:pg", MountError::Form),
            (":/c", MountError::Name(String::new())),
            ("Cache:/c", MountError::Name("Cache".into())),
            ("cache:/c:ro", MountError::ReadOnly),
            ("docker:pg:/d:ro", MountError::ReadOnly),
            ("cache:/storage", MountError::Taken("/storage".parse().unwrap())),
            ("docker:_x:/d", MountError::External("_x".into())),
        ] {
            assert_eq!(text.parse::<Mount>(), Err(error), "{text}");
        }
        assert_eq!("".parse::<MountSource>(), Err(MountError::Source));
        assert_eq!(":ro".parse::<MountSource>(), Err(MountError::Source));
        assert_eq!("/srv/a:rx".parse::<MountSource>(), Err(MountError::HostPath));
        assert_eq!("/srv/a:b:ro".parse::<MountSource>(), Err(MountError::HostPath));
        assert_eq!("docker:/c".parse::<Mount>().unwrap().source.to_string(), "docker");
        assert_eq!("docker:pg:/storage".parse::<Mount>().unwrap().to_string(), "docker:pg:/storage");
        assert_eq!("/srv/a:/a:rw".parse::<Mount>().unwrap().to_string(), "/srv/a:/a");
        assert_eq!("/srv/a:/a:ro".parse::<Mount>().unwrap().source.to_string(), "/srv/a:ro");
    }
}
