//! Volumes that hold an app's data beside those that its settings name: one for each path that its image declares as
//! `VOLUME` and nothing is mounted on. Without them the engine would give each container an empty anonymous volume there.
//! Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::fingerprint;
use crate::ledger::AppRecord;
use crate::model::name::{AppName, Namespace};
use crate::model::release::Release;
use crate::model::volumes::{DeclaredVolumes, is_anonymous};
use crate::ports::engine::{ContainerDetail, Image};
use crate::settings::{MountSource, Settings, Swap};

/// So many characters of a path's last segment are part of a volume's name, for people.
const SEGMENT: usize = 24;

/// Paths that the image declares as `VOLUME` and that these settings mount nothing on, in order. One below a mounted path
/// is among them: the engine would put an anonymous volume there, too.
#[must_use]
pub(crate) fn unmounted(settings: &Settings, image: &Image) -> Vec<String> {
    let mut paths: Vec<String> = image.volumes.iter().filter_map(|path| clean(path)).collect();
    paths.retain(|path| !has_mount(settings, path));
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Whether the settings mount something there, or leave it to the app's own data volume.
fn has_mount(settings: &Settings, path: &str) -> bool {
    fingerprint::DATA.contains(&path)
        || settings.volumes.keys().any(|target| clean(target.as_str()).as_deref() == Some(path))
}

/// The path as the engine understands it: absolute, without `.`, `..`, double and final slashes; `None`: the root.
fn clean(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| format!("/{}", parts.join("/")))
}

/// The volume that is made for a declared path: `<namespace>-<app>_<last segment>-<6 hex digits of the path's SHA-256>`.
/// No app's name has an underscore, so it is never another app's.
#[must_use]
pub(crate) fn name(namespace: &Namespace, app: &AppName, path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let segment: String = last.chars().map(plain).take(SEGMENT).collect();
    let hash: String = Sha256::digest(path).iter().take(3).map(|byte| format!("{byte:02x}")).collect();
    format!("{namespace}-{app}_{segment}-{hash}")
}

/// The volume in which an app has what it kept at a declared path before; `None`: it never had one there. `serving` is
/// what is mounted in the container of the serving release.
#[must_use]
pub(crate) fn known(record: &AppRecord, serving: &BTreeMap<String, String>, path: &str) -> Option<String> {
    let release = record.serving_release();
    // A volume that the settings named is theirs, and not a declared one's.
    let of_settings = release.is_some_and(|r| has_mount(&r.settings, path));
    if let Some(volume) = serving.get(path).filter(|_| !of_settings) {
        return Some(volume.clone());
    }
    if let Some(volume) = release.and_then(|r| r.declared_volumes.get(path)) {
        return Some(volume.clone());
    }
    let of_releases = record.releases.iter().filter_map(|r| Some((r.number, r.declared_volumes.get(path)?)));
    let owned = record.owned_volumes.iter().filter(|v| v.path == path).map(|v| (v.release, &v.name));
    of_releases.chain(owned).max_by_key(|(number, _)| *number).map(|(_, name)| name.clone())
}

/// What is mounted in a container beside what its settings mount: the volumes of its declared paths.
#[must_use]
pub(crate) fn beside(settings: &Settings, mounted: &BTreeMap<String, String>) -> DeclaredVolumes {
    let declared = mounted.iter().filter(|(path, _)| !has_mount(settings, path));
    declared.map(|(path, volume)| (path.clone(), volume.clone())).collect()
}

/// Whether an app's releases would write to one place that used to be each container's own: two of them must not do so
/// at once unless a person says that they may.
fn shares(settings: &Settings, declared: &DeclaredVolumes) -> bool {
    let anonymous = |source: &MountSource| matches!(source, MountSource::External { name } if is_anonymous(name));
    !declared.is_empty() || settings.volumes.values().any(anonymous)
}

/// How a release with these volumes takes over: by `handover`, unless `overlap` was chosen in words.
#[must_use]
pub(crate) fn swap(settings: &Settings, declared: &DeclaredVolumes) -> Swap {
    match settings.swap {
        Swap::Overlap if !settings.overlap_chosen && shares(settings, declared) => Swap::Handover,
        chosen => chosen,
    }
}

/// What a plan says of these volumes, in sentences. `before`: what held; `None`: a new app. `gone`: by their path, what is
/// said of volumes that were there and are no more.
#[must_use]
pub(crate) fn remarks(
    settings: &Settings,
    declared: &DeclaredVolumes,
    before: Option<&Release>,
    gone: &BTreeMap<String, String>,
) -> Vec<String> {
    let said =
        |(path, volume): (&String, &String)| gone.get(path).cloned().unwrap_or_else(|| kept(path, volume, before));
    let mut said: Vec<String> = declared.iter().map(said).collect();
    if shares(settings, declared) {
        said.push(match (swap(settings, declared), settings.overlap_chosen) {
            (Swap::Overlap, _) => {
                "old and new release run on the same volumes for a moment, as `swap overlap` says: a \
                                   database does not survive that"
                    .to_owned()
            }
            (Swap::Handover, _) => {
                "two releases must not run on these volumes at once, so one hands over to the next: \
                                    requests wait meanwhile, and there is no canary; where two may, `--swap overlap` \
                                    says so"
                    .to_owned()
            }
        });
    }
    said
}

fn kept(path: &str, volume: &str, before: Option<&Release>) -> String {
    let known = before.is_some_and(|r| r.declared_volumes.get(path).is_some_and(|v| v == volume));
    if is_anonymous(volume) {
        return format!("data: {path} is kept in the volume {volume}, which the serving container has there");
    }
    if known {
        return format!("data: {path} is kept in the volume {volume}");
    }
    format!(
        "data: the image declares VOLUME {path}: what is written there is kept in the volume {volume} over releases, and \
         files that an image itself has there come from the first release's"
    )
}

/// Anonymous volumes of a container that the record does not name yet.
#[must_use]
pub(crate) fn unnamed(record: &AppRecord, container: &ContainerDetail) -> Vec<(String, String)> {
    let mounted = |name: &String| {
        let by_settings = |s: &Settings| {
            s.volumes.values().any(|source| matches!(source, MountSource::External { name: known } if known == name))
        };
        record
            .releases
            .iter()
            .any(|r| r.declared_volumes.values().any(|known| known == name) || by_settings(&r.settings))
    };
    let owned = |name: &String| record.owned_volumes.iter().any(|volume| volume.name == *name);
    let anonymous = container.volumes.iter().filter(|(_, name)| is_anonymous(name) && !mounted(name) && !owned(name));
    anonymous.map(|(path, name)| (path.clone(), name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_as_the_engine_reads_it() {
        for (given, read) in [
            ("/data", Some("/data")),
            ("/data/", Some("/data")),
            ("//var//lib/./db/..", Some("/var/lib")),
            ("data", Some("/data")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(clean(given).as_deref(), read, "{given}");
        }
    }

    #[test]
    fn names_tell_the_path_and_are_the_engines() {
        let (namespace, app) = (Namespace::default(), "shop".parse().unwrap());
        let name = |path| super::name(&namespace, &app, path);
        assert_eq!(name("/var/lib/postgresql/data"), "once-shop_data-dc8f97");
        assert_ne!(name("/a/data"), name("/b/data"));
        let odd = name(&format!("/x/ä b{}", "y".repeat(90)));
        assert!(odd.len() < 60 && odd.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{odd}");
        assert!(is_anonymous(&"0a".repeat(32)) && !is_anonymous(&"0A".repeat(32)) && !is_anonymous("once-shop"));
    }
}
