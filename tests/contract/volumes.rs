//! Volumes.

use once::app::engine::{ContainerSpec, EngineError, MountSpec, Role};

use crate::ground::Ground;

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
