//! What the fake holds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use once_app::engine::{
    Container, ContainerDetail, ContainerSpec, Identity, Image, LogLine, MountSpec, Origin, Restart, Role,
};
use once_app::{AppId, MountSource, Namespace, ReleaseNumber};
use once_docker::labels;
use tokio::sync::broadcast;

use super::faults::Faults;
use super::program::{self, Program};

/// What a probe of a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nobody listens.
    Refused,
    /// It answers with this status.
    Status(u16),
    /// It takes the connection and never answers.
    Silent,
}

/// How containers of an image behave.
#[derive(Debug, Clone)]
pub struct Script {
    /// One for each probe; the last one stays.
    pub health: Vec<Health>,
    /// What it writes at the start.
    pub lines: Vec<(bool, String)>,
    /// The code it ends with right after the start; `None`: it runs.
    pub ends: Option<i64>,
    /// Its end is the kernel's doing.
    pub out_of_memory: bool,
    /// How long it takes to stop; longer than the grace is cut short.
    pub stops_in: Duration,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            health: vec![Health::Status(200)],
            lines: vec![],
            ends: None,
            out_of_memory: false,
            stops_in: Duration::ZERO,
        }
    }
}

#[derive(Default)]
pub struct State {
    pub containers: BTreeMap<String, Held>,
    pub images: Vec<Image>,
    pub image_programs: BTreeMap<String, ImageProgram>,
    pub declared_when_pulled: BTreeMap<String, Vec<String>>,
    /// By the image's ID: its files by their paths.
    pub image_files: BTreeMap<String, BTreeMap<String, String>>,
    pub registry: BTreeMap<String, String>,
    pub scripts: BTreeMap<String, Script>,
    pub networks: BTreeMap<String, BTreeMap<String, String>>,
    pub volumes: BTreeMap<String, FakeVolume>,
    pub faults: Faults,
    next: u64,
}

/// What an image of the probe runs.
#[derive(Clone, Default)]
pub struct ImageProgram {
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

#[derive(Default)]
pub struct FakeVolume {
    pub labels: BTreeMap<String, String>,
    pub files: BTreeMap<String, String>,
    /// Who was given it; root's until then.
    pub owner: Option<(u32, u32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Created,
    Running,
    Restarting,
    Exited,
}

pub struct Held {
    pub id: String,
    pub spec: ContainerSpec,
    pub image_id: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub networks: Vec<String>,
    pub phase: Phase,
    pub exit_code: Option<i64>,
    pub out_of_memory: bool,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub restarts: u64,
    pub log: Vec<LogLine>,
    pub script: Script,
    probes: usize,
}

impl Held {
    pub fn runs(&self) -> bool {
        self.phase == Phase::Running
    }

    pub fn next_health(&mut self) -> Health {
        let last = self.script.health.len().saturating_sub(1);
        let health = self.script.health.get(self.probes.min(last)).copied().unwrap_or(Health::Refused);
        self.probes += 1;
        health
    }

    pub fn end(&mut self, code: i64, out_of_memory: bool) {
        self.exit_code = Some(code);
        self.out_of_memory = out_of_memory;
        if self.spec.restart == Restart::UnlessStopped {
            self.phase = Phase::Restarting;
            self.restarts += 1;
        } else {
            self.phase = Phase::Exited;
        }
    }

    /// The volume and the path on it that a path of the container stands for.
    pub fn on_volume<'a>(&self, path: &'a str) -> Option<(String, &'a str)> {
        let on = self.spec.mounts.iter().filter_map(|mount| match mount {
            MountSpec::Volume { name, target } => Some((name.clone(), path.strip_prefix(target.as_str())?)),
            MountSpec::Bind { .. } => None,
        });
        // The innermost mount holds it.
        on.filter(|(_, rest)| rest.starts_with('/')).min_by_key(|(_, rest)| rest.len())
    }

    /// Volumes that are mounted, anonymous ones among them: path and name.
    pub fn volumes(&self) -> BTreeMap<String, String> {
        let volume = |mount: &MountSpec| match mount {
            MountSpec::Volume { name, target } => Some((target.clone(), name.clone())),
            MountSpec::Bind { .. } => None,
        };
        self.spec.mounts.iter().filter_map(volume).collect()
    }

    pub fn listed(&self) -> Container {
        let running = self.runs();
        let mut ports: Vec<u16> = if running {
            self.spec.publish.iter().chain(&self.spec.publish_local).map(|(outside, _)| *outside).collect()
        } else {
            vec![]
        };
        ports.sort_unstable();
        let mut open: Vec<u16> =
            if running { self.spec.publish.iter().map(|(_, inside)| *inside).collect() } else { vec![] };
        open.sort_unstable();
        Container {
            id: self.id.clone(),
            name: self.spec.name.clone(),
            identity: identity(&self.spec.labels),
            image: self.spec.image.clone(),
            image_id: self.image_id.clone(),
            running,
            state: self.word().into(),
            status: self.word().into(),
            created_at: self.created_at,
            labels: self.spec.labels.clone(),
            ports,
            open,
            unhealthy: false,
            memory_kills: None,
        }
    }

    pub fn detailed(&self) -> ContainerDetail {
        ContainerDetail {
            id: self.id.clone(),
            name: self.spec.name.clone(),
            running: self.runs(),
            restarting: self.phase == Phase::Restarting,
            exit_code: if self.runs() { None } else { self.exit_code },
            out_of_memory: self.out_of_memory,
            error: String::new(),
            started_at: self.started_at,
            restarts: self.restarts,
            image_id: self.image_id.clone(),
            networks: self
                .networks
                .iter()
                .map(|network| {
                    let address =
                        if self.runs() { format!("10.0.0.{}", number(&self.id) % 250 + 2) } else { String::new() };
                    (network.clone(), address)
                })
                .collect(),
            labels: self.spec.labels.clone(),
            env: self.env.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            ports: self
                .spec
                .publish
                .iter()
                .chain(&self.spec.publish_local)
                .map(|(outside, inside)| (*inside, *outside))
                .collect(),
            volumes: self.volumes(),
            memory: self.spec.memory,
            nano_cpus: self.spec.nano_cpus,
            restart: self.spec.restart,
        }
    }

    pub fn origin(&self) -> Origin {
        let detail = self.detailed();
        let mounts = self.spec.mounts.iter().map(|mount| match mount {
            MountSpec::Volume { name, target } => (target.clone(), MountSource::External { name: name.clone() }),
            MountSpec::Bind { path, target, read_only } => {
                (target.clone(), MountSource::Host { path: path.clone(), read_only: *read_only })
            }
        });
        Origin {
            id: detail.id,
            name: detail.name,
            image: self.spec.image.clone(),
            image_id: detail.image_id,
            running: detail.running,
            labels: detail.labels,
            env: self.spec.env.clone(),
            mounts: mounts.collect(),
            networks: self.networks.clone(),
            shared_network: None,
            memory: detail.memory,
            nano_cpus: detail.nano_cpus,
            published: detail.ports,
            stop_timeout: Some(self.spec.stop_timeout),
            beyond: vec![],
        }
    }

    fn word(&self) -> &'static str {
        match self.phase {
            Phase::Created => "created",
            Phase::Running => "running",
            Phase::Restarting => "restarting",
            Phase::Exited => "exited",
        }
    }
}

impl State {
    pub fn fresh_id(&mut self) -> String {
        self.next += 1;
        format!("{:064x}", self.next)
    }

    pub fn container(&self, id: &str) -> Option<&Held> {
        self.containers.get(id).or_else(|| self.containers.values().find(|held| held.spec.name == id))
    }

    pub fn container_mut(&mut self, id: &str) -> Option<&mut Held> {
        let id = self.container(id)?.id.clone();
        self.containers.get_mut(&id)
    }

    pub fn image(&self, reference: &str) -> Option<&Image> {
        let tagged = with_tag(reference);
        self.images.iter().find(|image| {
            image.id == reference
                || image.tags.contains(&tagged)
                || image.repo_digests.iter().any(|digest| digest == reference)
        })
    }

    /// Moves a tag to an image, which is made unless it is there.
    pub fn hold_image(&mut self, reference: &str, digest: Option<&str>) -> String {
        let id = digest.map_or_else(|| self::digest(reference), |found| self::digest(&format!("config of {found}")));
        let by_digest = reference.contains('@');
        if !by_digest {
            let tag = with_tag(reference);
            for image in &mut self.images {
                image.tags.retain(|other| *other != tag);
            }
        }
        if !self.images.iter().any(|image| image.id == id) {
            self.images.push(super::plain_image(id.clone()));
        }
        let image = self.images.iter_mut().find(|image| image.id == id).unwrap();
        if !by_digest {
            image.tags.push(with_tag(reference));
        }
        if let Some(digest) = digest {
            let named = format!("{}@{digest}", repository(reference));
            if !image.repo_digests.contains(&named) {
                image.repo_digests.push(named);
            }
        }
        id
    }

    pub fn new_container(&mut self, spec: &ContainerSpec, image: &Image) -> String {
        let id = self.fresh_id();
        let own = self.image_programs.get(&image.id).cloned().unwrap_or_default();
        let script = [&spec.image, &image.id].into_iter().chain(&image.tags).find_map(|name| self.scripts.get(name));
        let labels = image.labels.clone().into_iter().chain(spec.labels.clone()).collect();
        // The image's own entrypoint is the probe itself, whose words follow; another one is its own first word.
        let argv = match &spec.entrypoint {
            Some(first) if first.first().is_some_and(|program| !program.starts_with('/')) => {
                first.iter().chain(spec.command.iter().flatten()).cloned().collect()
            }
            _ => spec.command.clone().unwrap_or(own.args),
        };
        let held = Held {
            id: id.clone(),
            spec: ContainerSpec { labels, ..spec.clone() },
            image_id: image.id.clone(),
            argv,
            env: own.env.into_iter().chain(spec.env.iter().cloned()).collect(),
            networks: if spec.networks.is_empty() { vec!["bridge".into()] } else { spec.networks.clone() },
            phase: Phase::Created,
            exit_code: None,
            out_of_memory: false,
            created_at: Timestamp::now(),
            started_at: None,
            restarts: 0,
            log: vec![],
            script: script.cloned().unwrap_or_default(),
            probes: 0,
        };
        self.containers.insert(id.clone(), held);
        id
    }

    /// What the engine does as a container is made: an anonymous volume at each declared path where nothing is mounted,
    /// and the image's own files onto each volume that is empty.
    pub fn fill_volumes(&mut self, id: &str, image: &Image) {
        for path in &image.volumes {
            let path = format!("/{}", path.trim_matches('/'));
            if !self.containers[id].spec.mounts.iter().any(|mount| target(mount) == path) {
                let name = self.fresh_id();
                self.volumes.insert(name.clone(), FakeVolume::default());
                let held = self.containers.get_mut(id).unwrap();
                held.spec.mounts.push(MountSpec::Volume { name, target: path });
            }
        }
        for (path, name) in self.containers[id].volumes() {
            let files = self.image_files.get(&image.id).cloned().unwrap_or_default();
            let volume = self.volumes.entry(name).or_default();
            if volume.files.is_empty() {
                let below =
                    |file: &String| file.strip_prefix(&path).filter(|rest| rest.starts_with('/')).map(str::to_owned);
                volume.files.extend(files.into_iter().filter_map(|(file, text)| Some((below(&file)?, text))));
            }
        }
    }

    /// Starts one and lets it do at once what it does at the start.
    pub fn begin(&mut self, id: &str) {
        let program = self.program(id);
        let held = self.containers.get_mut(id).unwrap();
        let now = Timestamp::now();
        held.phase = Phase::Running;
        held.started_at = Some(now);
        held.exit_code = None;
        held.probes = 0;
        let lines = held.script.lines.clone().into_iter().chain(program.lines);
        held.log.extend(lines.map(|(stderr, text)| LogLine { at: Some(now), stderr, text }));
        let out_of_memory = held.script.out_of_memory;
        if let Some(code) = held.script.ends.or(program.ends) {
            held.end(code, out_of_memory);
        }
    }

    fn program(&mut self, id: &str) -> Program {
        let argv = self.containers[id].argv.clone();
        program::run(self, id, &argv, b"")
    }

    pub fn announce(&self, events: &broadcast::Sender<(String, String, String)>, action: &str, id: &str) {
        let labels = self.containers.get(id).map(|held| &held.spec.labels);
        let namespace = labels.and_then(|labels| labels.get(labels::NAMESPACE)).cloned().unwrap_or_default();
        let _ = events.send((namespace, action.to_owned(), id.to_owned()));
    }
}

/// The same reading of labels as the adapter's, written a second time on purpose.
pub fn identity(labels: &BTreeMap<String, String>) -> Option<Identity> {
    let role = match labels.get(labels::ROLE)?.as_str() {
        "proxy" => Role::Proxy,
        "web" => Role::Web,
        "task" => Role::Task,
        "data" => Role::Data,
        _ => return None,
    };
    let app = match labels.get(labels::APP) {
        None => None,
        Some(text) => Some(text.parse().ok()?),
    };
    let release = match labels.get(labels::RELEASE) {
        None => None,
        Some(text) => Some(ReleaseNumber(text.parse().ok()?)),
    };
    let namespace: Namespace = labels.get(labels::NAMESPACE)?.parse().ok()?;
    Some(Identity { namespace, role, app, id: labels.get(labels::ID).cloned().map(AppId), release })
}

fn target(mount: &MountSpec) -> &str {
    match mount {
        MountSpec::Volume { target, .. } | MountSpec::Bind { target, .. } => target,
    }
}

/// 64 hex digits that stand for some content.
pub fn digest(content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("sha256:{}", format!("{:016x}", hasher.finish()).repeat(4))
}

pub fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains(':') { reference.to_owned() } else { format!("{reference}:latest") }
}

pub fn repository(reference: &str) -> &str {
    let reference = reference.split('@').next().unwrap_or(reference);
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => reference,
    }
}

pub fn arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

fn number(id: &str) -> u64 {
    u64::from_str_radix(&id[id.len() - 8..], 16).unwrap_or(0)
}
