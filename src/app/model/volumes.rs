//! Volumes of an app that its settings do not name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::name::ReleaseNumber;

/// What is mounted at declared paths: the path in the container, and the volume's full name on the engine.
pub type DeclaredVolumes = BTreeMap<String, String>;

/// A volume of the engine that belongs to an app and carries no label of it: an anonymous one, which the engine made for a
/// container, and which cannot be labelled afterwards. Only `remove --data` removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedVolume {
    /// Its full name.
    pub name: String,
    /// Where it was mounted.
    pub path: String,
    /// The newest release whose container had it.
    pub release: ReleaseNumber,
}

/// Whether a volume has no name of its own: the engine calls such a one by 64 random hex digits.
#[must_use]
pub fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
