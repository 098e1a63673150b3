//! The port.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use once_app::engine::{
    Container, ContainerDetail, ContainerSpec, Engine, EngineError, EngineEvent, EngineInfo, ExecSession, ExecSpec,
    HostUsage, Image, LogLine, LogQuery, Origin, OwnImage, PullProgress, Restart, Stored, Usage, Volume,
};
use once_app::{ImageRef, Machine, Namespace};
use once_docker::labels;

use super::FakeEngine;
use super::faults::{self, Fault};
use super::follow::follow;
use super::registry::registry;
use super::session::{Given, Session};
use super::state::{self, FakeVolume, ImageProgram, Phase, State};

type Result<T> = std::result::Result<T, EngineError>;

fn absent(what: &str, name: &str) -> EngineError {
    EngineError::Absent { what: format!("{what} {name}") }
}

fn conflict(message: &str) -> EngineError {
    EngineError::Conflict { message: message.to_owned() }
}

impl FakeEngine {
    /// A call: counted, struck by its fault if it has one, else done in one step.
    async fn call<T>(&self, name: &'static str, work: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        // An engine is always on another thread.
        tokio::task::yield_now().await;
        let fault = self.lock().faults.enter(name);
        match fault {
            Some(Fault::Fails) => return Err(faults::error(name)),
            Some(Fault::Hangs) => std::future::pending().await,
            Some(Fault::DoesButFails | Fault::DoesButHangs) | None => {}
        }
        let done = self.change(work);
        match fault {
            Some(Fault::DoesButFails) => Err(faults::lost()),
            Some(Fault::DoesButHangs) => std::future::pending().await,
            _ => done,
        }
    }

    fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let done = work(&mut state);
        self.notify(state);
        done
    }

    fn say(&self, state: &State, action: &str, id: &str) {
        state.announce(&self.events, action, id);
    }

    /// Lets a container that runs `tick` tick.
    fn tick(&self, id: String) {
        let engine = self.clone();
        tokio::spawn(async move {
            for number in 0.. {
                if !engine.lock().container(&id).is_some_and(state::Held::runs) {
                    return;
                }
                engine.write_log(&id, false, &format!("tick {number}"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

#[async_trait]
impl Engine for FakeEngine {
    async fn info(&self) -> Result<EngineInfo> {
        self.call("info", |_| {
            Ok(EngineInfo {
                id: "FAKE".into(),
                name: "fake".into(),
                version: "28.2.2".into(),
                api: "1.50".into(),
                os: "linux".into(),
                arch: state::arch().into(),
                cpus: 2,
                memory: 8 << 30,
                root_dir: "/var/lib/docker".into(),
                address: "fake://".into(),
                local: true,
                time: None,
            })
        })
        .await
    }

    async fn containers(&self, namespace: &Namespace) -> Result<Vec<Container>> {
        self.call("containers", |state| {
            let ours = |labels: &BTreeMap<String, String>| {
                labels.get(labels::NAMESPACE).map(String::as_str) == Some(namespace.as_str())
            };
            Ok(state.containers.values().filter(|held| ours(&held.spec.labels)).map(state::Held::listed).collect())
        })
        .await
    }

    async fn all_containers(&self) -> Result<Vec<Container>> {
        self.call("all_containers", |state| Ok(state.containers.values().map(state::Held::listed).collect())).await
    }

    async fn container(&self, id: &str) -> Result<Option<ContainerDetail>> {
        self.call("container", |state| Ok(state.container(id).map(state::Held::detailed))).await
    }

    async fn origin(&self, id: &str) -> Result<Option<Origin>> {
        self.call("origin", |state| Ok(state.container(id).map(state::Held::origin))).await
    }

    async fn set_restart(&self, id: &str, restart: Restart) -> Result<()> {
        self.call("set_restart", |state| {
            let held = state.container_mut(id).ok_or_else(|| absent("container", id))?;
            held.spec.restart = restart;
            Ok(())
        })
        .await
    }

    async fn read_file(&self, id: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        self.call("read_file", |state| {
            let Some((volume, path)) = state.container(id).and_then(|held| held.on_volume(path)) else {
                return Ok(None);
            };
            let file = state.volumes.get(&volume).and_then(|volume| volume.files.get(path));
            match file {
                Some(file) if file.len() > most => Err(EngineError::Failed {
                    what: format!("read a file of container {id}"),
                    message: format!("{path} is larger than {most} bytes"),
                }),
                file => Ok(file.map(|text| text.clone().into_bytes())),
            }
        })
        .await
    }

    async fn tree(&self, id: &str, path: &str, most: usize) -> Result<Option<BTreeMap<String, String>>> {
        self.call("tree", |state| {
            let volume = state.container(id).and_then(|held| held.volumes().get(path).cloned());
            let Some(volume) = volume.and_then(|name| state.volumes.get(&name)) else { return Ok(None) };
            let bytes: usize = volume.files.values().map(String::len).sum();
            if bytes > most {
                let (what, message) = (format!("read the files of container {id}"), "too large".to_owned());
                return Err(EngineError::Failed { what, message });
            }
            Ok(Some(volume.files.iter().map(|(name, text)| (name[1..].to_owned(), text.clone())).collect()))
        })
        .await
    }

    async fn give(&self, id: &str, path: &str, user: u32, group: u32) -> Result<bool> {
        self.call("give", |state| {
            let volume = state.container(id).and_then(|held| held.volumes().get(path).cloned());
            let volume = volume.and_then(|name| state.volumes.get_mut(&name));
            let Some(volume) = volume.filter(|volume| volume.files.is_empty() && volume.owner.is_none()) else {
                return Ok(false);
            };
            volume.owner = Some((user, group));
            Ok(true)
        })
        .await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        self.call("create", |state| {
            if state.container(&spec.name).is_some() {
                return Err(conflict("the name is taken"));
            }
            let image = state.image(&spec.image).cloned().ok_or_else(|| absent("image", &spec.image))?;
            for mount in &spec.mounts {
                if let once_app::engine::MountSpec::Volume { name, .. } = mount {
                    state.volumes.entry(name.clone()).or_default();
                }
            }
            let id = state.new_container(spec, &image);
            state.fill_volumes(&id, &image);
            self.say(state, "create", &id);
            Ok(id)
        })
        .await
    }

    async fn start(&self, id: &str) -> Result<()> {
        self.call("start", |state| {
            let held = state.container(id).ok_or_else(|| absent("container", id))?;
            if held.runs() {
                return Ok(());
            }
            for network in &held.networks {
                if network != "bridge" && !state.networks.contains_key(network) {
                    return Err(absent("network", network));
                }
            }
            let taken = held.spec.publish.iter().map(|(outside, _)| *outside).find(|port| {
                state.containers.values().any(|other| other.runs() && other.listed().ports.contains(port))
            });
            if let Some(port) = taken {
                return Err(EngineError::PortTaken { port, source: "another container has it".into() });
            }
            let id = held.id.clone();
            state.begin(&id);
            self.say(state, "start", &id);
            let held = &state.containers[&id];
            if !held.runs() {
                self.say(state, "die", &id);
            } else if held.argv.first().is_some_and(|word| word == "tick") {
                self.tick(id);
            }
            Ok(())
        })
        .await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        let takes = self.lock().container(id).filter(|held| held.runs()).map(|held| held.script.stops_in);
        tokio::time::sleep(takes.unwrap_or_default().min(grace)).await;
        self.call("stop", |state| {
            let Some(held) = state.container_mut(id) else { return Ok(()) };
            if matches!(held.phase, Phase::Running | Phase::Restarting) {
                held.exit_code = Some(if held.script.stops_in > grace { 137 } else { 143 });
                held.phase = Phase::Exited;
                let id = held.id.clone();
                self.say(state, "die", &id);
                self.say(state, "stop", &id);
            }
            Ok(())
        })
        .await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.call("remove", |state| {
            let Some(id) = state.container(id).map(|held| held.id.clone()) else { return Ok(()) };
            if state.containers[&id].runs() {
                self.say(state, "die", &id);
            }
            self.say(state, "destroy", &id);
            state.containers.remove(&id);
            Ok(())
        })
        .await
    }

    async fn wait(&self, id: &str) -> Result<i64> {
        self.call("wait", |state| state.container(id).map(|_| ()).ok_or_else(|| absent("container", id))).await?;
        self.until(|state| match state.container(id) {
            None => Some(Ok(137)),
            Some(held) if held.phase == Phase::Exited => Some(Ok(held.exit_code.unwrap_or(0))),
            Some(held) if held.phase == Phase::Created => Some(Ok(0)),
            Some(_) => None,
        })
        .await
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>> {
        self.call("image", |state| Ok(state.image(reference).cloned())).await
    }

    async fn registry_digest(&self, image: &ImageRef) -> Result<String> {
        self.call("registry_digest", |state| registry(state, image)).await
    }

    fn pull<'a>(&'a self, image: &'a ImageRef, idle: Duration) -> BoxStream<'a, Result<PullProgress>> {
        let pulling = async move {
            let pulled = self.call("pull", |state| {
                let digest = registry(state, image)?;
                let id = state.hold_image(&image.to_string(), Some(&digest));
                if let Some(volumes) = state.declared_when_pulled.get(&image.to_string()).cloned() {
                    state
                        .images
                        .iter_mut()
                        .filter(|held| held.id == id)
                        .for_each(|held| held.volumes.clone_from(&volumes));
                }
                Ok(())
            });
            let steps = [(0, 0), (0, 500), (1, 1000)]
                .map(|(layers_done, bytes_done)| Ok(PullProgress { layers_done, layers: 1, bytes_done, bytes: 1000 }));
            match tokio::time::timeout(idle, pulled).await {
                Ok(Ok(())) => steps.into_iter().collect(),
                Ok(Err(error)) => vec![Err(error)],
                Err(_) => vec![Err(EngineError::TimedOut { what: "pull any further".into(), after: idle })],
            }
        };
        stream::once(pulling).flat_map(stream::iter).boxed()
    }

    async fn own_hash(&self) -> Result<String> {
        self.call("own_hash", |_| Ok("0123456789ab".into())).await
    }

    async fn own_digest(&self) -> Result<String> {
        self.call("own_digest", |_| Ok("0123456789abcdef".repeat(4))).await
    }

    async fn own_bytes(&self, _: u64, _: usize) -> Result<Vec<u8>> {
        self.call("own_bytes", |_| Ok(Vec::new())).await
    }

    async fn load_own(&self, image: &OwnImage) -> Result<()> {
        self.call("load_own", |state| {
            if state.image(&image.tag).is_some() {
                return Ok(());
            }
            let id = state::digest(&format!("{image:?}"));
            let mut exposed = image.exposed.clone();
            exposed.sort_unstable();
            let tags = vec![image.tag.clone()];
            let (labels, volumes) = (image.labels.clone(), image.volumes.clone());
            let made = Image { exposed, labels, volumes, tags, ..super::plain_image(id.clone()) };
            state.images.push(made);
            state.image_programs.insert(id, ImageProgram { args: image.args.clone(), env: image.env.clone() });
            Ok(())
        })
        .await
    }

    async fn remove_image(&self, id: &str) -> Result<bool> {
        self.call("remove_image", |state| {
            let Some(image) = state.image(id).cloned() else { return Ok(false) };
            if state.containers.values().any(|held| held.image_id == image.id) {
                return Ok(false);
            }
            let tag = state::with_tag(id);
            for held in &mut state.images {
                held.tags.retain(|other| *other != tag);
            }
            state.images.retain(|held| held.id != image.id || (id != image.id && !held.tags.is_empty()));
            Ok(true)
        })
        .await
    }

    async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()> {
        self.call("ensure_network", |state| {
            state.networks.entry(name.to_owned()).or_insert_with(|| labels.clone());
            Ok(())
        })
        .await
    }

    async fn has_network(&self, name: &str) -> Result<bool> {
        self.call("has_network", |state| Ok(state.networks.contains_key(name))).await
    }

    async fn network_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        self.call("network_labels", |state| Ok(state.networks.get(name).cloned())).await
    }

    async fn join_network(&self, network: &str, container: &str) -> Result<()> {
        self.call("join_network", |state| {
            if !state.networks.contains_key(network) {
                return Err(absent("network", network));
            }
            let held = state.container_mut(container).ok_or_else(|| absent("container", container))?;
            if !held.networks.iter().any(|joined| joined == network) {
                held.networks.push(network.to_owned());
            }
            Ok(())
        })
        .await
    }

    async fn leave_network(&self, network: &str, container: &str) -> Result<()> {
        self.call("leave_network", |state| {
            if let Some(held) = state.container_mut(container) {
                held.networks.retain(|joined| joined != network);
            }
            Ok(())
        })
        .await
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        self.call("remove_network", |state| {
            let used = |held: &state::Held| held.runs() && held.networks.iter().any(|network| network == name);
            if state.containers.values().any(used) {
                return Err(conflict("containers are in it"));
            }
            state.networks.remove(name);
            Ok(())
        })
        .await
    }

    async fn volumes(&self, namespace: &Namespace) -> Result<Vec<Volume>> {
        self.call("volumes", |state| {
            let all = state.volumes.iter().map(|(name, held)| volume(name, held));
            let label = |volume: &Volume| volume.labels.get(labels::NAMESPACE).cloned();
            Ok(all.filter(|volume| label(volume).as_deref() == Some(namespace.as_str())).collect())
        })
        .await
    }

    async fn volume(&self, name: &str) -> Result<Option<Volume>> {
        self.call("volume", |state| Ok(state.volumes.get(name).map(|held| volume(name, held)))).await
    }

    async fn ensure_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<bool> {
        self.call("ensure_volume", |state| {
            if state.volumes.contains_key(name) {
                return Ok(false);
            }
            let made = FakeVolume { labels: labels.clone(), ..FakeVolume::default() };
            state.volumes.insert(name.to_owned(), made);
            Ok(true)
        })
        .await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.call("remove_volume", |state| {
            let mounts = |held: &state::Held| {
                held.spec.mounts.iter().any(
                    |mount| matches!(mount, once_app::engine::MountSpec::Volume { name: used, .. } if used == name),
                )
            };
            if state.containers.values().any(mounts) {
                return Err(conflict("a container uses it"));
            }
            state.volumes.remove(name);
            Ok(())
        })
        .await
    }

    async fn exec(&self, spec: &ExecSpec) -> Result<Box<dyn ExecSession>> {
        let container = self
            .call("exec", |state| {
                let held = state.container(&spec.container).ok_or_else(|| absent("container", &spec.container))?;
                if held.runs() { Ok(held.id.clone()) } else { Err(conflict("the container does not run")) }
            })
            .await?;
        let (engine, spec) = (self.clone(), spec.clone());
        let input = Arc::new(Mutex::new(Given { open: spec.stdin, ..Given::default() }));
        Ok(Box::new(Session { engine, container, spec, input, output: None, refusal: None }))
    }

    fn logs(&self, container: &str, query: LogQuery) -> BoxStream<'static, Result<LogLine>> {
        let (engine, container) = (self.clone(), container.to_owned());
        let begin = async move {
            let first = engine
                .call("logs", |state| {
                    let held = state.container(&container).ok_or_else(|| absent("container", &container))?;
                    let tail = query.tail.map_or(usize::MAX, |tail| tail as usize);
                    Ok((held.id.clone(), held.log.len().saturating_sub(tail)))
                })
                .await;
            match first {
                Err(error) => stream::iter([Err(error)]).boxed(),
                Ok((id, first)) => follow(engine, id, first, &query),
            }
        };
        stream::once(begin).flatten().boxed()
    }

    fn stats(&self, container: &str) -> BoxStream<'static, Result<Usage>> {
        let (engine, container) = (self.clone(), container.to_owned());
        stream::unfold(false, move |ended| {
            let (engine, container) = (engine.clone(), container.clone());
            async move {
                if ended {
                    return None;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                let usage = engine
                    .call("stats", |state| {
                        let held = state.container(&container).ok_or_else(|| absent("container", &container))?;
                        Ok(usage_of(held))
                    })
                    .await;
                let failed = usage.is_err();
                Some((usage, failed))
            }
        })
        .boxed()
    }

    async fn usage(&self, containers: &[String]) -> HashMap<String, Usage> {
        let state = self.lock();
        let running = containers.iter().filter_map(|id| Some((id, state.containers.get(id)?)));
        running.filter(|(_, held)| held.runs()).map(|(id, held)| (id.clone(), usage_of(held))).collect()
    }

    async fn stored(&self) -> Result<Stored> {
        self.call("stored", |state| {
            Ok(Stored {
                images: state.images.iter().map(|image| (image.id.clone(), image.size)).collect(),
                containers: state.containers.keys().map(|id| (id.clone(), 0)).collect(),
            })
        })
        .await
    }

    async fn volume_sizes(&self) -> Option<BTreeMap<String, u64>> {
        None
    }

    async fn machine(&self) -> Option<Machine> {
        None
    }

    async fn host_usage(&self) -> Option<HostUsage> {
        Some(HostUsage { cpu: 0.5, memory: 2 << 30, memory_total: 8 << 30, disk: 10 << 30, disk_total: 100 << 30 })
    }

    async fn has_host_path(&self, path: &str) -> Option<bool> {
        Some(!path.starts_with("/no/"))
    }

    fn events(&self, namespace: &Namespace) -> BoxStream<'static, Result<EngineEvent>> {
        let (receiver, namespace) = (self.events.subscribe(), namespace.to_string());
        stream::unfold((receiver, namespace), |(mut receiver, namespace)| async move {
            loop {
                let (of, action, container) = receiver.recv().await.ok()?;
                if of == namespace {
                    return Some((Ok(EngineEvent { action, container }), (receiver, namespace)));
                }
            }
        })
        .boxed()
    }
}

fn volume(name: &str, held: &FakeVolume) -> Volume {
    Volume {
        name: name.to_owned(),
        identity: state::identity(&held.labels),
        mountpoint: format!("/var/lib/docker/volumes/{name}/_data"),
        labels: held.labels.clone(),
    }
}

fn usage_of(held: &state::Held) -> Usage {
    let cpu = if held.argv.first().is_some_and(|word| word == "burn") { 1.0 } else { 0.01 };
    if held.runs() {
        Usage { cpu, memory: 10 << 20, memory_limit: held.spec.memory.unwrap_or(0) }
    } else {
        Usage::default()
    }
}
