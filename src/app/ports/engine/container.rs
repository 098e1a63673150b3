//! Containers: as they are, and as they are to be.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::name::{AppId, AppName, Namespace, ReleaseNumber};
/// What a container of ours is for, from the label `once.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Role {
    Proxy,
    Web,
    Task,
    Data,
    Name,
}

/// What the labels of a thing of ours say. Labels hold only what never changes and is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `once.namespace`.
    pub namespace: Namespace,
    /// `once.role`.
    pub role: Role,
    /// `once.app`.
    pub app: Option<AppName>,
    /// `once.id`.
    pub id: Option<AppId>,
    /// `once.release`.
    pub release: Option<ReleaseNumber>,
}

/// A container in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The engine's id, 64 hex digits.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// Ours, by label; `None`: somebody else's, or labels that cannot be read.
    pub identity: Option<Identity>,
    /// The image as it was named at creation.
    pub image: String,
    /// The image's ID.
    pub image_id: String,
    /// Whether it runs.
    pub running: bool,
    /// The engine's word: `running`, `exited`, `created`, `restarting`, …
    pub state: String,
    /// The engine's words for people: `Up 2 minutes`.
    pub status: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Published host ports.
    pub ports: Vec<u16>,
    /// Ports inside of it that are published on an address other machines can reach.
    #[serde(default)]
    pub open: Vec<u16>,
    /// The health check that its image declares fails.
    #[serde(default)]
    pub unhealthy: bool,
    /// How many processes in it the kernel killed for lack of memory since it was started; `None`: it cannot be read
    /// from here, as where the engine runs on another machine.
    #[serde(default)]
    pub memory_kills: Option<u64>,
}

/// A container looked at closely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerDetail {
    /// The engine's id.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// The engine is starting it again and again.
    pub restarting: bool,
    /// How it ended last; `None` while it has not.
    pub exit_code: Option<i64>,
    /// The kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// The engine's error from the last start, empty if none.
    pub error: String,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// The image's ID.
    pub image_id: String,
    /// Networks and the address in each.
    pub networks: BTreeMap<String, String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// `KEY=VALUE` as the container got them. Holds secrets: never show.
    #[serde(skip)]
    pub env: Vec<String>,
    /// Published ports: container port to host port.
    pub ports: BTreeMap<u16, u16>,
    /// Volumes of the engine that are mounted in it: the path in the container, and the volume's full name.
    #[serde(default)]
    pub volumes: BTreeMap<String, String>,
    /// Memory limit, bytes; `None`: none.
    pub memory: Option<u64>,
    /// Processor limit, billionths of a processor; `None`: none.
    pub nano_cpus: Option<i64>,
    /// What happens when it ends by itself.
    pub restart: Restart,
}

/// A mount of a container to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSpec {
    /// A named volume.
    Volume {
        /// The volume's full name.
        name: String,
        /// Where.
        target: String,
    },
    /// A path of the host.
    Bind {
        /// The host's path.
        path: String,
        /// Where.
        target: String,
        /// Read-only.
        read_only: bool,
    },
}

/// What happens when a container ends by itself or the engine restarts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// Nothing.
    #[default]
    No,
    /// It is started again, unless it was stopped on purpose.
    UnlessStopped,
}

/// A container to be. `Debug` shows no environment.
#[derive(Clone, PartialEq, Eq)]
pub struct ContainerSpec {
    /// The container's name: creating it is the engine's only atomic act.
    pub name: String,
    /// Image reference or ID that is on the engine.
    pub image: String,
    /// Replaces the image's command.
    pub command: Option<Vec<String>>,
    /// Replaces the image's entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// In the order they are set; later ones win.
    pub env: Vec<(String, String)>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// The first is the one the proxy reaches it on.
    pub networks: Vec<String>,
    /// What is mounted.
    pub mounts: Vec<MountSpec>,
    /// Bytes.
    pub memory: Option<u64>,
    /// Billionths of a processor.
    pub nano_cpus: Option<i64>,
    /// Threads and processes at the same time.
    pub pids: Option<u32>,
    /// Host port → container port, on all addresses of the host.
    pub publish: Vec<(u16, u16)>,
    /// The same, on the host's loopback address only.
    pub publish_local: Vec<(u16, u16)>,
    /// Restart policy.
    pub restart: Restart,
    /// Log rotation: bytes a file; three files are kept.
    pub log_max_size: u64,
    /// The image's user otherwise.
    pub user: Option<String>,
    /// Read-only root file system.
    pub read_only: bool,
    /// Drop all capabilities.
    pub drop_capabilities: bool,
    /// Run an init process that reaps children.
    pub init: bool,
    /// Seconds between SIGTERM and SIGKILL when the engine stops it by itself.
    pub stop_timeout: u64,
}

impl std::fmt::Debug for ContainerSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContainerSpec").field("name", &self.name).field("image", &self.image).finish_non_exhaustive()
    }
}

/// Containers for the tests of those who judge them.
#[cfg(test)]
pub(crate) mod tests {
    use super::{Container, Identity, Role};
    use crate::model::name::{AppId, Namespace, ReleaseNumber};

    /// One of others that runs.
    pub(crate) fn of_others(name: &str) -> Container {
        Container {
            id: format!("id-{name}"),
            name: name.into(),
            identity: None,
            image: "acme/shop:1".into(),
            image_id: "sha256:1".into(),
            running: true,
            state: "running".into(),
            status: "Up 5 hours".into(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            labels: std::collections::BTreeMap::new(),
            ports: Vec::new(),
            open: Vec::new(),
            unhealthy: false,
            memory_kills: None,
        }
    }

    /// The one of an app's release, which runs. The app's id is `id-<app>`.
    pub(crate) fn of_release(app: &str, release: u64) -> Container {
        let identity = Identity {
            namespace: Namespace::default(),
            role: Role::Web,
            app: Some(app.parse().unwrap()),
            id: Some(AppId(format!("id-{app}"))),
            release: Some(ReleaseNumber(release)),
        };
        let id = format!("{app}-{release}");
        Container { id, identity: Some(identity), ..of_others(&format!("once-{app}-{release}")) }
    }
}
