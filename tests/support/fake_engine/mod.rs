//! The engine in memory: the same port, the same contract suite as the real one, and knobs that the real one lacks:
//! faults at the n-th call ([`Fault`]), images whose containers behave as told ([`Script`]), a registry.

mod faults;
mod follow;
mod port;
mod program;
mod registry;
mod session;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use once_app::engine::{Image, LogLine};
use tokio::sync::{broadcast, watch};

pub use faults::{Fault, When, Which};
use state::State;
pub use state::{Health, Script};

/// A container engine in memory. Clones share everything.
#[derive(Clone)]
pub struct FakeEngine {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
    events: broadcast::Sender<(String, String, String)>,
}

impl FakeEngine {
    pub fn new() -> Self {
        Self { state: Arc::default(), changed: watch::channel(0).0, events: broadcast::channel(1024).0 }
    }

    /// Puts an image on the engine, as if it had been pulled long ago; its ID.
    pub fn hold_image(&self, reference: &str) -> String {
        self.lock().hold_image(reference, None)
    }

    /// Lets an image on the engine declare these paths as `VOLUME`.
    pub fn declare(&self, image: &str, volumes: &[&str]) {
        let mut state = self.lock();
        let id = state.image(image).unwrap().id.clone();
        let image = state.images.iter_mut().find(|image| image.id == id).unwrap();
        image.volumes = volumes.iter().map(|path| (*path).to_owned()).collect();
    }

    /// Lets an image that is only in the registry declare these paths once it is pulled.
    pub fn declare_when_pulled(&self, reference: &str, volumes: &[&str]) {
        let volumes = volumes.iter().map(|path| (*path).to_owned()).collect();
        self.lock().declared_when_pulled.insert(reference.to_owned(), volumes);
    }

    /// Takes an image away from the engine.
    pub fn forget_image(&self, reference: &str) {
        let mut state = self.lock();
        let id = state.image(reference).map(|image| image.id.clone());
        state.images.retain(|image| Some(&image.id) != id.as_ref());
    }

    /// Gives a container an anonymous volume, as if its image had declared the path when it was made; the volume.
    pub fn mount_anonymous(&self, container: &str, path: &str) -> String {
        let mut state = self.lock();
        let name = state.fresh_id();
        state.volumes.insert(name.clone(), state::FakeVolume::default());
        let held = state.container_mut(container).unwrap();
        held.spec.mounts.push(once_app::engine::MountSpec::Volume { name: name.clone(), target: path.to_owned() });
        name
    }

    /// Puts a file into an image on the engine.
    pub fn image_file(&self, image: &str, path: &str, content: &str) {
        let mut state = self.lock();
        let id = state.image(image).unwrap().id.clone();
        state.image_files.entry(id).or_default().insert(path.to_owned(), content.to_owned());
    }

    /// Names of all volumes.
    pub fn volume_names(&self) -> Vec<String> {
        self.lock().volumes.keys().cloned().collect()
    }

    /// What is mounted in a container: path and volume.
    pub fn mounted(&self, container: &str) -> BTreeMap<String, String> {
        self.lock().container(container).map(state::Held::volumes).unwrap_or_default()
    }

    /// Puts an image into the registry; its digest. A second call with another `content` moves the tag.
    pub fn publish(&self, reference: &str, content: &str) -> String {
        let digest = state::digest(content);
        self.lock().registry.insert(reference.to_owned(), digest.clone());
        digest
    }

    /// Says how containers of an image behave, named by the reference they are created with or by its ID.
    pub fn script(&self, image: &str, script: Script) {
        self.lock().scripts.insert(image.to_owned(), script);
    }

    /// Makes a call fail, hang, or do its work and then report failure.
    pub fn fault(&self, which: Which, when: When, fault: Fault) {
        self.lock().faults.push(which, when, fault);
    }

    /// Forgets faults that have not struck yet.
    pub fn no_more_faults(&self) {
        self.lock().faults.clear();
    }

    /// All calls so far, by the names of the port's methods.
    pub fn calls(&self) -> Vec<&'static str> {
        self.lock().faults.calls().to_vec()
    }

    /// What a probe of this container would see now. Each question is the next in the image's [`Script::health`].
    pub fn health(&self, container: &str) -> Health {
        let mut state = self.lock();
        let Some(held) = state.container_mut(container) else { return Health::Refused };
        if !held.runs() {
            return Health::Refused;
        }
        held.next_health()
    }

    /// Lets a running container end by itself.
    pub fn end(&self, container: &str, code: i64, out_of_memory: bool) {
        let mut state = self.lock();
        if let Some(held) = state.container_mut(container) {
            held.end(code, out_of_memory);
            let id = held.id.clone();
            state.announce(&self.events, "die", &id);
        }
        self.notify(state);
    }

    /// Lets a container write a line.
    pub fn write_log(&self, container: &str, stderr: bool, text: &str) {
        let mut state = self.lock();
        if let Some(held) = state.container_mut(container) {
            held.log.push(LogLine { at: Some(Timestamp::now()), stderr, text: text.to_owned() });
        }
        self.notify(state);
    }

    /// What a file on a volume holds.
    pub fn file(&self, volume: &str, path: &str) -> Option<String> {
        self.lock().volumes.get(volume)?.files.get(path).cloned()
    }

    /// Puts a file on a volume that exists.
    pub fn put_file(&self, volume: &str, path: &str, content: &str) {
        if let Some(volume) = self.lock().volumes.get_mut(volume) {
            volume.files.insert(path.to_owned(), content.to_owned());
        }
    }

    /// Names of all containers and whether they run.
    pub fn running(&self) -> BTreeMap<String, bool> {
        self.lock().containers.values().map(|held| (held.spec.name.clone(), held.runs())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn notify(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.send_modify(|count| *count += 1);
    }

    /// Waits until a look at the state finds something.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(found) = look(&mut self.lock()) {
                return found;
            }
            let _ = changes.changed().await;
        }
    }
}

impl Default for FakeEngine {
    fn default() -> Self {
        Self::new()
    }
}

fn plain_image(id: String) -> Image {
    Image {
        id,
        repo_digests: vec![],
        os: "linux".into(),
        arch: state::arch().into(),
        exposed: vec![80],
        labels: BTreeMap::new(),
        volumes: vec![],
        user: String::new(),
        size: 1024,
        tags: vec![],
    }
}
