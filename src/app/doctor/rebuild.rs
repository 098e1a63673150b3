//! A record made again from what the engine knows: labels, inspect, images. For when the ledger was lost. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ledger::{AppRecord, Generated, RunState};
use crate::model::image::ResolvedImage;
use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::release::{Caller, Release, ReleaseStatus};
use crate::plan::fingerprint;
use crate::plan::volumes;
use crate::ports::engine::{Container, ContainerDetail, Image};
use crate::settings::{MASK, Secret, Settings};

/// What is known of one release's container.
#[derive(Debug, Clone)]
pub struct Remains {
    /// From the list.
    pub container: Container,
    /// Looked at closely: holds the secrets.
    pub detail: ContainerDetail,
    /// Its image, where the engine still has it.
    pub image: Option<Image>,
    /// The settings of its labels, parsed; `None`: the label is missing or cannot be read.
    pub settings: Option<Settings>,
}

/// Why no record can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// No container carries the app's labels.
    #[error("no container of the app has readable labels")]
    Nothing,
    /// The containers are of different apps.
    #[error("the containers belong to different apps: {0} and {1}")]
    Mixed(AppName, AppName),
}

/// A record made again, and what could not be.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// The record.
    pub record: AppRecord,
    /// What is missing from it, in sentences.
    pub lost: Vec<String>,
}

/// Makes the record of one app. The newest container that runs serves; where none does, the newest of all.
///
/// `op` marks the releases as made by this change, `fresh` stands in for generated secrets that no container holds.
///
/// # Errors
/// There is nothing to make it from.
pub fn rebuild(
    mut remains: Vec<Remains>,
    op: &OpId,
    by: &Caller,
    now: Timestamp,
    fresh: Generated,
) -> Result<Rebuilt, RebuildError> {
    remains.sort_by_key(|r| r.container.identity.as_ref().and_then(|i| i.release));
    let (name, id) = identity(&remains)?;
    let newest = |runs: bool| remains.iter().rev().find(|r| r.settings.is_some() && (!runs || r.container.running));
    let serving = newest(true).or_else(|| newest(false)).ok_or(RebuildError::Nothing)?;
    let number = serving.container.identity.as_ref().and_then(|i| i.release).ok_or(RebuildError::Nothing)?;
    let mut lost = Vec::new();
    let closed = fresh.secret_key_base.clone();
    let generated = generated(serving, fresh, &mut lost);
    let mut record = AppRecord::new(id, name, generated, oldest(&remains).unwrap_or(now));
    for part in &remains {
        let Some(of) = part.container.identity.as_ref().and_then(|i| i.release) else { continue };
        match release(part, of, of == number, (op, by), &closed, &mut lost) {
            Some(release) => {
                record.own_volumes_of(&release);
                record.releases.push(release);
            }
            None => lost.push(format!("what the container {} was made from is not known", part.container.name)),
        }
    }
    record.next_release = record.releases.iter().map(|r| r.number.0).max().unwrap_or_default() + 1;
    record.serving = Some(number);
    record.state = RunState::Running;
    Ok(Rebuilt { record, lost })
}

fn identity(remains: &[Remains]) -> Result<(AppName, AppId), RebuildError> {
    let mut found: Option<(AppName, AppId)> = None;
    for part in remains {
        let Some(own) = &part.container.identity else { continue };
        let (Some(name), Some(id)) = (&own.app, &own.id) else { continue };
        match &found {
            Some((first, same)) if same != id => return Err(RebuildError::Mixed(first.clone(), name.clone())),
            // The newest container carries the name it goes by now.
            _ => found = Some((name.clone(), id.clone())),
        }
    }
    found.ok_or(RebuildError::Nothing)
}

fn oldest(remains: &[Remains]) -> Option<Timestamp> {
    remains.iter().map(|r| r.container.created_at).min()
}

fn release(
    part: &Remains,
    number: ReleaseNumber,
    serves: bool,
    (op, by): (&OpId, &Caller),
    closed: &Secret,
    lost: &mut Vec<String>,
) -> Option<Release> {
    let settings = with_secrets(part.settings.clone()?, &variables(&part.detail), closed, lost);
    let repository = settings.image.repository();
    let digest = part.image.as_ref().and_then(|image| digest_of(image, repository));
    let port = match &part.image {
        Some(image) => fingerprint::port(&settings, image),
        None => settings.port.unwrap_or(crate::model::units::Port::HTTP),
    };
    let at = part.container.created_at;
    let declared_volumes = volumes::beside(&settings, &part.detail.volumes);
    Some(Release {
        number,
        op: OpId(format!("{op}-{number}")),
        image: ResolvedImage { digest, id: part.detail.image_id.clone() },
        settings,
        container: part.container.name.clone(),
        port,
        created_at: at,
        by: by.clone(),
        revision: None,
        rollback_to: None,
        status: if serves { ReleaseStatus::Serving } else { ReleaseStatus::Replaced { at } },
        took_ms: 1,
        container_kept: true,
        adopted: false,
        declared_volumes,
    })
}

/// The manifest digest an image has in a repository; `None`: it was never there.
pub(crate) fn digest_of(image: &Image, repository: &str) -> Option<String> {
    image.repo_digests.iter().find_map(|full| {
        let (of, digest) = full.split_once('@')?;
        (of == repository || repository.ends_with(&format!("/{of}"))).then(|| digest.to_owned())
    })
}

fn variables(detail: &ContainerDetail) -> BTreeMap<&str, &str> {
    detail.env.iter().filter_map(|pair| pair.split_once('=')).collect()
}

/// Labels name the variables, the container's own environment has their values. What the image or once itself put there
/// is not named, so it is not taken for the app's own.
fn with_secrets(
    mut settings: Settings,
    env: &BTreeMap<&str, &str>,
    closed: &Secret,
    lost: &mut Vec<String>,
) -> Settings {
    settings.env.retain(|key, value| {
        let found = env.get(key.as_str());
        match found {
            Some(found) => value.value = Secret::new((*found).to_owned()),
            None if value.secret => lost.push(format!("the secret {key} is not in its container any more")),
            None => lost.push(format!("the variable {key} is not in its container any more")),
        }
        found.is_some()
    });
    for (user, password) in settings.web.basic_auth.iter_mut().filter(|(_, password)| password.expose() == MASK) {
        // Closed to everybody is mended by one command; open to everybody by none.
        *password = closed.clone();
        lost.push(format!("the password of {user} was only in the ledger: nobody gets in until it is set again"));
    }
    if let Some(smtp) = &mut settings.smtp
        && smtp.password.as_ref().is_some_and(|p| p.expose() == MASK)
    {
        smtp.password = env.get("SMTP_PASSWORD").map(|found| Secret::new((*found).to_owned()));
    }
    settings
}

/// The secrets the app was given, unless variables of its own stood in their place.
fn generated(serving: &Remains, fresh: Generated, lost: &mut Vec<String>) -> Generated {
    let env = variables(&serving.detail);
    let own = |key: &str| serving.settings.as_ref().is_some_and(|s| s.env.keys().any(|k| k.as_str() == key));
    let find = |key: &str| env.get(key).filter(|_| !own(key)).map(|value| (*value).to_owned());
    let keys = (find("SECRET_KEY_BASE"), find("VAPID_PUBLIC_KEY"), find("VAPID_PRIVATE_KEY"));
    if let (Some(base), Some(public), Some(private)) = keys {
        return Generated {
            secret_key_base: Secret::new(base),
            vapid_public_key: public,
            vapid_private_key: Secret::new(private),
        };
    }
    lost.push("some generated secrets are new: variables of the app's own stood in their place".to_owned());
    let (base, public, private) = (find("SECRET_KEY_BASE"), find("VAPID_PUBLIC_KEY"), find("VAPID_PRIVATE_KEY"));
    let pair = public.zip(private);
    let (vapid_public_key, vapid_private_key) = match pair {
        Some((public, private)) => (public, Secret::new(private)),
        None => (fresh.vapid_public_key, fresh.vapid_private_key),
    };
    Generated { secret_key_base: base.map_or(fresh.secret_key_base, Secret::new), vapid_public_key, vapid_private_key }
}

#[cfg(test)]
mod tests;
