//! The port, put together from the other modules.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use super::call::{Call, required};
use super::connect::Docker;
use super::host::FIRST_SAMPLE;
use super::own_image::go_arch;
use super::{events, labels, logs, stats};
use once_app::engine::{
    Container, ContainerDetail, ContainerSpec, Engine, EngineError, EngineEvent, EngineInfo, ExecSession, ExecSpec,
    HostUsage, Image, LogLine, LogQuery, Origin, OwnImage, PullProgress, Restart, Stored, Usage, Volume,
};
use once_app::{ImageRef, Machine, Namespace};

/// For so long the clock of an answer passes for the engine's own; a command that asks twice then asks once.
const FRESH: Duration = Duration::from_secs(1);

type Result<T> = std::result::Result<T, EngineError>;

impl Docker {
    /// What does not change while we are connected: its clock is that of the first answer.
    pub(super) async fn about(&self) -> Result<&EngineInfo> {
        self.first_answer().await.map(|(info, _)| info)
    }

    async fn first_answer(&self) -> Result<&(EngineInfo, Instant)> {
        self.info.get_or_try_init(async || Ok((self.ask_about().await?, Instant::now()))).await
    }

    async fn ask_about(&self) -> Result<EngineInfo> {
        let call = Call::new("tell", "about itself");
        let found = self.client.ask(call.clone(), self.client.api.info()).await?;
        let name = required(found.name, "Name", &call)?;
        // A socket may lead elsewhere (a forwarded one, a virtual machine, another container's view of the host).
        let here = rustix::system::uname();
        let same = |text: &std::ffi::CStr, other: &str| text.to_str().is_ok_and(|text| text == other);
        let same_kernel = found.kernel_version.as_deref().is_some_and(|kernel| same(here.release(), kernel));
        Ok(EngineInfo {
            id: required(found.id, "ID", &call)?,
            local: self.on_this_machine && same_kernel && same(here.nodename(), &name),
            name,
            version: required(found.server_version, "ServerVersion", &call)?,
            api: self.client.api.client_version().to_string(),
            os: required(found.os_type, "OSType", &call)?,
            // The kernel's word here, Go's elsewhere in the engine.
            arch: match found.architecture.as_deref() {
                Some("x86_64") => go_arch("x86_64").to_owned(),
                Some("aarch64") => go_arch("aarch64").to_owned(),
                other => other.unwrap_or_default().to_owned(),
            },
            cpus: found.ncpu.and_then(|count| count.try_into().ok()).unwrap_or_default(),
            memory: found.mem_total.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
            root_dir: found.docker_root_dir.unwrap_or_default(),
            address: self.client.address.to_string(),
            time: found.system_time.and_then(|text| text.to_string().parse().ok()),
        })
    }
}

#[async_trait]
impl Engine for Docker {
    async fn info(&self) -> Result<EngineInfo> {
        let (info, asked) = self.first_answer().await?;
        if asked.elapsed() < FRESH { Ok(info.clone()) } else { self.ask_about().await }
    }

    async fn containers(&self, namespace: &Namespace) -> Result<Vec<Container>> {
        self.list(Some(labels::filter(namespace))).await
    }

    async fn all_containers(&self) -> Result<Vec<Container>> {
        self.list(None).await
    }

    async fn container(&self, id: &str) -> Result<Option<ContainerDetail>> {
        self.look(id).await
    }

    async fn origin(&self, id: &str) -> Result<Option<Origin>> {
        self.origin_of(id).await
    }

    async fn set_restart(&self, id: &str, restart: Restart) -> Result<()> {
        self.start_again(id, restart).await
    }

    async fn read_file(&self, id: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        self.file_in(id, path, most).await
    }

    async fn tree(&self, id: &str, path: &str, most: usize) -> Result<Option<BTreeMap<String, String>>> {
        self.tree_in(id, path, most).await
    }

    async fn give(&self, id: &str, path: &str, user: u32, group: u32) -> Result<bool> {
        self.give_directory(id, path, (user, group)).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String> {
        self.make(spec).await
    }

    async fn start(&self, id: &str) -> Result<()> {
        self.run(id).await
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<()> {
        self.halt(id, grace).await
    }

    async fn remove(&self, id: &str) -> Result<()> {
        self.discard(id).await
    }

    async fn wait(&self, id: &str) -> Result<i64> {
        self.until_ended(id).await
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>> {
        self.image_named(reference).await
    }

    async fn registry_digest(&self, image: &ImageRef) -> Result<String> {
        self.digest_in_registry(image).await
    }

    fn pull<'a>(&'a self, image: &'a ImageRef, idle: Duration) -> BoxStream<'a, Result<PullProgress>> {
        self.pulling(image, idle)
    }

    async fn own_hash(&self) -> Result<String> {
        self.binary_hash().await
    }

    async fn own_digest(&self) -> Result<String> {
        self.check_platform().await?;
        self.binary_digest().await
    }

    async fn own_bytes(&self, offset: u64, most: usize) -> Result<Vec<u8>> {
        self.binary_bytes(offset, most).await
    }

    async fn load_own(&self, image: &OwnImage) -> Result<()> {
        self.load_binary(image).await
    }

    async fn remove_image(&self, id: &str) -> Result<bool> {
        self.drop_image(id).await
    }

    async fn ensure_network(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<()> {
        self.network_or_new(name, labels).await
    }

    async fn has_network(&self, name: &str) -> Result<bool> {
        Ok(!self.networks_named(name).await?.is_empty())
    }

    async fn network_labels(&self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let found = self.networks_named(name).await?.into_iter().next();
        Ok(found.map(|network| network.labels.unwrap_or_default().into_iter().collect()))
    }

    async fn join_network(&self, network: &str, container: &str) -> Result<()> {
        self.join(network, container).await
    }

    async fn leave_network(&self, network: &str, container: &str) -> Result<()> {
        self.leave(network, container).await
    }

    async fn remove_network(&self, name: &str) -> Result<()> {
        self.drop_network(name).await
    }

    async fn volumes(&self, namespace: &Namespace) -> Result<Vec<Volume>> {
        self.volumes_of(namespace).await
    }

    async fn volume(&self, name: &str) -> Result<Option<Volume>> {
        self.volume_named(name).await
    }

    async fn ensure_volume(&self, name: &str, labels: &BTreeMap<String, String>) -> Result<bool> {
        self.volume_or_new(name, labels).await
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.drop_volume(name).await
    }

    async fn exec(&self, spec: &ExecSpec) -> Result<Box<dyn ExecSession>> {
        self.session(spec).await
    }

    fn logs(&self, container: &str, query: LogQuery) -> BoxStream<'static, Result<LogLine>> {
        logs::lines(self.client.clone(), container, &query)
    }

    fn stats(&self, container: &str) -> BoxStream<'static, Result<Usage>> {
        stats::usages(self.client.clone(), container)
    }

    async fn usage(&self, containers: &[String]) -> HashMap<String, Usage> {
        if !self.about().await.is_ok_and(|info| info.local) {
            return HashMap::new();
        }
        let cgroups = || self.cgroups.lock().unwrap_or_else(PoisonError::into_inner);
        if cgroups().is_new_to(containers) {
            cgroups().usage(containers, Instant::now());
            tokio::time::sleep(FIRST_SAMPLE).await;
        }
        cgroups().usage(containers, Instant::now())
    }

    async fn host_usage(&self) -> Option<HostUsage> {
        self.measure_host().await
    }

    async fn has_host_path(&self, path: &str) -> Option<bool> {
        if !self.about().await.ok()?.local {
            return None;
        }
        match tokio::fs::metadata(path).await {
            Ok(_) => Some(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(false),
            // The engine may see what this user may not.
            Err(_) => None,
        }
    }

    async fn stored(&self) -> Result<Stored> {
        self.count().await
    }

    async fn volume_sizes(&self) -> Option<BTreeMap<String, u64>> {
        self.measure_volumes().await
    }

    async fn machine(&self) -> Option<Machine> {
        self.look_at_machine().await
    }

    fn events(&self, namespace: &Namespace) -> BoxStream<'static, Result<EngineEvent>> {
        events::of_containers(self.client.clone(), namespace)
    }
}
