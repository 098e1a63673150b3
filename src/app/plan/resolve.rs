//! Which image is meant, exactly: a digest, asked of the registry before anything is pulled.

use std::time::Duration;

use futures_util::StreamExt;

use crate::model::image::{ImageRef, ResolvedImage};
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::model::units::in_words;
use crate::ports::engine::{Engine, EngineError, Image, PullProgress};
use crate::progress::event::{Outcome, Step};
use crate::progress::journal::Journal;
use crate::request::change::Pull;

/// A registry that says nothing for this long is taken as gone.
const REGISTRY_TIMEOUT: Duration = Duration::from_secs(20);

/// A pull without a further piece for this long has stalled.
const PULL_IDLE: Duration = Duration::from_secs(30);

#[derive(Clone)]
/// What an image reference stands for, and whether it has to be pulled first.
pub(crate) struct Resolved {
    pub(crate) image: ResolvedImage,
    pub(crate) pull: Option<ImageRef>,
}

/// The digest stays where no image is given, whatever its tag says now.
pub(crate) async fn resolve(
    engine: &dyn Engine,
    given: Option<&ImageRef>,
    serving: Option<&Release>,
    policy: Pull,
    journal: &Journal,
) -> Result<Resolved, Problem> {
    match (given, serving) {
        (Some(image), _) => resolve_given(engine, image, policy, journal).await,
        (None, Some(release)) => pinned(engine, release).await,
        (None, None) => Err(Problem::rejected("image-missing", "a new app needs an image")),
    }
}

/// The image of a release, as it was: on the engine, or pulled again by its digest.
pub(crate) async fn pinned(engine: &dyn Engine, release: &Release) -> Result<Resolved, Problem> {
    if engine.image(&release.image.id).await?.is_some() {
        return Ok(Resolved { image: release.image.clone(), pull: None });
    }
    let Some(reference) = by_digest(release)? else {
        let message = format!("the image of release {} only existed on this engine, and is gone", release.number);
        return Err(
            Problem::new(Outcome::Environment, "image-gone", message).hint("build or load it again, then deploy it")
        );
    };
    Ok(Resolved { image: release.image.clone(), pull: Some(reference) })
}

/// What to ask a registry for; `None`: no registry has ever been asked.
fn by_digest(release: &Release) -> Result<Option<ImageRef>, Problem> {
    let Some(digest) = &release.image.digest else { return Ok(None) };
    let reference = format!("{}@{digest}", release.settings.image.repository());
    let parsed = reference.parse();
    parsed.map(Some).map_err(|_| Problem::rejected("invalid-image", format!("invalid image `{reference}`")))
}

/// Whether the registry has a release's image now: an image built on the engine may have a digest, too.
pub(crate) async fn is_in_registry(engine: &dyn Engine, release: &Release) -> bool {
    let Ok(Some(reference)) = by_digest(release) else { return false };
    matches!(tokio::time::timeout(REGISTRY_TIMEOUT, engine.registry_digest(&reference)).await, Ok(Ok(_)))
}

async fn resolve_given(
    engine: &dyn Engine,
    image: &ImageRef,
    policy: Pull,
    journal: &Journal,
) -> Result<Resolved, Problem> {
    let local = engine.image(&image.canonical()).await?;
    let here = |local: &Image| Resolved { image: on_engine(image, local), pull: None };
    match (&local, policy) {
        (Some(local), Pull::Never) => return Ok(here(local)),
        (None, Pull::Never) => {
            let message = format!("the engine has no {image}, and `--pull never` forbids to fetch it");
            return Err(Problem::new(Outcome::Environment, "no-such-image", message));
        }
        // Never pulled and never pushed: it only exists here, so there is no registry to ask.
        (Some(local), Pull::Auto) if local.repo_digests.is_empty() => return Ok(here(local)),
        _ => {}
    }
    let digest = match image.digest() {
        Some(digest) => Ok(digest.to_owned()),
        None => match tokio::time::timeout(REGISTRY_TIMEOUT, engine.registry_digest(image)).await {
            Ok(answer) => answer,
            Err(_) => Err(EngineError::RegistryUnreachable {
                image: image.to_string(),
                message: format!("no answer within {}", in_words(REGISTRY_TIMEOUT)),
            }),
        },
    };
    match (digest, local) {
        (Ok(digest), Some(local)) if digest_of(image, &local).as_deref() == Some(&digest) => Ok(here(&local)),
        (Ok(digest), _) => {
            let image_now = ResolvedImage { digest: Some(digest), id: String::new() };
            Ok(Resolved { image: image_now, pull: Some(image.clone()) })
        }
        (Err(error), Some(local)) if policy == Pull::Auto && may_use_local(image, &error) => {
            journal.warn("registry-not-asked", format!("{error}; the copy the engine has is used"));
            Ok(here(&local))
        }
        (Err(error), local) => Err(unresolved(error, local.is_some())),
    }
}

/// Why an image's digest is not known, with what to do.
fn unresolved(error: EngineError, has_copy: bool) -> Problem {
    let is_out_of_reach = matches!(error, EngineError::RegistryUnreachable { .. });
    let problem = Problem::from(error);
    if is_out_of_reach && has_copy { problem.hint("`--pull never` uses the copy the engine has") } else { problem }
}

/// Offline with a local copy: use it. A name without a registry that no registry knows was built here.
fn may_use_local(image: &ImageRef, error: &EngineError) -> bool {
    match error {
        EngineError::RegistryUnreachable { .. } | EngineError::TimedOut { .. } => true,
        EngineError::NoSuchImage { .. } | EngineError::Unauthorised { .. } => image.registry().is_none(),
        _ => false,
    }
}

fn on_engine(image: &ImageRef, local: &Image) -> ResolvedImage {
    ResolvedImage { digest: digest_of(image, local), id: local.id.clone() }
}

/// The digest an image on the engine has in the reference's repository.
fn digest_of(image: &ImageRef, local: &Image) -> Option<String> {
    let named =
        |repository: &str| repository == image.repository() || hub_name(repository) == hub_name(image.repository());
    local.repo_digests.iter().find_map(|d| d.split_once('@').filter(|(r, _)| named(r)).map(|(_, d)| d.to_owned()))
}

/// Docker Hub's names have several spellings.
fn hub_name(repository: &str) -> &str {
    let rest = repository.strip_prefix("docker.io/").unwrap_or(repository);
    rest.strip_prefix("library/").unwrap_or(rest)
}

/// Pulls what has to be pulled; the image as it is on the engine then.
pub(crate) async fn pull(
    engine: &dyn Engine,
    resolved: &Resolved,
    journal: &Journal,
) -> Result<(ResolvedImage, String), Problem> {
    let Some(reference) = &resolved.pull else {
        return Ok((resolved.image.clone(), format!("nothing to pull, {} is here", resolved.image.short())));
    };
    let mut last = PullProgress::default();
    let mut progress = engine.pull(reference, PULL_IDLE);
    while let Some(item) = progress.next().await {
        last = item?;
        let amount = (last.bytes > 0).then_some((last.bytes_done, last.bytes));
        journal.progress(Step::Pull, format!("{} of {} layers", last.layers_done, last.layers), amount);
    }
    drop(progress);
    let local = engine.image(&reference.canonical()).await?.ok_or_else(|| {
        Problem::new(
            Outcome::Environment,
            "pull-incomplete",
            format!("{reference} was pulled, yet the engine does not have it"),
        )
    })?;
    let mut image = on_engine(reference, &local);
    // A registry behind a mirror may leave no digest of this repository; then what was asked for stands.
    image.digest = image.digest.or_else(|| resolved.image.digest.clone());
    let detail = format!("{} layers, {} MB, {}", last.layers, last.bytes / 1_000_000, image.short());
    Ok((image, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_on_the_engine_is_advised_only_where_there_is_one() {
        let error = || EngineError::RegistryUnreachable { image: "acme/shop:9".into(), message: "refused".into() };
        let advises = |has_copy| unresolved(error(), has_copy).hints.iter().any(|hint| hint.contains("--pull never"));
        assert!(!advises(false), "there is nothing to fall back on");
        assert!(advises(true));
        assert!(!unresolved(error(), false).hints.is_empty());
    }
}
