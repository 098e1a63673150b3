//! Finding and reaching engines, and telling why that failed.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use once_app::engine::{ContainerSpec, Engine, EngineError};
use once_docker::{Docker, Environment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use crate::support::bed::{self, Bed};
use crate::support::{bounded, eventually, free_port};

async fn refusal(address: &str) -> EngineError {
    bounded(Docker::connect(Some(address))).await.err().unwrap()
}

#[tokio::test]
async fn no_socket() {
    let error = refusal("unix:///run/there-is-none.sock").await;
    assert!(matches!(&error, EngineError::NoSocket { address, .. } if address.contains("there-is-none")), "{error:?}");
}

#[tokio::test]
async fn a_socket_nobody_listens_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.sock");
    drop(UnixListener::bind(&path).unwrap());
    let error = refusal(&format!("unix://{}", path.display())).await;
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_port_nobody_listens_on() {
    let error = refusal(&format!("tcp://127.0.0.1:{}", free_port())).await;
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_of_no_kind() {
    for address in ["shop.example", "ftp://shop.example", "ssh://a:b@shop.example"] {
        assert!(matches!(refusal(address).await, EngineError::BadAddress { .. }), "{address}");
    }
}

#[tokio::test]
async fn certificates_that_are_not_there() {
    let environment =
        Environment::of(&[("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/there/is/none")], Path::new("/dev/null"));
    let error = Docker::connect_as(Some("tcp://127.0.0.1:1"), environment).await.err().unwrap();
    assert!(matches!(&error, EngineError::BadAddress { reason, .. } if reason.contains("/there/is/none")), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let (error, ()) = tokio::join!(refusal(&address), async {
        drop(listener.accept().await.unwrap());
    });
    assert!(matches!(error, EngineError::Unreachable { .. }), "{error:?}");
}

/// The clock jumps to the next timer whenever all wait, so the limit passes at once.
#[tokio::test(start_paused = true)]
async fn an_engine_that_never_answers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let error = Docker::connect(Some(&address)).await.err().unwrap();
    assert!(matches!(error, EngineError::TimedOut { after, .. } if after == Duration::from_secs(30)), "{error:?}");
}

#[tokio::test]
async fn an_engine_that_is_too_old() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let engine = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let body = r#"{"Version":"19.03.5","ApiVersion":"1.40"}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    };
    let (error, _) = tokio::join!(refusal(&address), engine);
    assert!(
        matches!(&error, EngineError::TooOld { found, needed } if found == "1.40" && needed == "1.41"),
        "{error:?}"
    );
}

/// Nobody may use a socket of mode 0, but root may use all: ask as somebody else.
#[tokio::test]
async fn a_socket_of_somebody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    if rustix::process::getuid().is_root() {
        let status = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "connecting::helper_asks_as_somebody_else", "--include-ignored"])
            .env("ASK_AT", &path)
            .uid(65534)
            .gid(65534)
            .stdout(std::process::Stdio::null())
            .status()
            .await
            .unwrap();
        assert!(status.success(), "see helper_asks_as_somebody_else");
    } else {
        expect_no_permission(&path).await;
    }
}

#[tokio::test]
#[ignore = "run by a_socket_of_somebody_else as another user"]
async fn helper_asks_as_somebody_else() {
    if let Some(path) = std::env::var_os("ASK_AT") {
        expect_no_permission(Path::new(&path)).await;
    }
}

async fn expect_no_permission(path: &Path) {
    let error = refusal(&format!("unix://{}", path.display())).await;
    assert!(matches!(error, EngineError::NoPermission { .. }), "{error:?}");
}

/// A stand-in for ssh that writes its arguments down and then does what the server would.
fn ssh(directory: &Path, then: &str) -> Environment {
    let path = directory.join("ssh");
    let script = format!("#!/bin/sh\necho \"$@\" >> {}/arguments\n{then}\n", directory.display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    Environment::of(&[("PATH", &path)], Path::new("/dev/null"))
}

#[tokio::test]
async fn over_ssh_with_a_port() {
    let bed = Bed::new();
    bounded(async {
        let directory = tempfile::tempdir().unwrap();
        let environment = ssh(directory.path(), "exec docker system dial-stdio");
        let docker = Docker::connect_as(Some("ssh://ana@shop.example:2222"), environment).await.unwrap();
        let info = docker.info().await.unwrap();
        assert!(!info.local && info.address == "ssh://ana@shop.example:2222", "{info:?}");
        assert_eq!(docker.containers(&bed.namespace).await.unwrap(), []);
        let arguments = std::fs::read_to_string(directory.path().join("arguments")).unwrap();
        let expected = "-T -o ConnectTimeout=30 -l ana -p 2222 -- shop.example docker system dial-stdio";
        assert_eq!(arguments.lines().next(), Some(expected));
        assert_eq!(docker.usage(&["f".repeat(64)]).await, [].into(), "its files are not ours");
        assert_eq!(docker.host_usage().await, None);
    })
    .await;
}

#[tokio::test]
async fn over_ssh_a_command_runs_with_its_streams() {
    let bed = Bed::new();
    bounded(async {
        let here = bed.docker().await;
        let image = bed.image(&here).await;
        let id = here.create(&ContainerSpec { ..bed::container(&bed.namespace, "a", &image) }).await.unwrap();
        here.start(&id).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let environment = ssh(directory.path(), "exec docker system dial-stdio");
        let docker = Docker::connect_as(Some("ssh://shop.example"), environment).await.unwrap();
        let mut stdio = docker.exec_stdio(&id, &bed::words("/once echo")).await.unwrap();
        stdio.write_all(b"over and back").await.unwrap();
        stdio.shutdown().await.unwrap();
        let mut answer = String::new();
        stdio.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "over and back");
    })
    .await;
}

#[tokio::test]
async fn what_ssh_says_becomes_the_cause() {
    let directory = tempfile::tempdir().unwrap();
    let environment = ssh(directory.path(), "echo 'ana@shop: Permission denied (publickey).' >&2; exit 255");
    let error = bounded(Docker::connect_as(Some("ssh://ana@shop"), environment)).await.err().unwrap();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, EngineError::Unreachable { .. }) && source.contains("publickey"), "{error:?}");
}

#[tokio::test]
async fn namespaces_with_apps_are_counted() {
    let bed = Bed::new();
    bounded(async {
        let docker = bed.docker().await;
        let image = bed.image(&docker).await;
        for (what, role, app) in [("1", "web", "a"), ("2", "web", "a"), ("3", "web", "b"), ("4", "task", "c")] {
            let labels = bed::labels(&bed.namespace, role, &[("once.app", app)]);
            docker.create(&ContainerSpec { labels, ..bed::container(&bed.namespace, what, &image) }).await.unwrap();
        }
        let found = docker.namespaces().await.unwrap();
        assert!(found.contains(&(bed.namespace.clone(), 2)), "{found:?}");
    })
    .await;
}

/// A console that lives for days compares it with its own clock.
#[tokio::test]
async fn the_clock_of_the_engine_is_asked_for_anew() {
    let docker = Docker::connect(None).await.unwrap();
    let first = docker.info().await.unwrap().time.unwrap();
    let later = || async { docker.info().await.unwrap().time.filter(|time| *time > first) };
    eventually("a later time", later).await;
}
