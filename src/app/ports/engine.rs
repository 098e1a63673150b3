//! The port to the container engine. `src/docker` implements it with bollard, the tests with a fake; the same contract
//! suite runs on both.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::image::ImageRef;
use crate::model::name::Namespace;

mod container;
mod error;
mod machine;
mod origin;

#[cfg(test)]
pub(crate) use container::tests as sample;
pub use container::{Container, ContainerDetail, ContainerSpec, Identity, MountSpec, Restart, Role};
pub use error::{BoxError, EngineError};
pub use machine::{HostUsage, Machine, Socket};
pub use origin::Origin;

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
    /// Its clock; at most a second has passed since it was read, and the time the answer took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
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
    /// Who its containers run as: a name or a number, and a group behind a `:`; empty: root.
    #[serde(default)]
    pub user: String,
    /// Paths that it declares as `VOLUME`, as it spells them, in order. Where nothing is mounted on one, the engine makes
    /// an anonymous volume for each container.
    #[serde(default)]
    pub volumes: Vec<String>,
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
    /// Paths that it declares as `VOLUME`.
    pub volumes: Vec<String>,
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

/// What the engine keeps on its disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Bytes by image ID; a layer that several images have counts in each of them.
    pub images: BTreeMap<String, u64>,
    /// Bytes that containers have written outside of volumes, by container id.
    pub containers: BTreeMap<String, u64>,
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
    /// The next piece of output; `None`: there is no more. A command that could not be started has none.
    async fn output(&mut self) -> Option<Result<ExecOutput>>;
    /// The command's standard input, which can be written while output is read; `None`: it has none, or it was taken.
    fn take_input(&mut self) -> Option<Box<dyn ExecInput>>;
    /// Tells the terminal's new size.
    async fn resize(&mut self, columns: u16, rows: u16) -> Result<()>;
    /// The engine's words on why it could not start the command, once the output has ended; `None`: it was started.
    fn refusal(&self) -> Option<&str>;
    /// The exit code, after the output ended: 126 or 127 where the engine could not start the command.
    async fn exit_code(&mut self) -> Result<i64>;
    /// The exit code of a command that has ended already; `None`: it still runs.
    async fn exit_code_now(&mut self) -> Result<Option<i64>>;
}

/// The standard input of a command that runs in a container. It stays open until it is closed, or the session is gone.
#[async_trait]
pub trait ExecInput: Send {
    /// Hands bytes over; waits while the command takes no more.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
    /// Says that there is no more. Output still comes.
    async fn close(&mut self) -> Result<()>;
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
    /// How one was made, whoever made it; `None`: there is none.
    async fn origin(&self, id: &str) -> Result<Option<Origin>>;
    /// Changes what happens when one ends by itself, while it runs on.
    async fn set_restart(&self, id: &str, restart: Restart) -> Result<()>;
    /// A file in a container, running or not, of `most` bytes at most; `None`: there is no such file.
    async fn read_file(&self, id: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>>;
    /// What lies below a directory in a container, running or not, its volumes included: each name, relative to the
    /// directory, with a fingerprint of its type and content. `None`: there is no such path. More than `most` bytes in all
    /// is an error.
    async fn tree(&self, id: &str, path: &str, most: usize) -> Result<Option<BTreeMap<String, String>>>;
    /// Gives an empty directory of root's to a user, in a container that has not run yet. One that holds something, or is
    /// somebody else's already, is left as it is. Whether it was given.
    async fn give(&self, id: &str, path: &str, user: u32, group: u32) -> Result<bool>;
    /// Makes a container; its id. A name that is taken is [`EngineError::Conflict`].
    async fn create(&self, spec: &ContainerSpec) -> Result<String>;
    /// Starts one; one that runs is fine. A port that is in use is [`EngineError::PortTaken`].
    async fn start(&self, id: &str) -> Result<()>;
    /// SIGTERM, `grace`, SIGKILL; one that does not run, or is not there, is fine.
    async fn stop(&self, id: &str, grace: Duration) -> Result<()>;
    /// Removes one by force; one that is not there is fine. Its volumes stay, anonymous ones too: each may be the only copy
    /// of somebody's data.
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
    /// This binary's whole SHA-256, in hex. [`EngineError::Unsupported`] where the engine's platform is not this binary's.
    async fn own_digest(&self) -> Result<String>;
    /// Bytes of this binary from `offset` on, at most `most`; none at its end.
    async fn own_bytes(&self, offset: u64, most: usize) -> Result<Vec<u8>>;
    /// Makes an image of this binary unless one of that tag is there. [`EngineError::Unsupported`] where the engine's
    /// platform is not this binary's.
    async fn load_own(&self, image: &OwnImage) -> Result<()>;
    /// Removes an image; one that is absent or in use is fine. Whether it went.
    async fn remove_image(&self, id: &str) -> Result<bool>;

    /// Makes a network unless there is one of that name.
    async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()>;
    /// Whether there is a network of that name.
    async fn has_network(&self, name: &str) -> Result<bool>;
    /// The labels of a network; `None`: there is none of that name.
    async fn network_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>>;
    /// Adds a container to a network; being in it already is fine.
    async fn join_network(&self, network: &str, container: &str) -> Result<()>;
    /// Takes a container out of a network; one that is not in it is fine.
    async fn leave_network(&self, network: &str, container: &str) -> Result<()>;
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
    /// What is kept on its disk. It has to be counted, which takes its time. [`EngineError::Busy`] where it is being
    /// counted already, and the engine does that once at a time.
    async fn stored(&self) -> Result<Stored>;
    /// Bytes in each volume by name, without those that could not be counted in a few seconds; `None`: their files
    /// cannot be read here.
    async fn volume_sizes(&self) -> Option<BTreeMap<String, u64>>;
    /// The machine the engine runs on, where that is this one.
    async fn machine(&self) -> Option<Machine>;
    /// What the host uses, where the engine is local.
    async fn host_usage(&self) -> Option<HostUsage>;
    /// Whether the engine's host has a file or directory at an absolute path; `None`: it cannot be told without making
    /// something, for the engine is on another machine or this user may not look.
    async fn has_host_path(&self, _path: &str) -> Option<bool> {
        None
    }
    /// What happens to containers of a namespace.
    fn events(&self, namespace: &Namespace) -> BoxStream<'static, Result<EngineEvent>>;
}
