//! Volumes.

use once_app::engine::{ContainerSpec, EngineError, MountSpec, OwnImage, Role};
use once_app::is_anonymous;

use crate::ground::Ground;
use crate::support::bed;

pub fn on_volume(on: &Ground<'_>, what: &str, words: &str) -> ContainerSpec {
    let mounts = vec![MountSpec::Volume { name: on.name("data"), target: "/data".into() }];
    ContainerSpec { mounts, ..on.spec(what, words) }
}

pub async fn made(on: &Ground<'_>) -> String {
    let name = on.name("data");
    assert!(on.engine.ensure_volume(&name, &on.labels("data", &[("once.app", "shop")])).await.unwrap());
    name
}

pub async fn a_volume_is_made_once(on: Ground<'_>) {
    let name = made(&on).await;
    assert!(!on.engine.ensure_volume(&name, &on.labels("web", &[])).await.unwrap());
    let volume = on.engine.volume(&name).await.unwrap().unwrap();
    assert_eq!((volume.name, volume.identity.unwrap().role), (name, Role::Data), "the first labels stay");
    assert!(volume.mountpoint.starts_with('/'), "{}", volume.mountpoint);
}

pub async fn volumes_are_listed_by_namespace(on: Ground<'_>) {
    let name = made(&on).await;
    on.engine.ensure_volume(&on.name("other"), &[].into()).await.unwrap();
    let volumes = on.engine.volumes(on.namespace).await.unwrap();
    assert_eq!(volumes.iter().map(|volume| &volume.name).collect::<Vec<_>>(), [&name]);
    assert_eq!(volumes[0].identity.as_ref().unwrap().app, "shop".parse().ok());
}

pub async fn an_absent_volume_is_none(on: Ground<'_>) {
    assert_eq!(on.engine.volume(&on.name("nothing")).await.unwrap(), None);
}

pub async fn removing_a_volume_twice_is_fine(on: Ground<'_>) {
    let name = made(&on).await;
    on.engine.remove_volume(&name).await.unwrap();
    on.engine.remove_volume(&name).await.unwrap();
    assert_eq!(on.engine.volume(&name).await.unwrap(), None);
}

pub async fn a_volume_in_use_is_a_conflict(on: Ground<'_>) {
    let name = made(&on).await;
    on.engine.create(&on_volume(&on, "a", "wait")).await.unwrap();
    let error = on.engine.remove_volume(&name).await.unwrap_err();
    assert!(matches!(error, EngineError::Conflict { .. }), "{error:?}");
}

pub async fn data_outlives_its_container(on: Ground<'_>) {
    made(&on).await;
    let writer = on.engine.create(&on_volume(&on, "a", "write /data/x kept")).await.unwrap();
    on.engine.start(&writer).await.unwrap();
    assert_eq!(on.engine.wait(&writer).await.unwrap(), 0);
    on.engine.remove(&writer).await.unwrap();
    let reader = on.engine.create(&on_volume(&on, "b", "wait")).await.unwrap();
    on.engine.start(&reader).await.unwrap();
    assert_eq!(on.exec(&reader, "read /data/x").await.0.trim(), "kept");
}

/// An image that declares these paths, and a container of it.
async fn declaring(on: &Ground<'_>, volumes: &[&str], mounts: Vec<MountSpec>) -> String {
    let volumes = volumes.iter().map(|path| (*path).to_owned()).collect();
    let image = OwnImage { volumes, ..bed::own_image(on.namespace, "declares") };
    on.engine.load_own(&image).await.unwrap();
    let found = on.engine.image(&image.tag).await.unwrap().unwrap();
    assert_eq!(found.volumes, image.volumes);
    let spec = ContainerSpec { image: image.tag, mounts, ..on.spec("declares", "write /data/x kept") };
    let id = on.engine.create(&spec).await.unwrap();
    on.engine.start(&id).await.unwrap();
    on.engine.wait(&id).await.unwrap();
    id
}

/// The engine's default is to throw it away with the container; it may be the only copy of somebody's data.
pub async fn a_declared_path_gets_an_anonymous_volume_that_outlives_its_container(on: Ground<'_>) {
    let id = declaring(&on, &["/data"], vec![]).await;
    let mounted = on.engine.container(&id).await.unwrap().unwrap().volumes;
    let volume = mounted["/data"].clone();
    assert!(is_anonymous(&volume), "{volume}");
    on.engine.remove(&id).await.unwrap();
    assert!(on.engine.volume(&volume).await.unwrap().is_some());
    let mounts = vec![MountSpec::Volume { name: volume.clone(), target: "/data".into() }];
    let reader = on.engine.create(&ContainerSpec { mounts, ..on.spec("reader", "wait") }).await.unwrap();
    on.engine.start(&reader).await.unwrap();
    assert_eq!(on.exec(&reader, "read /data/x").await.0.trim(), "kept");
    on.engine.remove(&reader).await.unwrap();
    on.engine.remove_volume(&volume).await.unwrap();
}

pub async fn a_volume_that_is_mounted_on_a_declared_path_is_the_only_one(on: Ground<'_>) {
    let name = made(&on).await;
    let at = |target: &str| MountSpec::Volume { name: name.clone(), target: target.into() };
    let id = declaring(&on, &["/data/", "/other"], vec![at("/data"), at("/other")]).await;
    let mounted = on.engine.container(&id).await.unwrap().unwrap().volumes;
    let expected = ["/data", "/other"].map(|path| (path.to_owned(), name.clone()));
    assert_eq!(mounted.into_iter().collect::<Vec<_>>(), expected, "no anonymous one beside it");
    on.engine.remove(&id).await.unwrap();
}
