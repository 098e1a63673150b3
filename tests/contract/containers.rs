//! Containers from creation to removal.

use futures_util::StreamExt;
use once_app::engine::{ContainerSpec, EngineError, LogQuery, Restart, Role};
use once_app::{AppId, Namespace, ReleaseNumber};

use crate::ground::{GRACE, Ground};
use crate::support::{eventually, free_port};
use crate::volumes::{made, on_volume};

pub async fn the_engine_describes_itself(on: Ground<'_>) {
    let info = on.engine.info().await.unwrap();
    assert_eq!(info.os, "linux");
    assert!(["amd64", "arm64"].contains(&info.arch.as_str()), "{}", info.arch);
    assert!(info.cpus >= 1 && info.memory > 64 << 20, "{info:?}");
    assert!(info.root_dir.starts_with('/') && !info.id.is_empty() && !info.version.is_empty(), "{info:?}");
    assert!(info.local, "tests run beside their engine: {info:?}");
}

pub async fn a_new_namespace_is_empty(on: Ground<'_>) {
    assert_eq!(on.engine.containers(on.namespace).await.unwrap(), []);
    assert_eq!(on.engine.volumes(on.namespace).await.unwrap(), []);
}

pub async fn a_created_container_is_listed_with_its_identity(on: Ground<'_>) {
    let before = jiff::Timestamp::now();
    let id = on.created("a", "wait").await;
    let listed = on.engine.containers(on.namespace).await.unwrap();
    let [container] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((&container.id, &container.name), (&id, &on.name("a")));
    assert_eq!((container.image.as_str(), container.running, container.state.as_str()), (on.image, false, "created"));
    let identity = container.identity.clone().unwrap();
    assert_eq!(identity.namespace, *on.namespace);
    assert_eq!((identity.role, identity.app, identity.id), (Role::Web, "shop".parse().ok(), Some(AppId("id".into()))));
    assert_eq!(identity.release, Some(ReleaseNumber(7)));
    let age = container.created_at.duration_since(before);
    assert!(age.as_secs().abs() < 60, "{age}");
}

pub async fn other_namespaces_are_left_out(on: Ground<'_>) {
    on.created("a", "wait").await;
    let other: Namespace = "tnobody".parse().unwrap();
    assert_eq!(on.engine.containers(&other).await.unwrap(), []);
}

pub async fn all_containers_are_all(on: Ground<'_>) {
    let id = on.created("a", "wait").await;
    let stranger = ContainerSpec { labels: [].into(), ..on.spec("b", "wait") };
    let stranger = on.engine.create(&stranger).await.unwrap();
    let all = on.engine.all_containers().await.unwrap();
    let found = |id: &str| all.iter().find(|container| container.id == id);
    assert!(found(&id).unwrap().identity.is_some());
    assert_eq!(found(&stranger).unwrap().identity, None);
    assert_eq!(on.engine.containers(on.namespace).await.unwrap().len(), 1);
}

pub async fn unreadable_labels_have_no_identity(on: Ground<'_>) {
    let labels = on.labels("emperor", &[]);
    on.engine.create(&ContainerSpec { labels, ..on.spec("a", "wait") }).await.unwrap();
    let listed = on.engine.containers(on.namespace).await.unwrap();
    assert_eq!((listed.len(), &listed[0].identity), (1, &None));
    assert_eq!(listed[0].labels["once.role"], "emperor");
}

pub async fn a_container_is_found_by_name_and_by_id(on: Ground<'_>) {
    let id = on.created("a", "wait").await;
    let by_id = on.engine.container(&id).await.unwrap().unwrap();
    let by_name = on.engine.container(&on.name("a")).await.unwrap().unwrap();
    assert_eq!(by_id, by_name);
    assert_eq!((by_id.id, by_id.name), (id, on.name("a")));
}

pub async fn an_absent_container_is_none(on: Ground<'_>) {
    assert_eq!(on.engine.container(&on.name("nobody")).await.unwrap(), None);
}

pub async fn a_taken_name_is_a_conflict(on: Ground<'_>) {
    on.created("a", "wait").await;
    let error = on.engine.create(&on.spec("a", "wait")).await.unwrap_err();
    assert!(matches!(error, EngineError::Conflict { .. }), "{error:?}");
}

pub async fn an_absent_image_cannot_be_created_from(on: Ground<'_>) {
    let image = on.name("nothing:1");
    let error = on.engine.create(&ContainerSpec { image: image.clone(), ..on.spec("a", "wait") }).await.unwrap_err();
    assert!(matches!(&error, EngineError::Absent { what } if *what == format!("image {image}")), "{error:?}");
}

pub async fn a_created_container_has_no_exit_code(on: Ground<'_>) {
    let id = on.created("a", "wait").await;
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!((detail.running, detail.exit_code, detail.started_at), (false, None, None));
}

pub async fn start_runs_it(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert!(detail.running && !detail.restarting && detail.started_at.is_some(), "{detail:?}");
    assert_eq!((detail.exit_code, detail.out_of_memory, detail.error.as_str()), (None, false, ""));
    let listed = on.engine.containers(on.namespace).await.unwrap();
    assert_eq!((listed[0].running, listed[0].state.as_str()), (true, "running"));
}

pub async fn starting_twice_is_fine(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    on.engine.start(&id).await.unwrap();
}

pub async fn an_absent_container_cannot_be_started(on: Ground<'_>) {
    let error = on.engine.start(&on.name("nobody")).await.unwrap_err();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}

pub async fn stop_ends_it(on: Ground<'_>) {
    let id = on.started("a", "tick").await;
    // The engine has started init, which may not listen for signals yet; when its child speaks it does.
    let mut lines = on.engine.logs(&id, LogQuery { follow: true, tail: None, since: None });
    lines.next().await.unwrap().unwrap();
    on.engine.stop(&id, GRACE).await.unwrap();
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!((detail.running, detail.exit_code), (false, Some(143)), "SIGTERM reached it through init");
    let listed = on.engine.containers(on.namespace).await.unwrap();
    assert_eq!((listed[0].running, listed[0].state.as_str()), (false, "exited"));
}

pub async fn stopping_what_does_not_run_is_fine(on: Ground<'_>) {
    on.engine.stop(&on.name("nobody"), GRACE).await.unwrap();
    let id = on.created("a", "wait").await;
    on.engine.stop(&id, GRACE).await.unwrap();
    on.engine.start(&id).await.unwrap();
    on.engine.stop(&id, GRACE).await.unwrap();
    on.engine.stop(&id, GRACE).await.unwrap();
}

pub async fn a_stopped_container_starts_again(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    on.engine.stop(&id, GRACE).await.unwrap();
    on.engine.start(&id).await.unwrap();
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!((detail.running, detail.exit_code), (true, None));
}

pub async fn remove_takes_a_running_one(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    on.engine.remove(&id).await.unwrap();
    assert_eq!(on.engine.container(&id).await.unwrap(), None);
    assert_eq!(on.engine.containers(on.namespace).await.unwrap(), []);
}

pub async fn removing_twice_is_fine(on: Ground<'_>) {
    let id = on.created("a", "wait").await;
    on.engine.remove(&id).await.unwrap();
    on.engine.remove(&id).await.unwrap();
}

pub async fn a_removed_name_is_free(on: Ground<'_>) {
    let first = on.started("a", "wait").await;
    on.engine.remove(&first).await.unwrap();
    assert_ne!(on.created("a", "wait").await, first);
}

pub async fn wait_gives_the_exit_code(on: Ground<'_>) {
    let id = on.started("a", "exit 3").await;
    assert_eq!(on.engine.wait(&id).await.unwrap(), 3);
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!((detail.running, detail.exit_code), (false, Some(3)));
    let id = on.started("b", "exit 0").await;
    assert_eq!(on.engine.wait(&id).await.unwrap(), 0);
}

pub async fn wait_lasts_until_the_end(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let (code, ()) = tokio::join!(async { on.engine.wait(&id).await.unwrap() }, async {
        on.engine.stop(&id, GRACE).await.unwrap();
    });
    assert_eq!(code, 143);
}

pub async fn waiting_for_an_absent_one_fails(on: Ground<'_>) {
    let error = on.engine.wait(&on.name("nobody")).await.unwrap_err();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}

pub async fn variables_of_image_and_container_arrive(on: Ground<'_>) {
    let env = [("KEY", "first"), ("KEY", "with = and spaces")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let id = on.engine.create(&ContainerSpec { env: env.into(), ..on.spec("a", "wait") }).await.unwrap();
    on.engine.start(&id).await.unwrap();
    assert_eq!(on.exec(&id, "env KEY").await.0, "with = and spaces\n", "the later one wins");
    assert_eq!(on.exec(&id, "env FROM_IMAGE").await.0, "yes\n");
    let detail = on.engine.container(&id).await.unwrap().unwrap();
    assert!(detail.env.contains(&"KEY=with = and spaces".to_owned()), "{:?}", detail.env);
}

pub async fn labels_arrive(on: Ground<'_>) {
    let id = on.created("inherits", "wait").await;
    let found = on.engine.container(&id).await.unwrap().unwrap().labels;
    assert_eq!(found["what"], "probe", "those of the image too");
    let labels = on.labels("web", &[("once.settings", r#"{"memory":"1 GB"}"#)]);
    let id = on.engine.create(&ContainerSpec { labels: labels.clone(), ..on.spec("a", "wait") }).await.unwrap();
    let found = on.engine.container(&id).await.unwrap().unwrap().labels;
    for (key, value) in labels {
        assert_eq!(found.get(&key), Some(&value));
    }
}

pub async fn published_ports_show(on: Ground<'_>) {
    let port = free_port();
    let spec = ContainerSpec { publish: vec![(port, 8080)], ..on.spec("a", "listen 8080") };
    let id = on.engine.create(&spec).await.unwrap();
    on.engine.start(&id).await.unwrap();
    assert_eq!(on.engine.containers(on.namespace).await.unwrap()[0].ports, [port]);
    assert_eq!(on.engine.container(&id).await.unwrap().unwrap().ports, [(8080, port)].into());
}

pub async fn a_taken_port_is_named(on: Ground<'_>) {
    let port = free_port();
    for what in ["a", "b"] {
        let spec = ContainerSpec { publish: vec![(port, 80)], ..on.spec(what, "wait") };
        on.engine.create(&spec).await.unwrap();
    }
    on.engine.start(&on.name("a")).await.unwrap();
    let error = on.engine.start(&on.name("b")).await.unwrap_err();
    assert!(matches!(error, EngineError::PortTaken { port: found, .. } if found == port), "{error:?}");
    assert!(!on.engine.container(&on.name("b")).await.unwrap().unwrap().running);
}

pub async fn a_crash_loop_shows(on: Ground<'_>) {
    let spec = ContainerSpec { restart: Restart::UnlessStopped, ..on.spec("a", "exit 7") };
    let id = on.engine.create(&spec).await.unwrap();
    on.engine.start(&id).await.unwrap();
    let detail = eventually("a restart", || async {
        let detail = on.engine.container(&id).await.unwrap().unwrap();
        (detail.restarts > 0 && detail.restarting).then_some(detail)
    })
    .await;
    assert_eq!((detail.running, detail.exit_code), (false, Some(7)));
}

pub async fn the_restart_policy_changes_while_it_runs(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let before = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!(before.restart, Restart::No);
    on.engine.set_restart(&id, Restart::UnlessStopped).await.unwrap();
    on.engine.set_restart(&id, Restart::UnlessStopped).await.unwrap();
    let after = on.engine.container(&id).await.unwrap().unwrap();
    assert_eq!((after.restart, after.running, after.started_at), (Restart::UnlessStopped, true, before.started_at));
    on.engine.set_restart(&id, Restart::No).await.unwrap();
    assert_eq!(on.engine.container(&id).await.unwrap().unwrap().restart, Restart::No);
    let error = on.engine.set_restart(&on.name("nobody"), Restart::No).await.unwrap_err();
    assert!(matches!(error, EngineError::Absent { .. }), "{error:?}");
}

pub async fn a_file_is_read_out_of_a_container(on: Ground<'_>) {
    made(&on).await;
    let id = on.engine.create(&on_volume(&on, "a", "wait")).await.unwrap();
    on.engine.start(&id).await.unwrap();
    assert_eq!(on.exec(&id, "write /data/routes.json all-of-it").await.2, 0);
    let read = async |path: &str, most| on.engine.read_file(&id, path, most).await;
    assert_eq!(read("/data/routes.json", 1 << 20).await.unwrap(), Some(b"all-of-it".to_vec()));
    assert_eq!(read("/data/nothing.json", 1 << 20).await.unwrap(), None);
    assert_eq!(read("/data", 1 << 20).await.unwrap(), None, "a directory is no file");
    assert_eq!(read("/data/routes.json", 9).await.unwrap().map(|bytes| bytes.len()), Some(9));
    for most in [8, 0] {
        let error = read("/data/routes.json", most).await.unwrap_err();
        assert!(format!("{error:?}").contains(&format!("larger than {most} bytes")), "{error:?}");
    }
    assert_eq!(on.engine.read_file(&on.name("nobody"), "/data/routes.json", 9).await.unwrap(), None);
    let large = "x".repeat(64 << 10);
    assert_eq!(on.exec(&id, &format!("write /data/large {large}")).await.2, 0);
    let error = read("/data/large", 10).await.unwrap_err();
    assert!(format!("{error:?}").contains("larger than 10 bytes"), "{error:?}");
    on.engine.stop(&id, GRACE).await.unwrap();
    assert_eq!(read("/data/routes.json", 1 << 20).await.unwrap(), Some(b"all-of-it".to_vec()), "also when stopped");
}

pub async fn what_is_kept_on_the_disk_is_counted(on: Ground<'_>) {
    let id = on.started("a", "wait").await;
    let image = on.engine.image(on.image).await.unwrap().unwrap();
    let stored = on.engine.stored().await.unwrap();
    assert_eq!(stored.images.get(&image.id), Some(&image.size), "{:?}", stored.images);
    assert!(stored.containers.contains_key(&id), "{:?}", stored.containers);
}
