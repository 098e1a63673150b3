//! A registry of one's own, and ways to it that break.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::auth::DockerCredentials;
use bollard::query_parameters::{PushImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::TryStreamExt;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::AbortHandle;

use crate::support::{eventually, free_port};

/// Debian's `docker-registry` on a free port of the loopback. Ends when dropped.
pub struct Registry {
    pub port: u16,
    directory: TempDir,
    _process: Child,
}

impl Registry {
    pub async fn open() -> Self {
        Self::start(None).await
    }

    /// One that only this login may use.
    pub async fn closed(name: &str, password: &str) -> Self {
        Self::start(Some((name, password))).await
    }

    async fn start(login: Option<(&str, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let path = directory.path().display();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {path}/data\nhttp:\n  addr: 127.0.0.1:{port}\n"
        );
        if let Some((name, password)) = login {
            let made = Command::new("htpasswd").args(["-Bbn", name, password]).output().await.unwrap();
            assert!(made.status.success(), "htpasswd of apache2-utils");
            std::fs::write(directory.path().join("htpasswd"), made.stdout).unwrap();
            writeln!(config, "auth:\n  htpasswd:\n    realm: test\n    path: {path}/htpasswd").unwrap();
        }
        let file = directory.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("docker-registry of Debian is installed");
        eventually("a registry", || async { TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
        Self { port, directory, _process: process }
    }

    /// Pushes a local image under another name; that name.
    pub async fn push(&self, image: &str, name: &str, tag: &str, login: Option<(&str, &str)>) -> String {
        let docker = bollard::Docker::connect_with_defaults().unwrap();
        let repository = format!("127.0.0.1:{}/{name}", self.port);
        let options = TagImageOptionsBuilder::new().repo(&repository).tag(tag).build();
        docker.tag_image(image, Some(options)).await.unwrap();
        let credentials = login.map(|(name, password)| DockerCredentials {
            username: Some(name.to_owned()),
            password: Some(password.to_owned()),
            ..DockerCredentials::default()
        });
        let options = PushImageOptionsBuilder::new().tag(tag).build();
        let docker = docker.with_request_modifier(|mut request| {
            let header = request.headers_mut().get_mut("x-registry-auth");
            if let Some(value) = header {
                *value = value.to_str().unwrap().replace('+', "-").replace('/', "_").parse().unwrap();
            }
            request
        });
        docker.push_image(&repository, Some(options), credentials).try_collect::<Vec<_>>().await.unwrap();
        format!("{repository}:{tag}")
    }

    /// Puts a manifest as it is; its tag.
    pub async fn put_manifest(&self, name: &str, tag: &str, kind: &str, manifest: &str) {
        let head = format!(
            "PUT /v2/{name}/manifests/{tag} HTTP/1.0\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            manifest.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(format!("{head}{manifest}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.0 201"), "{answer}");
    }

    /// The largest blob: an image's layer.
    pub fn largest_blob(&self) -> PathBuf {
        let blobs = self.directory.path().join("data/docker/registry/v2/blobs/sha256");
        let under = |path: PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let all = under(blobs).flat_map(under).map(|path| path.join("data"));
        all.max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap()
    }
}

/// A way to a registry that stops carrying answers after so many bytes, without closing.
pub struct StallingWay {
    pub port: u16,
    accepting: AbortHandle,
}

impl StallingWay {
    pub async fn to(port: u16, after: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let carried = Arc::new(AtomicU64::new(0));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target, carried.clone(), after));
            }
        });
        Self { port: own, accepting: accepting.abort_handle() }
    }
}

impl Drop for StallingWay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, target: SocketAddr, carried: Arc<AtomicU64>, limit: u64) {
    let server = TcpStream::connect(target).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let answering = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if carried.fetch_add(count as u64, Ordering::Relaxed) >= limit {
                std::future::pending::<()>().await;
            }
            if to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
        let _ = to_client.shutdown().await;
    };
    let _ = tokio::join!(asking, answering);
}
