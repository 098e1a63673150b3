//! That every word of a spec reaches the container, seen from inside it or in the engine's own words.

use bollard::models::{ContainerInspectResponse, NetworkConnectRequest, NetworkCreateRequest};
use bollard::query_parameters::InspectContainerOptions;
use once_app::engine::{ContainerSpec, Engine, EngineError, ExecOutput, ExecSpec, MountSpec, Restart};
use once_docker::Docker;

use crate::support::bed::{self, Bed};
use crate::support::{bounded, free_port};

async fn with(test: impl AsyncFnOnce(&Bed, &Docker, ContainerSpec)) {
    let bed = Bed::new();
    bounded(async {
        let docker = bed.docker().await;
        let image = bed.image(&docker).await;
        let spec = bed::container(&bed.namespace, "a", &image);
        test(&bed, &docker, spec).await;
    })
    .await;
}

async fn started(docker: &Docker, spec: &ContainerSpec) -> String {
    let id = docker.create(spec).await.unwrap();
    docker.start(&id).await.unwrap();
    id
}

async fn said(docker: &Docker, container: &str, words: &str) -> (String, i64) {
    let argv = bed::words(&format!("/once {words}"));
    let spec = ExecSpec { container: container.to_owned(), argv, tty: None, stdin: false };
    let mut session = docker.exec(&spec).await.unwrap();
    let mut output = Vec::new();
    while let Some(piece) = session.output().await {
        match piece.unwrap() {
            ExecOutput::Stdout(bytes) | ExecOutput::Stderr(bytes) => output.extend(bytes),
        }
    }
    (String::from_utf8(output).unwrap(), session.exit_code().await.unwrap())
}

async fn engines_words(id: &str) -> ContainerInspectResponse {
    let docker = bollard::Docker::connect_with_defaults().unwrap();
    docker.inspect_container(id, None::<InspectContainerOptions>).await.unwrap()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":")).unwrap().trim()
}

#[tokio::test]
async fn privileges_cannot_be_gained_and_capabilities_can_be_dropped() {
    with(async |_, docker, spec| {
        let id = started(docker, &spec).await;
        let (status, _) = said(docker, &id, "read /proc/self/status").await;
        assert_eq!(field(&status, "NoNewPrivs"), "1");
        assert_ne!(field(&status, "CapEff"), "0000000000000000");
        let bare = ContainerSpec { drop_capabilities: true, name: format!("{}-bare", spec.name), ..spec };
        let id = started(docker, &bare).await;
        let (status, _) = said(docker, &id, "read /proc/self/status").await;
        assert_eq!(field(&status, "CapEff"), "0000000000000000");
    })
    .await;
}

#[tokio::test]
async fn a_read_only_root_is_one_and_volumes_are_not() {
    with(async |bed, docker, spec| {
        let volume = bed.name("data");
        docker.ensure_volume(&volume, &bed::labels(&bed.namespace, "data", &[])).await.unwrap();
        let mounts = vec![MountSpec::Volume { name: volume, target: "/data".into() }];
        let id = started(docker, &ContainerSpec { read_only: true, mounts, ..spec }).await;
        let (words, code) = said(docker, &id, "write /x y").await;
        assert!(code != 0 && words.contains("Read-only"), "{code} {words}");
        assert_eq!(said(docker, &id, "write /data/x y").await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn the_user_is_the_one_asked_for_and_owns_the_images_directories() {
    with(async |bed, docker, spec| {
        let image = once_app::engine::OwnImage { user: Some(65532), ..bed::own_image(&bed.namespace, "user") };
        docker.load_own(&image).await.unwrap();
        let id = started(docker, &ContainerSpec { image: image.tag, ..spec.clone() }).await;
        let (status, _) = said(docker, &id, "read /proc/self/status").await;
        assert!(field(&status, "Uid").starts_with("65532"), "{status}");
        assert_eq!(said(docker, &id, "write /data/x y").await.1, 0, "its own directory");
        assert_ne!(said(docker, &id, "write /x y").await.1, 0, "not its own");
        let other = ContainerSpec { user: Some("1234".into()), name: bed.name("b"), ..spec };
        let id = started(docker, &other).await;
        let (status, _) = said(docker, &id, "read /proc/self/status").await;
        assert!(field(&status, "Uid").starts_with("1234"), "{status}");
    })
    .await;
}

#[tokio::test]
async fn with_init_the_program_is_not_the_first_process() {
    with(async |bed, docker, spec| {
        for (init, first) in [(true, false), (false, true)] {
            let name = bed.name(if init { "with" } else { "without" });
            let spec = ContainerSpec { init, name, command: Some(bed::words("pid")), ..spec.clone() };
            let id = started(docker, &spec).await;
            docker.wait(&id).await.unwrap();
            use futures_util::StreamExt;
            let line = docker.logs(&id, Default::default()).next().await.unwrap().unwrap();
            assert_eq!(line.text == "1", first, "{line:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn memory_is_limited_without_swap_beside_it() {
    with(async |_, docker, spec| {
        let limit = 32 << 20;
        let id =
            started(docker, &ContainerSpec { memory: Some(limit), command: Some(bed::words("eat 200")), ..spec }).await;
        assert_eq!(docker.wait(&id).await.unwrap(), 137);
        let detail = docker.container(&id).await.unwrap().unwrap();
        assert!(detail.out_of_memory, "{detail:?}");
        let host = engines_words(&id).await.host_config.unwrap();
        assert_eq!((host.memory, host.memory_swap), (Some(limit as i64), Some(limit as i64)));
    })
    .await;
}

#[tokio::test]
async fn the_rest_is_in_the_engines_words() {
    with(async |bed, docker, spec| {
        let spec = ContainerSpec {
            nano_cpus: Some(500_000_000),
            restart: Restart::UnlessStopped,
            log_max_size: 123_456,
            stop_timeout: 17,
            entrypoint: Some(bed::words("/once say")),
            command: Some(bed::words("hello")),
            mounts: vec![MountSpec::Bind { path: "/etc".into(), target: "/host-etc".into(), read_only: true }],
            ..spec
        };
        let id = docker.create(&spec).await.unwrap();
        let found = engines_words(&id).await;
        let (host, config) = (found.host_config.unwrap(), found.config.unwrap());
        assert_eq!(host.nano_cpus, Some(500_000_000));
        assert_eq!(host.restart_policy.unwrap().name.unwrap().to_string(), "unless-stopped");
        let log = host.log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("json-file"));
        let expected = [("max-size", "123456"), ("max-file", "3")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(log.config.unwrap(), expected.into());
        assert_eq!(config.stop_timeout, Some(17));
        assert_eq!((config.entrypoint, config.cmd), (Some(bed::words("/once say")), Some(bed::words("hello"))));
        let mount = &host.mounts.unwrap()[0];
        assert_eq!((mount.source.as_deref(), mount.read_only), (Some("/etc"), Some(true)));
        assert_eq!(found.name.unwrap(), format!("/{}", bed.name("a")));
    })
    .await;
}

#[tokio::test]
async fn a_published_port_reaches_the_program() {
    with(async |_, docker, spec| {
        let port = free_port();
        let spec = ContainerSpec { publish: vec![(port, 8080)], command: Some(bed::words("listen 8080")), ..spec };
        started(docker, &spec).await;
        let answer = crate::support::eventually("an answer", || async {
            use tokio::io::AsyncReadExt;
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok().filter(|count| *count > 0)?;
            Some(answer)
        })
        .await;
        assert_eq!(answer, "here");
    })
    .await;
}

#[tokio::test]
async fn a_port_of_another_program_is_named() {
    with(async |_, docker, spec| {
        let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let id = docker.create(&ContainerSpec { publish: vec![(port, 80)], ..spec }).await.unwrap();
        let error = docker.start(&id).await.unwrap_err();
        assert!(matches!(error, EngineError::PortTaken { port: found, .. } if found == port), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_at_the_start() {
    with(async |_, docker, spec| {
        let spec = ContainerSpec { init: false, entrypoint: Some(bed::words("/nothing")), ..spec };
        let id = docker.create(&spec).await.unwrap();
        let error = docker.start(&id).await.unwrap_err();
        let detail = docker.container(&id).await.unwrap().unwrap();
        assert!(!detail.running && !detail.error.is_empty() && detail.exit_code == Some(127), "{detail:?} {error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_second_network_that_is_not_there_is_told() {
    with(async |bed, docker, spec| {
        let there = bed.name("net");
        docker.ensure_network(&there, &bed::labels(&bed.namespace, "web", &[])).await.unwrap();
        let spec = ContainerSpec { networks: vec![there, bed.name("nothing")], ..spec };
        // 20.10 looks at the start; newer ones at once, and then half a container must not stay.
        let error = match docker.create(&spec).await {
            Ok(id) => docker.start(&id).await.unwrap_err(),
            Err(error) => {
                assert_eq!(docker.container(&spec.name).await.unwrap(), None);
                error
            }
        };
        assert!(matches!(&error, EngineError::Absent { what } if what.contains("nothing")), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn many_who_make_one_network_get_one() {
    with(async |bed, docker, _| {
        let (name, labels) = (bed.name("net"), bed::labels(&bed.namespace, "web", &[]));
        let made = futures_util::future::join_all((0..6).map(|_| docker.ensure_network(&name, &labels))).await;
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        let words = bollard::Docker::connect_with_defaults().unwrap();
        let all = words.list_networks(None::<bollard::query_parameters::ListNetworksOptions>).await.unwrap();
        assert_eq!(all.iter().filter(|network| network.name.as_ref() == Some(&name)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_two_networks_of_one_name_the_one_in_use_stays() {
    with(async |bed, docker, spec| {
        let name = bed.name("net");
        let words = bollard::Docker::connect_with_defaults().unwrap();
        let request = || NetworkCreateRequest { name: name.clone(), ..NetworkCreateRequest::default() };
        // Two makers that died before they could agree. Engines of 25.0 and later make no second one.
        let _older = words.create_network(request()).await.unwrap();
        let Ok(younger) = words.create_network(request()).await else {
            return;
        };
        let request = NetworkConnectRequest { container: started(docker, &spec).await, endpoint_config: None };
        words.connect_network(&younger.id, request).await.unwrap();
        docker.ensure_network(&name, &bed::labels(&bed.namespace, "web", &[])).await.unwrap();
        let all = words.list_networks(None::<bollard::query_parameters::ListNetworksOptions>).await.unwrap();
        let left: Vec<_> = all.into_iter().filter(|network| network.name.as_ref() == Some(&name)).collect();
        assert_eq!(left.iter().map(|network| network.id.as_ref()).collect::<Vec<_>>(), [Some(&younger.id)]);
    })
    .await;
}
