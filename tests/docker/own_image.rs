//! Images made of this binary.

use futures_util::StreamExt;
use once_app::engine::{ContainerSpec, Engine, EngineError, LogQuery};
use once_docker::Docker;

use crate::support::bed::{self, Bed};
use crate::support::bounded;

#[tokio::test]
async fn the_real_binary_runs_from_scratch() {
    let bed = Bed::new();
    bounded(async {
        let docker = Docker::connect(None).await.unwrap().with_binary(env!("CARGO_BIN_EXE_once"));
        let image = bed::own_image(&bed.namespace, "once");
        docker.load_own(&image).await.unwrap();
        docker.ensure_network(&bed::network(&bed.namespace), &[].into()).await.unwrap();
        let command = Some(vec!["--help".to_owned()]);
        let spec = ContainerSpec { command, ..bed::container(&bed.namespace, "a", &image.tag) };
        let id = docker.create(&spec).await.unwrap();
        docker.start(&id).await.unwrap();
        assert_eq!(docker.wait(&id).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_running_binary_is_taken_where_none_is_named() {
    let docker = Docker::connect(None).await.unwrap();
    let itself = Docker::connect(None).await.unwrap().with_binary(std::env::current_exe().unwrap());
    assert_eq!(docker.own_hash().await.unwrap(), itself.own_hash().await.unwrap());
}

#[tokio::test]
async fn another_binary_has_another_hash() {
    let one = Docker::connect(None).await.unwrap().with_binary("/bin/sh");
    let other = Docker::connect(None).await.unwrap().with_binary("/bin/cat");
    assert_ne!(one.own_hash().await.unwrap(), other.own_hash().await.unwrap());
}

#[tokio::test]
async fn a_binary_that_cannot_be_read_is_told() {
    let bed = Bed::new();
    let docker = Docker::connect(None).await.unwrap().with_binary("/there/is/none");
    for error in [
        docker.own_hash().await.unwrap_err(),
        bounded(docker.load_own(&bed::own_image(&bed.namespace, "x"))).await.unwrap_err(),
    ] {
        assert!(matches!(&error, EngineError::Failed { what, .. } if what == "read this binary"), "{error:?}");
    }
}

/// A static binary must find its neighbours by name: what the proxy does for every request's target.
#[tokio::test]
async fn a_static_binary_resolves_container_names() {
    let bed = Bed::new();
    bounded(async {
        let docker = bed.docker().await;
        let image = bed.image(&docker).await;
        let network = bed.name("net");
        docker.ensure_network(&network, &bed::labels(&bed.namespace, "web", &[])).await.unwrap();
        let on = |what: &str, words: &str| ContainerSpec {
            networks: vec![network.clone()],
            command: Some(bed::words(words)),
            ..bed::container(&bed.namespace, what, &image)
        };
        let target = docker.create(&on("target", "wait")).await.unwrap();
        docker.start(&target).await.unwrap();
        let asker = docker.create(&on("asker", &format!("resolve {}", bed.name("target")))).await.unwrap();
        docker.start(&asker).await.unwrap();
        assert_eq!(docker.wait(&asker).await.unwrap(), 0);
        let line = docker.logs(&asker, LogQuery::default()).next().await.unwrap().unwrap();
        let address = &docker.container(&target).await.unwrap().unwrap().networks[&network];
        assert_eq!(&line.text, address);
        let lost = docker.create(&on("lost", &format!("resolve {}", bed.name("nobody")))).await.unwrap();
        docker.start(&lost).await.unwrap();
        assert_eq!(docker.wait(&lost).await.unwrap(), 1);
    })
    .await;
}
