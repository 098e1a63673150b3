//! How a container that somebody else made was made: what has to be known to take it over.

use std::collections::BTreeMap;

use crate::settings::MountSource;

/// A container of whatever origin. `Debug` shows no environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Origin {
    /// The engine's id.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// The image as it was named at creation.
    pub image: String,
    /// The image's ID.
    pub image_id: String,
    /// Whether it runs.
    pub running: bool,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Variables, those of its image left out. Holds secrets: never show.
    pub env: Vec<(String, String)>,
    /// What is mounted, by its path in the container.
    pub mounts: BTreeMap<String, MountSource>,
    /// Networks it is in.
    pub networks: Vec<String>,
    /// It has no network of its own (`host`, `none`, or another container's), so it cannot join ours.
    pub shared_network: Option<String>,
    /// Memory limit, bytes.
    pub memory: Option<u64>,
    /// Processor limit, billionths of a processor.
    pub nano_cpus: Option<i64>,
    /// Published ports: container port to host port.
    pub published: BTreeMap<u16, u16>,
    /// Seconds between SIGTERM and SIGKILL, where that was said.
    pub stop_timeout: Option<u64>,
    /// Options it was made with that no container of ours has, in words without values.
    pub beyond: Vec<String>,
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin").field("name", &self.name).field("image", &self.image).finish_non_exhaustive()
    }
}
