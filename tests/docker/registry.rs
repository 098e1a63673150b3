//! Pulling from a real registry, with and without a login, and all that can go wrong there.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use futures_util::TryStreamExt;
use once_app::ImageRef;
use once_app::engine::{Engine, EngineError, OwnImage, PullProgress};
use once_docker::{Docker, Environment};

use crate::registry_server::{Registry, StallingWay};
use crate::support::bed::{self, Bed};
use crate::support::{bounded, free_port, probe};

const IDLE: Duration = Duration::from_secs(30);

async fn pull(docker: &Docker, image: &ImageRef) -> Result<Vec<PullProgress>, EngineError> {
    docker.pull(image, IDLE).try_collect().await
}

/// As somebody with this Docker configuration.
async fn as_one_with(config: &Path) -> Docker {
    let path = format!("{}:{}", config.display(), std::env::var("PATH").unwrap());
    let variables = [("DOCKER_CONFIG", config.to_str().unwrap()), ("PATH", &path)];
    Docker::connect_as(None, Environment::of(&variables, Path::new("/dev/null")))
        .await
        .unwrap()
        .with_binary(probe::path())
}

async fn nobody() -> Docker {
    as_one_with(Path::new("/there/is/none")).await
}

fn login_of(name: &str, password: &str, registry: u16) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
    let config = format!(r#"{{"auths":{{"127.0.0.1:{registry}":{{"auth":"{auth}"}}}}}}"#);
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    directory
}

/// Makes an image of the probe; its tag. It only exists in the registry after [`forget`].
async fn image(bed: &Bed, docker: &Docker, what: &str) -> String {
    // A layer no other test has: one that is on the engine already would not be fetched.
    let directories = vec![bed.name(what)];
    let image = OwnImage { directories, ..bed::own_image(&bed.namespace, what) };
    docker.load_own(&image).await.unwrap();
    image.tag
}

async fn forget(docker: &Docker, image: &str) {
    let id = docker.image(image).await.unwrap().unwrap().id;
    assert!(docker.remove_image(&id).await.unwrap(), "with all its tags");
    assert_eq!(docker.image(image).await.unwrap(), None);
}

#[tokio::test]
async fn a_tag_is_resolved_and_pulled() {
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let local = image(&bed, &docker, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", None).await;
        forget(&docker, &local).await;
        let image: ImageRef = reference.parse().unwrap();

        let digest = docker.registry_digest(&image).await.unwrap();
        assert_eq!(docker.image(&reference).await.unwrap(), None, "nothing was pulled");
        let steps = pull(&docker, &image).await.unwrap();
        let last = steps.last().unwrap();
        assert!(last.layers > 0 && last.layers_done == last.layers && last.bytes_done == last.bytes, "{last:?}");
        assert!(steps.iter().any(|step| step.layers_done < step.layers), "{steps:?}");
        let found = docker.image(&reference).await.unwrap().unwrap();
        assert_eq!(found.repo_digests, [format!("{}@{digest}", image.repository())]);
        assert_eq!(found.tags, std::slice::from_ref(&reference));

        let again = pull(&docker, &image).await.unwrap();
        assert!(again.last().is_none_or(|last| last.layers_done == last.layers), "{again:?}");

        assert!(docker.remove_image(&found.id).await.unwrap());
        let pinned: ImageRef = format!("{}@{digest}", image.repository()).parse().unwrap();
        assert_eq!(docker.registry_digest(&pinned).await.unwrap(), digest);
        pull(&docker, &pinned).await.unwrap();
        let found = docker.image(&pinned.to_string()).await.unwrap().unwrap();
        assert_eq!(found.tags, [] as [String; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_moved_tag_has_another_digest() {
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let mut digests = Vec::new();
        for what in ["old", "new"] {
            let local = image(&bed, &docker, what).await;
            let reference = registry.push(&local, &bed.name("shop"), "1", None).await;
            digests.push(docker.registry_digest(&reference.parse().unwrap()).await.unwrap());
        }
        assert_ne!(digests[0], digests[1]);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let local = image(&bed, &docker, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", None).await;
        let other_tag = format!("{}2", reference.strip_suffix('1').unwrap());
        let other_repository = format!("127.0.0.1:{}/{}", registry.port, bed.name("nothing"));
        for text in [other_tag, other_repository] {
            let image: ImageRef = text.parse().unwrap();
            for error in [docker.registry_digest(&image).await.unwrap_err(), pull(&docker, &image).await.unwrap_err()] {
                assert!(matches!(error, EngineError::NoSuchImage { .. }), "{text}: {error:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_private_image_needs_the_right_login() {
    // Plain base64 of this has `+` and `/` where the engine expects the alphabet of URLs.
    const PASSWORD: &str = "~~~???>>>\u{00ff}\u{00fe}";
    let bed = Bed::new();
    bounded(async {
        let registry = Registry::closed("ana", PASSWORD).await;
        let (nobody, login) = (nobody().await, login_of("ana", PASSWORD, registry.port));
        let local = image(&bed, &nobody, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", Some(("ana", PASSWORD))).await;
        forget(&nobody, &local).await;
        let image: ImageRef = reference.parse().unwrap();

        for error in [nobody.registry_digest(&image).await.unwrap_err(), pull(&nobody, &image).await.unwrap_err()] {
            assert!(matches!(error, EngineError::Unauthorised { login: None, .. }), "{error:?}");
        }

        let wrong = login_of("ana", "wrong", registry.port);
        let mistaken = as_one_with(wrong.path()).await;
        for error in [mistaken.registry_digest(&image).await.unwrap_err(), pull(&mistaken, &image).await.unwrap_err()] {
            assert!(
                matches!(&error, EngineError::Unauthorised { login: Some(login), .. } if login == "ana"),
                "{error:?}"
            );
            assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        }

        let ana = as_one_with(login.path()).await;
        ana.registry_digest(&image).await.unwrap();
        pull(&ana, &image).await.unwrap();
        assert!(ana.image(&reference).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_helper_gives_the_login() {
    let bed = Bed::new();
    bounded(async {
        let registry = Registry::closed("ana", "s3cret").await;
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.json"), r#"{"credsStore":"test"}"#).unwrap();
        let helper = directory.path().join("docker-credential-test");
        let script = format!(
            "#!/bin/sh\nread server; test \"$server\" = 127.0.0.1:{} || exit 1\necho '{{\"Username\":\"ana\",\"Secret\":\"s3cret\"}}'\n",
            registry.port
        );
        std::fs::write(&helper, script).unwrap();
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
        let docker = as_one_with(directory.path()).await;
        let local = image(&bed, &docker, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", Some(("ana", "s3cret"))).await;
        docker.registry_digest(&reference.parse().unwrap()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_registry_that_is_gone() {
    bounded(async {
        let docker = nobody().await;
        let image: ImageRef = format!("127.0.0.1:{}/shop:1", free_port()).parse().unwrap();
        for error in [docker.registry_digest(&image).await.unwrap_err(), pull(&docker, &image).await.unwrap_err()] {
            assert!(matches!(error, EngineError::RegistryUnreachable { .. }), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_pull_that_stalls_ends_by_inactivity() {
    const SHORT: Duration = Duration::from_secs(3);
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let local = image(&bed, &docker, "shop").await;
        registry.push(&local, &bed.name("shop"), "1", None).await;
        forget(&docker, &local).await;
        for (carried, what) in [(0, "before anything came"), (100_000, "in the middle of a layer")] {
            let way = StallingWay::to(registry.port, carried).await;
            let image: ImageRef = format!("127.0.0.1:{}/{}:1", way.port, bed.name("shop")).parse().unwrap();
            let began = Instant::now();
            let error = docker.pull(&image, SHORT).try_collect::<Vec<_>>().await.unwrap_err();
            assert!(matches!(error, EngineError::TimedOut { after, .. } if after == SHORT), "{what}: {error:?}");
            assert!(began.elapsed() < SHORT * 4, "{what}: {:?}", began.elapsed());
        }
    })
    .await;
}

#[tokio::test]
async fn a_broken_layer_fails_in_the_middle() {
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let local = image(&bed, &docker, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", None).await;
        forget(&docker, &local).await;
        let blob = registry.largest_blob();
        let mut bytes = std::fs::read(&blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&blob, bytes).unwrap();
        let error = pull(&docker, &reference.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, EngineError::Failed { .. }), "{error:?}");
        assert_eq!(docker.image(&reference).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_image_for_other_machines_is_unsupported() {
    let bed = Bed::new();
    bounded(async {
        let (docker, registry) = (nobody().await, Registry::open().await);
        let local = image(&bed, &docker, "shop").await;
        let reference = registry.push(&local, &bed.name("shop"), "1", None).await;
        let digest = docker.registry_digest(&reference.parse().unwrap()).await.unwrap();
        const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
        let list = format!(
            r#"{{"schemaVersion":2,"mediaType":"{LIST}","manifests":[{{
            "mediaType":"application/vnd.docker.distribution.manifest.v2+json","size":500,"digest":"{digest}",
            "platform":{{"architecture":"s390x","os":"linux"}}}}]}}"#
        );
        registry.put_manifest(&bed.name("shop"), "other", LIST, &list).await;
        let image: ImageRef = format!("127.0.0.1:{}/{}:other", registry.port, bed.name("shop")).parse().unwrap();
        let error = pull(&docker, &image).await.unwrap_err();
        assert!(matches!(error, EngineError::Unsupported { .. }), "{error:?}");
    })
    .await;
}
