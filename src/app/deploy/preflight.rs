//! What would fail once a container is made or started, looked for before anything is made: by a plan and by the change.

use crate::model::problem::Problem;
use crate::ports::engine::{Engine, EngineInfo};
use crate::progress::event::Outcome;
use crate::settings::{MountSource, Settings};

/// A swap needs room for a container layer and its log; below this the engine itself gets into trouble.
const DISK_RESERVE: u64 = 128 << 20;

/// Looks for what the settings ask of the engine and it does not have: networks, paths of the host, processors, room on
/// its disk. Makes nothing.
///
/// # Errors
/// `rejected` with what is missing, or `environment` where the engine has no room or does not answer.
pub(crate) async fn preflight(engine: &dyn Engine, settings: &Settings) -> Result<(), Problem> {
    for network in &settings.networks {
        if !engine.has_network(network).await? {
            return Err(Problem::rejected("no-such-network", format!("the engine has no network `{network}`"))
                .hint(format!("`docker network create {network}`")));
        }
    }
    host_paths(engine, settings).await?;
    processors(&engine.info().await?, settings)?;
    if let Some(host) = engine.host_usage().await
        && host.disk_total > 0
        && host.disk_total.saturating_sub(host.disk) < DISK_RESERVE
    {
        let free = host.disk_total.saturating_sub(host.disk) >> 20;
        let message = format!("the engine's disk has only {free} MB left");
        return Err(Problem::new(Outcome::Environment, "disk-full", message)
            .hint("`docker system df` shows what takes the space; `docker image prune` frees unused images"));
    }
    Ok(())
}

/// The engine makes no directory for a mount, so that a mistyped path does not become an empty one. Where the engine is on
/// another machine, only making the container tells.
async fn host_paths(engine: &dyn Engine, settings: &Settings) -> Result<(), Problem> {
    for source in settings.volumes.values() {
        let MountSource::Host { path, .. } = source else { continue };
        if engine.has_host_path(path).await == Some(false) {
            return Err(Problem::rejected("no-such-host-path", format!("the engine's host has no {path}"))
                .hint(format!("`mkdir -p {path}` on the host, if it is the right path")));
        }
    }
    Ok(())
}

fn processors(engine: &EngineInfo, settings: &Settings) -> Result<(), Problem> {
    let Some(cpus) = settings.cpus.filter(|cpus| cpus.nanos() > i64::from(engine.cpus) * 1_000_000_000) else {
        return Ok(());
    };
    let has = match engine.cpus {
        // An engine that does not say how many it has refuses by itself.
        0 => return Ok(()),
        1 => "1 processor".to_owned(),
        many => format!("{many} processors"),
    };
    Err(Problem::rejected("too-many-cpus", format!("`--cpus {cpus}` is more than the engine has: {has}")))
}

/// Whether the engine can run what is made for this platform.
///
/// # Errors
/// `environment`: it cannot.
pub(crate) async fn platform(engine: &dyn Engine, settings: &Settings, os: &str, arch: &str) -> Result<(), Problem> {
    let engine = engine.info().await?;
    if os == engine.os && arch == engine.arch {
        return Ok(());
    }
    let message = format!("{} is made for {os}/{arch}, the engine runs {}/{}", settings.image, engine.os, engine.arch);
    let problem = Problem::new(Outcome::Environment, "wrong-platform", message);
    Err(Problem { retryable: false, ..problem }
        .hint(format!("build it with `--platform {}/{}`", engine.os, engine.arch)))
}
