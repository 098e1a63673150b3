//! What may hold data, through a change: which volumes a release goes on with, and that none goes with a container.

use std::collections::BTreeMap;

use crate::deploy::context::Context;
use crate::deploy::next_release::Wish;
use crate::host::installation::Installation;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::{AppId, AppName, Namespace, ReleaseNumber};
use crate::model::problem::Problem;
use crate::model::release::{Release, ReleaseStatus};
use crate::model::volumes::{DeclaredVolumes, OwnedVolume, is_anonymous};
use crate::plan::diff;
use crate::plan::fingerprint::{self, Owner};
use crate::plan::volumes;
use crate::ports::engine::{ContainerDetail, Engine, Image, Volume};
use crate::progress::event::Outcome;
use crate::settings::{MountSource, Settings, Swap};

/// Which volume a release has at each path that its image declares and its settings mount nothing on: the one that the
/// app had there before, whoever made it, else one that `name` is part of. `record`: `None` where there is no app yet.
pub(in crate::deploy) async fn declared(
    installation: &Installation,
    record: Option<&AppRecord>,
    name: &AppName,
    settings: &Settings,
    image: &Image,
) -> Result<DeclaredVolumes, Problem> {
    let engine = &*installation.engine;
    let paths = volumes::unmounted(settings, image);
    if paths.is_empty() {
        return Ok(DeclaredVolumes::new());
    }
    let serving = match record.and_then(AppRecord::serving_release) {
        Some(release) => engine.container(&release.container).await?.map(|c| c.volumes).unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let mut found = DeclaredVolumes::new();
    for path in paths {
        let known = record.and_then(|record| volumes::known(record, &serving, &path));
        let volume = match known {
            // The ledger may name one that somebody removed; a volume in use cannot be.
            Some(name) if serving.get(&path) == Some(&name) || engine.volume(&name).await?.is_some() => name,
            _ => volumes::name(&installation.namespace, name, &path),
        };
        found.insert(path, volume);
    }
    Ok(found)
}

/// The same for a plan: an image that is not on the engine yet is taken to declare what the serving one does.
pub(in crate::deploy) async fn planned(
    installation: &Installation,
    record: Option<&AppRecord>,
    name: &AppName,
    settings: &Settings,
    image: Option<&Image>,
) -> Result<DeclaredVolumes, Problem> {
    let name = record.map_or(name, AppRecord::volumes_of);
    let serving = match (image, record.and_then(AppRecord::serving_release)) {
        (None, Some(release)) => installation.engine.image(&release.image.id).await?,
        _ => None,
    };
    match image.or(serving.as_ref()) {
        Some(image) => declared(installation, record, name, settings, image).await,
        None => Ok(DeclaredVolumes::new()),
    }
}

/// Refuses settings and declared paths whose volumes hold the data of another app. `record`: `None` where there is no app
/// of that name yet, so that whatever carries an app's label is another's.
pub(in crate::deploy) async fn check_owner(
    installation: &Installation,
    record: Option<&AppRecord>,
    name: &AppName,
    settings: &Settings,
    declared: &DeclaredVolumes,
) -> Result<(), Problem> {
    let nobody = AppId(String::new());
    let id = record.map_or(&nobody, |record| &record.id);
    let volumes = record.map_or(name, AppRecord::volumes_of);
    let owner = Owner { namespace: &installation.namespace, app: name, id, volumes };
    for name in to_make(owner, settings, declared) {
        if let Some(volume) = installation.engine.volume(&name).await? {
            of_another_app(&volume, id)?;
        }
    }
    Ok(())
}

/// The volumes that a release has to find, or to make. One without a name is there, for it was found there; and one of that
/// name is never made.
pub(in crate::deploy) fn to_make(owner: Owner<'_>, settings: &Settings, declared: &DeclaredVolumes) -> Vec<String> {
    let declared = declared.values().filter(|name| !is_anonymous(name)).cloned();
    fingerprint::volume_names(owner, settings).into_iter().chain(declared).collect()
}

/// Refuses a volume that carries the label of another app than this one.
pub(in crate::deploy) fn of_another_app(volume: &Volume, app: &AppId) -> Result<(), Problem> {
    let theirs = volume.identity.as_ref().and_then(|i| i.id.as_ref());
    if theirs.is_none_or(|id| id == app) {
        return Ok(());
    }
    let name = &volume.name;
    let message = format!("the volume {name} holds the data of another app");
    Err(Problem::new(Outcome::Refused, "volume-of-another-app", message)
        .hint("give the app another name with `--name`")
        .hint("`once doctor` tells whose it is; `once adopt` takes an app back whose record was lost")
        .hint(format!("`docker volume inspect {name}` shows its labels")))
}

/// What is said of each declared path whose volume an earlier release had and the engine has no more.
pub(in crate::deploy) async fn gone(
    engine: &dyn Engine,
    record: Option<&AppRecord>,
    declared: &DeclaredVolumes,
) -> Result<BTreeMap<String, String>, Problem> {
    let mut said = BTreeMap::new();
    for (path, volume) in declared {
        let had = |release: &Release| {
            !matches!(release.status, ReleaseStatus::Failed { .. })
                && release.declared_volumes.values().any(|name| name == volume)
        };
        if record.is_some_and(|r| r.releases.iter().any(had)) && engine.volume(volume).await?.is_none() {
            let text = format!(
                "the volume {volume} is not on the engine any more, and what {path} held is gone with it: an empty one is made"
            );
            said.insert(path.clone(), text);
        }
    }
    Ok(said)
}

/// A remark for each volume that is asked for by a name which a volume of the engine has already, and that would be made.
pub(in crate::deploy) async fn namesakes(
    engine: &dyn Engine,
    namespace: &Namespace,
    record: Option<&AppRecord>,
    name: &AppName,
    settings: &Settings,
) -> Result<Vec<String>, Problem> {
    let app = record.map_or(name, AppRecord::volumes_of);
    let before = record.and_then(|r| r.releases.last()).map(|r| &r.settings.volumes);
    let mut said = Vec::new();
    for (target, source) in &settings.volumes {
        let MountSource::Volume { name } = source else { continue };
        if before.is_some_and(|volumes| volumes.contains_key(target)) {
            continue;
        }
        let own = namespace.volume(app, Some(name));
        if engine.volume(name).await?.is_some() && engine.volume(&own).await?.is_none() {
            said.push(format!(
                "the engine has a volume `{name}` already, and it is not used: {target} gets a new one, {own}; to use that \
                 one: `--volume docker:{name}:{target}`"
            ));
        }
    }
    Ok(said)
}

/// What an app that was removed had beside its data, and does not get back by these settings.
pub(in crate::deploy) fn left_behind(kept: &AppRecord, settings: &Settings) -> Option<String> {
    let served = |r: &&Release| !matches!(r.status, ReleaseStatus::Failed { .. });
    let last = kept.releases.iter().rev().find(served)?;
    let missing = diff::missing(&last.settings, settings);
    let name = &kept.name;
    let data = format!("{name} was removed: its data, generated secrets and history come back");
    Some(match missing.is_empty() {
        true => data,
        false => format!(
            "{data}; what it had beside does not: {}; `once rollback {name}` brings it back as it was",
            missing.join(", ")
        ),
    })
}

/// Whether a container has just these volumes at the declared paths. One that a version before 0.1.1 made has others: what
/// it holds there is as old as the container.
pub(in crate::deploy) fn has_volumes(container: &ContainerDetail, declared: &DeclaredVolumes) -> bool {
    declared.iter().all(|(path, volume)| container.volumes.get(path) == Some(volume))
}

impl Context<'_> {
    /// The settings of a release with these volumes, whose image may have been looked at only now: a handover where two
    /// must not share them.
    pub(in crate::deploy) fn settle_swap(
        &self,
        record: &AppRecord,
        wish: &Wish,
        declared: &DeclaredVolumes,
    ) -> Result<Settings, Problem> {
        let swap = volumes::swap(&wish.settings, declared);
        if swap == wish.settings.swap {
            return Ok(wish.settings.clone());
        }
        let paths: Vec<&str> = declared.keys().map(String::as_str).collect();
        let paths = paths.join(", ");
        if wish.canary.is_some() || record.canary.is_some() {
            let message = format!("the image declares VOLUME {paths}, and two releases must not run on it at once");
            return Err(Problem::new(Outcome::Refused, "canary-handover", message)
                .hint(format!("`once abort {}` ends the canary; then deploy without `--canary`", record.name))
                .hint("if two may share its volumes, `--swap overlap` says so"));
        }
        let text =
            format!("the image declares VOLUME {paths}: one release hands over to the next, requests wait meanwhile");
        self.journal.warn("handover-by-volume", text);
        Ok(Settings { swap: Swap::Handover, ..wish.settings.clone() })
    }

    /// Removes a container of the app. Its volumes stay; anonymous ones, which nothing names once it is gone, are recorded
    /// as the app's before, and said.
    pub(in crate::deploy) async fn take_away(&mut self, record: &AppRecord, id: &str) -> Result<(), Problem> {
        let engine = &*self.installation.engine;
        let Some(container) = engine.container(id).await? else { return Ok(()) };
        let left = volumes::unnamed(record, &container);
        if !left.is_empty() {
            self.keep_volumes(record, &container, left).await?;
        }
        engine.remove(id).await?;
        Ok(())
    }

    /// Writes down whose the anonymous volumes of all containers of the app are, before the containers go; the record
    /// as it is then.
    ///
    /// # Errors
    /// The proxy is older than such a note. Then nothing may go: what is kept in these volumes would be found by nobody.
    pub(in crate::deploy) async fn own_volumes(&mut self, record: AppRecord) -> Result<AppRecord, Problem> {
        let mut own = Vec::new();
        for container in self.containers(&record).await? {
            let Some(container) = self.installation.engine.container(&container.id).await? else { continue };
            let release = record.release_of(&container.name).map_or(ReleaseNumber(0), |r| r.number);
            let left = volumes::unnamed(&record, &container);
            own.extend(left.into_iter().map(|(path, name)| OwnedVolume { name, path, release }));
        }
        let Some(first) = own.first() else { return Ok(record) };
        let place = format!("{} of {}", first.path, record.name);
        match self.apply(Transaction::Own { app: record.id.clone(), volumes: own }).await {
            Ok(applied) => Ok(applied.record.unwrap_or(record)),
            Err(error) => {
                let message =
                    format!("{place} is in a volume without a name, and the proxy cannot write down whose it is");
                let mut problem = Problem::new(Outcome::Refused, "volumes-unrecorded", message).hint(
                    "`once proxy upgrade` puts this version in charge of the proxy, without a gap; then do it again",
                );
                problem.causes.push(error.to_string());
                Err(problem)
            }
        }
    }

    /// Says so where the proxy has not written down which volumes the serving release has: an older one leaves that out.
    pub(in crate::deploy) async fn check_recorded(&self, release: &Release) {
        let Some((path, volume)) = release.declared_volumes.first_key_value() else { return };
        // A record that cannot be read now says nothing about what it holds.
        let Ok(Some(record)) = self.proxy.record(&self.name).await else { return };
        let recorded = record.releases.iter().find(|r| r.number == release.number).map(|r| &r.declared_volumes);
        if recorded.is_some_and(|recorded| *recorded != release.declared_volumes) {
            let text = format!(
                "{path} is kept in the volume {volume}, and the proxy is too old to write that down: `once proxy upgrade` \
                 before the container goes"
            );
            self.journal.warn("volumes-unrecorded", text);
        }
    }

    async fn keep_volumes(
        &mut self,
        record: &AppRecord,
        container: &ContainerDetail,
        left: Vec<(String, String)>,
    ) -> Result<(), Problem> {
        let engine = &*self.installation.engine;
        let serving = match record.serving_release().filter(|r| r.container != container.name) {
            Some(release) => engine.container(&release.container).await?.map(|c| c.volumes).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let labelled = container.labels.get("once.release").and_then(|text| text.parse().ok()).map(ReleaseNumber);
        let release = record.release_of(&container.name).map(|r| r.number).or(labelled).unwrap_or_default();
        let mut own = Vec::new();
        for (path, name) in left.into_iter().filter(|(_, name)| !serving.values().any(|used| used == name)) {
            self.journal.warn(
                "volume-kept",
                format!(
                    "{path} of release {release} was in a volume without a name, {name}: it stays, and goes with `once \
                     remove {} --data`",
                    record.name
                ),
            );
            own.push(OwnedVolume { name, path, release });
        }
        if own.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.apply(Transaction::Own { app: record.id.clone(), volumes: own }).await {
            // An older proxy knows no such change; the volume stays all the same, and its name was said.
            self.journal.warn("volume-unrecorded", format!("it could not be written down whose it is: {error}"));
        }
        Ok(())
    }
}
