//! A namespace of one's own on the real engine.

use std::collections::{BTreeMap, HashMap};

use bollard::query_parameters as query;
use once_app::Namespace;
use once_app::engine::{ContainerSpec, Engine, OwnImage, Restart};
use once_docker::{Docker, labels};

use super::probe;

/// Removes everything of its namespace when dropped, also while panicking.
pub struct Bed {
    pub namespace: Namespace,
}

impl Bed {
    pub fn new() -> Self {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { namespace: format!("t{hex}").parse().unwrap() }
    }

    /// The engine, taking the probe for its binary.
    pub async fn docker(&self) -> Docker {
        Docker::connect(None).await.unwrap().with_binary(probe::path())
    }

    /// `<namespace>-<what>`.
    pub fn name(&self, what: &str) -> String {
        name(&self.namespace, what)
    }

    /// Prepares the engine for [`container`]s of this namespace; the tag of their image.
    pub async fn image(&self, engine: &dyn Engine) -> String {
        prepare(engine, &self.namespace).await
    }
}

/// Loads the probe as an image of a namespace and makes the network its containers are in; the image's tag.
pub async fn prepare(engine: &dyn Engine, namespace: &Namespace) -> String {
    let image = own_image(namespace, "probe");
    engine.load_own(&image).await.unwrap();
    engine.ensure_network(&network(namespace), &labels(namespace, "web", &[])).await.unwrap();
    image.tag
}

/// The network of a namespace's containers. As with apps, never the engine's own bridge.
pub fn network(namespace: &Namespace) -> String {
    name(namespace, "base")
}

pub fn name(namespace: &Namespace, what: &str) -> String {
    format!("{namespace}-{what}")
}

/// The labels of a thing of ours.
pub fn labels(namespace: &Namespace, role: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let own = [(labels::SCHEMA, "1"), (labels::NAMESPACE, namespace.as_str()), (labels::ROLE, role)];
    own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The probe, or this binary, as an image that waits to be stopped.
pub fn own_image(namespace: &Namespace, what: &str) -> OwnImage {
    OwnImage {
        tag: format!("{namespace}-{what}:1"),
        args: vec!["wait".into()],
        env: vec![("FROM_IMAGE".into(), "yes".into())],
        // Containers inherit them, so none of ours.
        labels: BTreeMap::from([("what".into(), what.into()), ("namespace".into(), namespace.to_string())]),
        exposed: vec![8080, 80],
        directories: vec!["/data".into()],
        user: None,
        volumes: vec![],
    }
}

/// A container that waits to be stopped.
pub fn container(namespace: &Namespace, what: &str, image: &str) -> ContainerSpec {
    ContainerSpec {
        name: name(namespace, what),
        image: image.to_owned(),
        command: None,
        entrypoint: None,
        env: vec![],
        labels: labels(namespace, "web", &[(labels::APP, "shop"), (labels::ID, "id"), (labels::RELEASE, "7")]),
        networks: vec![network(namespace)],
        mounts: vec![],
        memory: None,
        nano_cpus: None,
        publish: vec![],
        pids: None,
        publish_local: Vec::new(),
        restart: Restart::No,
        log_max_size: 1024 * 1024,
        user: None,
        read_only: false,
        drop_capabilities: false,
        init: true,
        stop_timeout: 5,
    }
}

/// Words as a command.
pub fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

impl Drop for Bed {
    fn drop(&mut self) {
        let namespace = self.namespace.clone();
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(clean(&namespace));
        });
        let cleaned = cleaning.join();
        assert!(cleaned.is_ok() || std::thread::panicking(), "cleaning up {} failed", self.namespace);
    }
}

async fn clean(namespace: &Namespace) {
    let docker = bollard::Docker::connect_with_defaults().unwrap();
    let prefix = format!("{namespace}-");
    let ours = HashMap::from([("name", vec![prefix.clone()])]);
    let options = query::ListContainersOptionsBuilder::new().all(true).filters(&ours).build();
    for container in docker.list_containers(Some(options)).await.unwrap() {
        let options = query::RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let _ = docker.remove_container(container.id.as_deref().unwrap(), Some(options)).await;
    }
    let options = query::ListNetworksOptionsBuilder::new().filters(&ours).build();
    for network in docker.list_networks(Some(options)).await.unwrap() {
        let _ = docker.remove_network(network.id.as_deref().unwrap()).await;
    }
    let options = query::ListVolumesOptionsBuilder::new().filters(&ours).build();
    for volume in docker.list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default() {
        let _ = docker.remove_volume(&volume.name, None::<query::RemoveVolumeOptions>).await;
    }
    let options = query::ListImagesOptionsBuilder::new().build();
    for image in docker.list_images(Some(options)).await.unwrap() {
        for reference in image.repo_tags.iter().chain(&image.repo_digests) {
            let last = reference.rsplit('/').next().unwrap_or(reference);
            if last.starts_with(&prefix) {
                let _ = docker.remove_image(reference, None::<query::RemoveImageOptions>, None).await;
            }
        }
    }
}
