//! The port to the container engine. `src/docker` implements it with bollard, the tests with a fake; the same contract
//! suite runs on both.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::image::ImageRef;
use super::name::{AppId, AppName, Namespace, ReleaseNumber};

/// Why the engine did not do what it was asked to. Told apart by type and status code, never by text.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no socket at the address.
    #[error("there is no engine at {address}")]
    NoSocket {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The socket is there, this user may not use it.
    #[error("this user may not use the engine at {address}")]
    NoPermission {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Nobody listens, or the connection broke.
    #[error("the engine at {address} does not answer")]
    Unreachable {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// No answer, or no further piece of one, within the time.
    #[error("the engine did not {what} within {} seconds", .after.as_secs())]
    TimedOut {
        /// What was waited for, as a verb phrase.
        what: String,
        /// How long.
        after: Duration,
    },
    /// Older than 20.10 (API 1.41).
    #[error("the engine speaks API {found}; {needed} or newer is needed (Docker 20.10)")]
    TooOld {
        /// Its version.
        found: String,
        /// Ours.
        needed: String,
    },
    /// `DOCKER_HOST`, a context, or a certificate cannot be used.
    #[error("the engine's address {address} cannot be used: {reason}")]
    BadAddress {
        /// What was given.
        address: String,
        /// Why.
        reason: String,
    },
    /// No such container, image, volume or network.
    #[error("the engine has no {what}")]
    Absent {
        /// Kind and name.
        what: String,
    },
    /// A name is taken, or the thing is in use or in the wrong state.
    #[error("{message}")]
    Conflict {
        /// The engine's words.
        message: String,
    },
    /// A published port is in use.
    #[error("port {port} of the host is in use by another program")]
    PortTaken {
        /// Which.
        port: u16,
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The registry turned the credentials down, or wants some.
    #[error("the registry refused access to {image}")]
    Unauthorised {
        /// What was asked for.
        image: String,
        /// The registry's words.
        message: String,
        /// Whose credentials were used; `None`: none were found.
        login: Option<String>,
    },
    /// The registry has no such image or tag.
    #[error("the registry has no {image}")]
    NoSuchImage {
        /// What was asked for.
        image: String,
        /// The registry's words.
        message: String,
    },
    /// The registry could not be asked.
    #[error("the registry of {image} does not answer")]
    RegistryUnreachable {
        /// What was asked for.
        image: String,
        /// The engine's words.
        message: String,
    },
    /// No space left.
    #[error("the engine's disk is full")]
    DiskFull {
        /// The engine's words.
        message: String,
    },
    /// The engine cannot do it here: another platform, a missing feature.
    #[error("{message}")]
    Unsupported {
        /// What and why.
        message: String,
    },
    /// Anything else the engine says.
    #[error("the engine could not {what}: {message}")]
    Failed {
        /// What it was to do, as a verb phrase.
        what: String,
        /// The engine's words.
        message: String,
    },
}

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Result<T, E = EngineError> = std::result::Result<T, E>;

/// The engine as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// The engine's own id.
    pub id: String,
    /// The host's name.
    pub name: String,
    /// `28.2.2`.
    pub version: String,
    /// The API version in use.
    pub api: String,
    /// `linux`.
    pub os: String,
    /// As Go spells it: `amd64`, `arm64`.
    pub arch: String,
    /// Processors.
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Where it keeps its data.
    pub root_dir: String,
    /// Where we reach it, for people: `unix:///var/run/docker.sock`.
    pub address: String,
    /// Whether it runs on this machine, so its files and `/proc` can be read here.
    pub local: bool,
}

/// What a container of ours is for, from the label `once.role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Role {
    Proxy,
    Web,
    Task,
    Data,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Nothing.
    No,
    /// It is started again unless it was stopped on purpose.
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
    /// Host port → container port, on all addresses of the host.
    pub publish: Vec<(u16, u16)>,
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

/// An image on the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// `sha256:…`.
    pub id: String,
    /// `repo@sha256:…` for each repository it was pulled from or pushed to; empty: it only exists here.
    pub repo_digests: Vec<String>,
    /// `linux`.
    pub os: String,
    /// As Go spells it.
    pub arch: String,
    /// Exposed TCP ports, ascending.
    pub exposed: Vec<u16>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Bytes.
    pub size: u64,
    /// Tags that point to it.
    pub tags: Vec<String>,
}

/// How far a pull got. Newer ones replace older ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullProgress {
    /// Layers complete.
    pub layers_done: u32,
    /// Layers known so far.
    pub layers: u32,
    /// Bytes fetched.
    pub bytes_done: u64,
    /// Bytes known so far; 0: not known.
    pub bytes: u64,
}

/// An image made of this binary alone (FROM scratch).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnImage {
    /// `once-proxy:3f2a91c4d5e6`.
    pub tag: String,
    /// Arguments to the binary, which is `/once` in the image.
    pub args: Vec<String>,
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Exposed TCP ports.
    pub exposed: Vec<u16>,
    /// Directories that exist in it, owned by [`OwnImage::user`].
    pub directories: Vec<String>,
    /// Numeric user and group; 65532 for the proxy.
    pub user: Option<u32>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// Ours, by label.
    pub identity: Option<Identity>,
    /// Where the engine keeps it.
    pub mountpoint: String,
    /// All labels.
    pub labels: BTreeMap<String, String>,
}

/// Which lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Go on with lines to come.
    pub follow: bool,
    /// Only the last so many.
    pub tail: Option<u64>,
    /// Only from then on.
    pub since: Option<Timestamp>,
}

/// A line a container wrote. Untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, by the engine's clock.
    pub at: Option<Timestamp>,
    /// Written to standard error.
    pub stderr: bool,
    /// The line, without its end; bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// What a container uses right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Share of one processor: 1.0 is one whole core.
    pub cpu: f64,
    /// Bytes, page cache left out.
    pub memory: u64,
    /// Bytes; 0: none.
    pub memory_limit: u64,
}

/// What the host uses right now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct HostUsage {
    /// Share of one processor: 1.0 is one whole core.
    pub cpu: f64,
    /// Bytes in use, caches left out.
    pub memory: u64,
    /// Bytes there are.
    pub memory_total: u64,
    /// Bytes in use where the engine keeps its data.
    pub disk: u64,
    /// Bytes there are.
    pub disk_total: u64,
}

/// Something that happened to a container of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineEvent {
    /// The engine's word: `start`, `die`, `destroy`, …
    pub action: String,
    /// The container's id.
    pub container: String,
}

/// A command to run in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// Container id or name.
    pub container: String,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// A terminal of columns × rows; `None`: three plain streams.
    pub tty: Option<(u16, u16)>,
    /// Whether standard input is passed on.
    pub stdin: bool,
}

/// A piece of a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutput {
    /// Standard output, and all of it on a terminal.
    Stdout(Vec<u8>),
    /// Standard error.
    Stderr(Vec<u8>),
}

/// A command that runs in a container.
#[async_trait]
pub trait ExecSession: Send {
    /// The next piece of output; `None`: there is no more.
    async fn output(&mut self) -> Option<Result<ExecOutput>>;
    /// Hands bytes to standard input; an empty slice closes it.
    async fn input(&mut self, bytes: &[u8]) -> Result<()>;
    /// Tells the terminal's new size.
    async fn resize(&mut self, columns: u16, rows: u16) -> Result<()>;
    /// The exit code, after the output ended. 126 and 127 also mean that the engine could not start it.
    async fn exit_code(&mut self) -> Result<i64>;
}

/// The container engine.
#[async_trait]
pub trait Engine: Send + Sync {
    /// The engine as a whole.
    async fn info(&self) -> Result<EngineInfo>;

    /// All containers of a namespace, running or not: one call, however many there are.
    async fn containers(&self, namespace: &Namespace) -> Result<Vec<Container>>;
    /// All containers of the engine, ours and others'.
    async fn all_containers(&self) -> Result<Vec<Container>>;
    /// One container by id or name; `None`: there is none.
    async fn container(&self, id: &str) -> Result<Option<ContainerDetail>>;
    /// Makes a container; its id. A name that is taken is [`EngineError::Conflict`].
    async fn create(&self, spec: &ContainerSpec) -> Result<String>;
    /// Starts one; one that runs is fine. A port that is in use is [`EngineError::PortTaken`].
    async fn start(&self, id: &str) -> Result<()>;
    /// SIGTERM, `grace`, SIGKILL; one that does not run, or is not there, is fine.
    async fn stop(&self, id: &str, grace: Duration) -> Result<()>;
    /// Removes one by force; one that is not there is fine. Anonymous volumes go with it, named ones stay.
    async fn remove(&self, id: &str) -> Result<()>;
    /// Waits until one has ended; its exit code.
    async fn wait(&self, id: &str) -> Result<i64>;

    /// An image on the engine by reference or ID; `None`: there is none.
    async fn image(&self, reference: &str) -> Result<Option<Image>>;
    /// The digest a reference has in its registry now, asked with the caller's credentials; nothing is pulled.
    async fn registry_digest(&self, image: &ImageRef) -> Result<String>;
    /// Pulls. The stream ends after the last layer, or with an error; no piece within `idle` is one too.
    fn pull<'a>(&'a self, image: &'a ImageRef, idle: Duration) -> BoxStream<'a, Result<PullProgress>>;
    /// The first 12 hex digits of this binary's SHA-256: what images made of it are tagged by.
    async fn own_hash(&self) -> Result<String>;
    /// Makes an image of this binary unless one of that tag is there. [`EngineError::Unsupported`] where the engine's
    /// platform is not this binary's.
    async fn load_own(&self, image: &OwnImage) -> Result<()>;
    /// Removes an image; one that is absent or in use is fine. Whether it went.
    async fn remove_image(&self, id: &str) -> Result<bool>;

    /// Makes a network unless there is one of that name.
    async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()>;
    /// Whether there is a network of that name.
    async fn has_network(&self, name: &str) -> Result<bool>;
    /// Adds a container to a network; being in it already is fine.
    async fn join_network(&self, network: &str, container: &str) -> Result<()>;
    /// Removes a network; one that is not there is fine.
    async fn remove_network(&self, name: &str) -> Result<()>;

    /// The volumes of a namespace.
    async fn volumes(&self, namespace: &Namespace) -> Result<Vec<Volume>>;
    /// One volume; `None`: there is none.
    async fn volume(&self, name: &str) -> Result<Option<Volume>>;
    /// Makes a volume unless there is one of that name; whether it was made.
    async fn ensure_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<bool>;
    /// Removes a volume; one that is not there is fine.
    async fn remove_volume(&self, name: &str) -> Result<()>;

    /// Runs a command in a container.
    async fn exec(&self, spec: &ExecSpec) -> Result<Box<dyn ExecSession>>;
    /// Lines of a container's log, oldest first.
    fn logs(&self, container: &str, query: LogQuery) -> BoxStream<'static, Result<LogLine>>;
    /// What a container uses, once a second.
    fn stats(&self, container: &str) -> BoxStream<'static, Result<Usage>>;
    /// What these containers use, without a call to the engine, where it is local; else empty. CPU is the share since
    /// the last call.
    async fn usage(&self, containers: &[String]) -> HashMap<String, Usage>;
    /// What the host uses, where the engine is local.
    async fn host_usage(&self) -> Option<HostUsage>;
    /// What happens to containers of a namespace.
    fn events(&self, namespace: &Namespace) -> BoxStream<'static, Result<EngineEvent>>;
}
