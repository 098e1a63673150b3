//! Containers of whatever origin: how they were made, and what little can be changed while they run.

use std::collections::BTreeMap;
use std::io::Read as _;

use bollard::models::{
    ContainerConfig, ContainerUpdateBody, HostConfig, ImageConfig, MountPoint, RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, InspectContainerOptions, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt as _;
use sha2::Digest as _;

use super::call::{Call, optional, required};
use super::connect::Docker;
use super::inspect;
use once_app::MountSource;
use once_app::engine::{EngineError, Origin, Restart};

type Result<T> = std::result::Result<T, EngineError>;

/// Room for the header and the padding around a file in an archive.
const FRAME: usize = 16 << 10;

impl Docker {
    pub(super) async fn origin_of(&self, id: &str) -> Result<Option<Origin>> {
        let call = Call::container("inspect", id);
        let request = self.client.api.inspect_container(id, None::<InspectContainerOptions>);
        let Some(found) = optional(self.client.ask(call.clone(), request).await)? else { return Ok(None) };
        let detail = inspect::detailed(found.clone(), &call)?;
        let config = required(found.config, "Config", &call)?;
        let host = found.host_config.unwrap_or_default();
        let image = Call::new("inspect", format!("image {}", detail.image_id));
        let request = self.client.api.inspect_image(&detail.image_id);
        let image = optional(self.client.ask(image, request).await)?.and_then(|image| image.config).unwrap_or_default();
        let mode = host.network_mode.clone().unwrap_or_default();
        let shared = mode == "host" || mode == "none" || mode.starts_with("container:");
        let (mounts, mut beyond) = mounts(found.mounts.unwrap_or_default());
        beyond.extend(options(&config, &image, &host));
        Ok(Some(Origin {
            env: own_variables(&detail.env, image.env.as_deref().unwrap_or_default()),
            image: config.image.clone().unwrap_or_default(),
            mounts,
            networks: detail.networks.into_keys().collect(),
            shared_network: shared.then_some(mode),
            stop_timeout: config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok()),
            beyond,
            id: detail.id,
            name: detail.name,
            image_id: detail.image_id,
            running: detail.running,
            labels: detail.labels,
            memory: detail.memory,
            nano_cpus: detail.nano_cpus,
            published: detail.ports,
        }))
    }

    pub(super) async fn start_again(&self, id: &str, restart: Restart) -> Result<()> {
        let name = match restart {
            Restart::No => RestartPolicyNameEnum::NO,
            Restart::UnlessStopped => RestartPolicyNameEnum::UNLESS_STOPPED,
        };
        let policy = RestartPolicy { name: Some(name), maximum_retry_count: None };
        let body = ContainerUpdateBody { restart_policy: Some(policy), ..ContainerUpdateBody::default() };
        let call = Call::container("change the restart policy of", id);
        self.client.order(call, self.client.api.update_container(id, body)).await.map(|_| ())
    }

    pub(super) async fn file_in(&self, id: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let call = Call::container("read a file of", id);
        let Some(archive) = self.archive_of(&call, id, path, most).await? else { return Ok(None) };
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut entries = archive.entries().map_err(|error| unreadable(&call, &error.to_string()))?;
        let Some(Ok(mut entry)) = entries.next() else { return Ok(None) };
        if !entry.header().entry_type().is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| unreadable(&call, &error.to_string()))?;
        // The archive had room for more than the file may have.
        if bytes.len() > most {
            return Err(too_large(&call, path, most));
        }
        Ok(Some(bytes))
    }

    pub(super) async fn tree_in(&self, id: &str, path: &str, most: usize) -> Result<Option<BTreeMap<String, String>>> {
        let call = Call::container("read the files of", id);
        let Some(archive) = self.archive_of(&call, id, path, most).await? else { return Ok(None) };
        let mut archive = tar::Archive::new(archive.as_slice());
        let broken = |error: std::io::Error| unreadable(&call, &error.to_string());
        let mut found = BTreeMap::new();
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            // The directory itself is the first part of each name.
            let name = entry.path().map_err(broken)?.components().skip(1).collect::<std::path::PathBuf>();
            if name.as_os_str().is_empty() {
                continue;
            }
            let link = entry.link_name().map_err(broken)?.map(|to| to.display().to_string()).unwrap_or_default();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            let kind = entry.header().entry_type();
            let print = format!("{kind:?} {link} {}", super::address::hex(&sha2::Sha256::digest(&bytes)));
            found.insert(name.display().to_string(), print);
        }
        Ok(Some(found))
    }

    pub(super) async fn give_directory(&self, id: &str, path: &str, (user, group): (u32, u32)) -> Result<bool> {
        let call = Call::container("look at a directory of", id);
        let archive = match self.archive_of(&call, id, path, FRAME).await {
            Ok(Some(archive)) => archive,
            // More than an empty directory takes.
            Ok(None) | Err(EngineError::Failed { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let given = given(&archive, name, (user, group)).map_err(|error| unreadable(&call, &error.to_string()))?;
        let Some(given) = given else { return Ok(false) };
        let parent = if parent.is_empty() { "/" } else { parent };
        let options = UploadToContainerOptionsBuilder::new().path(parent).build();
        let request = self.client.api.upload_to_container(id, Some(options), bollard::body_full(given.into()));
        self.client.order(Call::container("give a directory in", id), request).await?;
        Ok(true)
    }

    /// A path of a container as the engine packs it; `None`: there is none.
    async fn archive_of(&self, call: &Call, id: &str, path: &str, most: usize) -> Result<Option<Vec<u8>>> {
        let options = DownloadFromContainerOptionsBuilder::new().path(path).build();
        let mut pieces = std::pin::pin!(self.client.api.download_from_container(id, Some(options)));
        let mut archive = Vec::new();
        let all = async {
            while let Some(piece) = pieces.next().await {
                archive.extend_from_slice(&piece?);
                if archive.len() > most + FRAME {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match optional(self.client.ask(call.clone(), all).await)? {
            None => Ok(None),
            Some(true) => Ok(Some(archive)),
            Some(false) => Err(too_large(call, path, most)),
        }
    }
}

/// The archive of an empty directory of root's, as one of another owner's; `None`: it is something else.
fn given(archive: &[u8], name: &str, (user, group): (u32, u32)) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?;
    let Some(directory) = entries.next().transpose()? else { return Ok(None) };
    let mut header = directory.header().clone();
    if !header.entry_type().is_dir() || header.uid()? != 0 || entries.next().is_some() {
        return Ok(None);
    }
    header.set_uid(user.into());
    header.set_gid(group.into());
    let mut given = tar::Builder::new(Vec::new());
    given.append_data(&mut header, format!("{name}/"), std::io::empty())?;
    given.into_inner().map(Some)
}

fn too_large(call: &Call, path: &str, most: usize) -> EngineError {
    unreadable(call, &format!("{path} is larger than {most} bytes"))
}

fn unreadable(call: &Call, why: &str) -> EngineError {
    EngineError::Failed { what: call.what(), message: why.to_owned() }
}

fn own_variables(all: &[String], of_image: &[String]) -> Vec<(String, String)> {
    let own = all.iter().filter(|pair| !of_image.contains(pair));
    own.filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn mounts(points: Vec<MountPoint>) -> (BTreeMap<String, MountSource>, Vec<String>) {
    let mut mounts = BTreeMap::new();
    let mut beyond = Vec::new();
    for point in points {
        let Some(target) = point.destination else { continue };
        let writable = point.rw.unwrap_or(true);
        match (point.typ.as_deref(), point.name, point.source) {
            (Some("volume"), Some(name), _) => {
                if !writable {
                    beyond.push(format!("the volume at {target} is read-only"));
                }
                mounts.insert(target, MountSource::External { name });
            }
            (Some("bind"), _, Some(path)) => {
                mounts.insert(target, MountSource::Host { path, read_only: !writable });
            }
            _ => beyond.push(format!("what is mounted at {target}")),
        }
    }
    (mounts, beyond)
}

/// What a container of ours never has. Values are left out: a command may hold a secret.
fn options(config: &ContainerConfig, image: &ImageConfig, host: &HostConfig) -> Vec<String> {
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let text = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let mode = |text: &Option<String>| text.as_deref().is_some_and(|m| !matches!(m, "" | "private" | "shareable"));
    let facts = [
        (config.cmd.as_deref().unwrap_or_default() != image.cmd.as_deref().unwrap_or_default(), "a command of its own"),
        (
            config.entrypoint.as_deref().unwrap_or_default() != image.entrypoint.as_deref().unwrap_or_default(),
            "an entrypoint of its own",
        ),
        (text(&config.user) && config.user != image.user, "a user of its own"),
        (
            text(&config.working_dir) && config.working_dir.as_deref() != image.working_dir.as_deref().or(Some("/")),
            "a working directory of its own",
        ),
        (host.privileged == Some(true), "all rights over the host (--privileged)"),
        (some(&host.cap_add), "further capabilities"),
        (host.devices.as_ref().is_some_and(|list| !list.is_empty()), "devices of the host"),
        (host.device_requests.as_ref().is_some_and(|list| !list.is_empty()), "graphics processors"),
        (some(&host.extra_hosts), "names of its own in /etc/hosts"),
        (some(&host.dns), "name servers of its own"),
        (some(&host.links), "links to other containers"),
        (host.tmpfs.as_ref().is_some_and(|map| !map.is_empty()), "directories in memory"),
        (host.sysctls.as_ref().is_some_and(|map| !map.is_empty()), "settings of the kernel"),
        (host.ulimits.as_ref().is_some_and(|list| !list.is_empty()), "limits of the kernel (--ulimit)"),
        (mode(&host.pid_mode), "the processes of the host or of another container"),
        (mode(&host.ipc_mode), "the shared memory of the host or of another container"),
        (host.readonly_rootfs == Some(true), "a read-only root file system"),
        (host.pids_limit.is_some_and(|pids| pids > 0), "a limit of processes"),
    ];
    facts.into_iter().filter(|(has, _)| *has).map(|(_, what)| what.to_owned()).collect()
}
