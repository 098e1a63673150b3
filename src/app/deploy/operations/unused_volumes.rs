//! Volumes of an app that never served: they go if they hold nothing but what its image put there, and only then.

use std::collections::BTreeMap;

use crate::deploy::context::Context;
use crate::ledger::AppRecord;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::plan::fingerprint;
use crate::ports::engine::{ContainerSpec, EngineError, MountSpec, Restart};

/// More than this is data, whatever it is, bytes.
const MOST: usize = 16 << 20;

/// Where a volume is looked at: the proxy's image has nothing there that the engine would copy onto it.
const LOOK: &str = "/look";

impl Context<'_> {
    /// Removes those of these volumes that hold nothing but what the image of `release` put there; the others. What cannot
    /// be found out stays.
    pub(in crate::deploy) async fn remove_unused(
        &mut self,
        record: &AppRecord,
        volumes: Vec<String>,
        release: Option<&Release>,
    ) -> Vec<String> {
        let mut kept = Vec::new();
        for volume in volumes {
            match self.remove_if_unused(record, &volume, release).await {
                Ok(true) => {}
                Ok(false) => kept.push(volume),
                Err(problem) => {
                    tracing::debug!("whether {volume} is empty is not known: {problem}");
                    kept.push(volume);
                }
            }
        }
        kept
    }

    async fn remove_if_unused(
        &self,
        record: &AppRecord,
        volume: &str,
        release: Option<&Release>,
    ) -> Result<bool, Problem> {
        let engine = &*self.installation.engine;
        let Some(found) = engine.volume(volume).await? else { return Ok(true) };
        if found.identity.and_then(|i| i.id).is_none_or(|id| id != record.id) {
            return Ok(false);
        }
        let Some(proxy) = engine.container(&self.installation.namespace.proxy()).await? else { return Ok(false) };
        let holds = self.files(record, &proxy.image_id, volume, LOOK).await?;
        if !holds.is_empty() && !self.is_of_image(record, volume, release, &holds).await? {
            return Ok(false);
        }
        engine.remove_volume(volume).await?;
        Ok(true)
    }

    /// Whether the image puts just these files onto a volume that is mounted there.
    async fn is_of_image(
        &self,
        record: &AppRecord,
        volume: &str,
        release: Option<&Release>,
        holds: &BTreeMap<String, String>,
    ) -> Result<bool, Problem> {
        let Some(release) = release else { return Ok(false) };
        let mounts = fingerprint::mounts(self.owner(record), &release.settings, &release.declared_volumes);
        let target = mounts.into_iter().find_map(|mount| match mount {
            MountSpec::Volume { name, target } if name == volume => Some(target),
            _ => None,
        });
        let Some(target) = target else { return Ok(false) };
        let engine = &*self.installation.engine;
        let fresh = format!("{volume}_look-{}", self.job.op.as_str());
        engine.ensure_volume(&fresh, &self.owner(record).labels("data")).await?;
        let of_image = self.files(record, &release.image.id, &fresh, &target).await;
        engine.remove_volume(&fresh).await?;
        Ok(of_image? == *holds)
    }

    /// What a volume holds once it is mounted in a container of an image, which never runs.
    async fn files(
        &self,
        record: &AppRecord,
        image: &str,
        volume: &str,
        target: &str,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let engine = &*self.installation.engine;
        let declared = engine.image(image).await?.map(|image| image.volumes).unwrap_or_default();
        // Everything it declares is on this volume or in the same one: a container that never runs leaves nothing behind.
        let mut mounts = vec![MountSpec::Volume { name: volume.to_owned(), target: target.to_owned() }];
        if declared.iter().any(|path| path.trim_end_matches('/') != target) {
            return self.files_beside(record, image, &mut mounts, &declared, target).await;
        }
        self.look(record, image, mounts, target).await
    }

    /// The same for an image that declares further paths: they get a volume that goes again.
    async fn files_beside(
        &self,
        record: &AppRecord,
        image: &str,
        mounts: &mut Vec<MountSpec>,
        declared: &[String],
        target: &str,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let engine = &*self.installation.engine;
        let mut beside = Vec::new();
        for (n, path) in declared.iter().enumerate().filter(|(_, path)| path.trim_end_matches('/') != target) {
            let name = format!(
                "{}_beside-{}-{n}",
                self.owner(record).namespace.volume(record.volumes_of(), None),
                self.job.op
            );
            engine.ensure_volume(&name, &self.owner(record).labels("data")).await?;
            let target = format!("/{}", path.trim_matches('/'));
            mounts.push(MountSpec::Volume { name: name.clone(), target });
            beside.push(name);
        }
        let files = self.look(record, image, std::mem::take(mounts), target).await;
        for name in beside {
            engine.remove_volume(&name).await?;
        }
        files
    }

    async fn look(
        &self,
        record: &AppRecord,
        image: &str,
        mounts: Vec<MountSpec>,
        target: &str,
    ) -> Result<BTreeMap<String, String>, Problem> {
        let engine = &*self.installation.engine;
        let owner = self.owner(record);
        let spec = ContainerSpec {
            name: format!("{}-look-{}", owner.namespace.volume(owner.app, None), self.job.op),
            image: image.to_owned(),
            command: None,
            entrypoint: None,
            env: Vec::new(),
            labels: owner.labels("task"),
            networks: vec![owner.namespace.network()],
            mounts,
            memory: None,
            nano_cpus: None,
            pids: None,
            publish: Vec::new(),
            publish_local: Vec::new(),
            restart: Restart::No,
            log_max_size: 1 << 20,
            user: None,
            read_only: false,
            drop_capabilities: true,
            init: false,
            stop_timeout: 1,
        };
        let id = engine.create(&spec).await?;
        let files = engine.tree(&id, target, MOST).await;
        engine.remove(&id).await?;
        let absent = || EngineError::Absent { what: format!("the directory {target}") };
        Ok(files?.ok_or_else(absent)?)
    }
}
