//! Images from a registry: asked first, pulled only where there is something newer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;

use crate::host::{Host, Said, bounded, docker, eventually};

/// Debian's `docker-registry` on a port of the loopback. Ends when dropped.
struct Registry {
    port: u16,
    directory: tempfile::TempDir,
    process: Child,
}

impl Registry {
    fn open() -> Self {
        Self::start(None)
    }

    fn start(login: Option<(&str, &str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = crate::ports::free().unwrap();
        let path = directory.path().display();
        let mut config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {path}/data\n\
             http:\n  addr: 127.0.0.1:{port}\n"
        );
        if let Some((name, password)) = login {
            let made = Command::new("htpasswd").args(["-Bbn", name, password]).output().unwrap();
            assert!(made.status.success(), "htpasswd of apache2-utils");
            std::fs::write(directory.path().join("htpasswd"), made.stdout).unwrap();
            config += &format!("auth:\n  htpasswd:\n    realm: test\n    path: {path}/htpasswd\n");
        }
        let file = directory.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let log = || std::fs::OpenOptions::new().create(true).append(true).open(directory.path().join("log")).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("docker-registry of Debian is installed");
        eventually("a registry", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, directory, process }
    }

    fn reference(&self, name: &str) -> String {
        format!("127.0.0.1:{}/{name}", self.port)
    }

    /// Pushes an image; the engine forgets it, both under its own name and the registry's.
    fn push(&self, host: &Host, image: &str, reference: &str, config: Option<&Path>) {
        docker(&["tag", image, reference]);
        host.adopt_image(reference);
        let mut push = Command::new("docker");
        push.args(["push", "-q", reference]);
        push.env("DOCKER_CONFIG", config.unwrap_or(self.directory.path()));
        let said = Said::of(&bounded(push));
        assert_eq!(said.code, 0, "{said:#?}");
        docker(&["rmi", reference]);
        docker(&["rmi", image]);
        assert_eq!(docker(&["image", "ls", "-q", reference]), "");
    }

    /// What was asked of it, as in `GET /v2/…`.
    fn asked(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap();
        let asked = |line: &str| line.split('"').nth(1).filter(|r| r.contains(" /v2/")).map(str::to_owned);
        log.lines().filter_map(asked).collect()
    }

    /// The engine reads an image's configuration when it is asked for a digest, and once more when it pulls.
    fn blobs_fetched(&self) -> usize {
        self.asked().iter().filter(|r| r.starts_with("GET") && r.contains("/blobs/sha256:")).count()
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.end();
    }
}

/// An image no other test has: else its configuration would be here already. Its layer is, and stays: the engine fetches a
/// layer once for all who want it, so that a pull made to stall would hold up the pulls of other tests.
fn unique(host: &Host, version: &str) -> String {
    host.image(&format!("{version}-layer"), &[]);
    host.image(version, &[("MADE_FOR", &host.namespace)])
}

fn warnings(finished: &Value) -> String {
    finished["warnings"].to_string()
}

#[test]
fn a_tag_is_asked_for_and_pulled_only_where_it_moved() {
    let host = Host::new();
    let mut registry = Registry::open();
    let tag = registry.reference("shop:1");
    registry.push(&host, &unique(&host, "1"), &tag, None);

    let before = registry.blobs_fetched();
    let first = host.deploy(&tag, &[]);
    first.expect(0, "created");
    assert_eq!(host.version(), "1");
    let pulled = registry.blobs_fetched();
    assert!(pulled > before + 1, "it was pulled: {:#?}", registry.asked());

    let asked = registry.asked().len();
    let container = host.running();
    host.deploy(&tag, &[]).expect(0, "unchanged");
    assert!(registry.blobs_fetched() <= pulled + 1, "nothing was pulled: {:#?}", registry.asked());
    assert!(registry.asked().len() > asked, "it was asked");
    assert_eq!(host.running(), container);

    let digest = docker(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", &tag]).trim().to_owned();
    host.adopt_image(&digest);
    // By digest it is the same image: what is recorded is the name, nothing restarts.
    let by_digest = host.deploy(&digest, &[]);
    assert_eq!(by_digest.code, 0, "{by_digest:#?}");
    assert_eq!(host.running(), container);
    host.deploy(&tag, &[]).expect(0, "updated");
    assert_eq!(host.running(), container);

    registry.push_over(&host, &unique(&host, "2"), &tag);
    host.json(&["set", "app", "A=1"]).expect(0, "updated");
    assert_eq!(host.version(), "1", "without an image given the digest stays, whatever the tag says");
    host.deploy(&tag, &[]).expect(0, "updated");
    assert_eq!(host.version(), "2");
    // Back by what is pinned.
    host.json(&["rollback", "app"]).expect(0, "updated");
    assert_eq!(host.version(), "1");
    host.deploy(&tag, &[]).expect(0, "updated");

    registry.end();
    let offline = host.deploy(&tag, &[]).expect(0, "unchanged");
    assert!(warnings(&offline).contains("the copy the engine has is used"), "{offline:#}");
    let always = host.deploy(&tag, &["--pull", "always"]).expect(3, "environment");
    assert_eq!((always["code"].as_str(), always["serving"].is_null()), (Some("registry-unreachable"), false));
    let other = host.deploy(&registry.reference("shop:9"), &[]).expect(3, "environment");
    assert_eq!((other["code"].as_str(), other["retryable"].as_bool()), (Some("registry-unreachable"), Some(true)));
    assert_eq!(host.version(), "2");
}

impl Registry {
    /// Moves a tag while the engine keeps its own copy of what it stood for.
    fn push_over(&self, host: &Host, image: &str, reference: &str) {
        let old = docker(&["image", "inspect", "--format", "{{.Id}}", reference]).trim().to_owned();
        docker(&["tag", image, reference]);
        let mut push = Command::new("docker");
        push.args(["push", "-q", reference]).env("DOCKER_CONFIG", self.directory.path());
        let said = Said::of(&bounded(push));
        assert_eq!(said.code, 0, "{said:#?}");
        host.adopt_image(&old);
        docker(&["tag", &old, reference]);
        docker(&["rmi", image]);
    }
}

fn config(registry: &Registry, user: &str, password: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let auth = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    let text = serde_json::json!({ "auths": { format!("127.0.0.1:{}", registry.port): { "auth": auth } } });
    std::fs::write(directory.path().join("config.json"), text.to_string()).unwrap();
    directory
}

#[test]
fn a_private_image_needs_the_right_login() {
    const PASSWORD: &str = "s3cret-pass-9Qx";
    let host = Host::new();
    let registry = Registry::start(Some(("ana", PASSWORD)));
    let tag = registry.reference("shop:1");
    let right = config(&registry, "ana", PASSWORD);
    registry.push(&host, &unique(&host, "1"), &tag, Some(right.path()));
    let deploy = |config: &Path| {
        let mut command = host.command(&["deploy", &tag, "--name", "app", "--host", "app.localhost", "--json"]);
        command.env("DOCKER_CONFIG", config);
        Said::of(&bounded(command))
    };
    let (empty, wrong) = (tempfile::tempdir().unwrap(), config(&registry, "ana", "wrong-pass-7Zk"));
    for (config, cause) in [(empty.path(), "no login for this registry"), (wrong.path(), "the login of ana was used")] {
        let said = deploy(config);
        let finished = said.expect(3, "environment");
        assert_eq!(finished["code"], "registry-unauthorised", "{finished:#}");
        assert!(finished["causes"].to_string().contains(cause), "{finished:#}");
        let hint = format!("docker login 127.0.0.1:{}", registry.port);
        assert!(finished["hints"].to_string().contains(&hint), "{finished:#}");
        assert!(!format!("{said:?}").contains("wrong-pass"), "{said:#?}");
        assert!(host.containers().is_empty() && host.volumes().is_empty(), "nothing is left of it");
    }
    let said = deploy(right.path());
    said.expect(0, "created");
    assert!(!format!("{said:?}").contains(PASSWORD), "{said:#?}");
    assert_eq!(host.version(), "1");
}

#[test]
fn a_pull_that_stalls_ends() {
    let host = Host::new();
    let registry = Registry::open();
    let tag = registry.reference("shop:1");
    registry.push(&host, &unique(&host, "1"), &tag, None);
    let port = stalling_way(registry.port);
    let began = Instant::now();
    let finished = host.deploy(&format!("127.0.0.1:{port}/shop:1"), &[]).expect(3, "environment");
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}", began.elapsed());
    assert_eq!(finished["retryable"], true, "{finished:#}");
    assert!(finished["message"].as_str().unwrap().contains("30"), "how long it waited: {finished:#}");
    assert!(host.containers().is_empty() && host.volumes().is_empty(), "nothing is left of it");
    host.deploy(&tag, &[]).expect(0, "created");
}

/// A way to a registry on which only the first blob comes: the configuration, when the digest is asked for.
fn stalling_way(registry: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let blobs = Arc::<AtomicUsize>::default();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", registry)) else { return };
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
            let blobs = Arc::clone(&blobs);
            std::thread::spawn(move || {
                let mut buffer = vec![0; 16 << 10];
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    let blob = buffer[..count].windows(7).any(|w| w == b"/blobs/");
                    let stalls = blob && blobs.fetch_add(1, Ordering::SeqCst) > 0;
                    if !stalls && server.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn images_beyond_the_kept_ones_go_and_come_again_by_digest() {
    let host = Host::new();
    let mut registry = Registry::open();
    let tags = ["shop:1", "shop:2"].map(|name| registry.reference(name));
    for (version, tag) in ["1", "2"].iter().zip(&tags) {
        registry.push(&host, &unique(&host, version), tag, None);
    }
    let here = |id: &str| docker(&["image", "ls", "-qa", "--no-trunc"]).lines().any(|line| line == id);
    let serving = || host.inspect(&host.running()[0], "{{.Image}}");
    host.deploy(&tags[0], &["--keep-images", "1", "--keep-containers", "0"]).expect(0, "created");
    let first = serving();
    let second = host.deploy(&tags[1], &[]).expect(0, "updated");
    assert_eq!(second["warnings"], serde_json::json!([]));
    let second = serving();
    assert_eq!((here(&first), here(&second)), (false, true));
    // Back by digest.
    host.json(&["rollback", "app", "1"]).expect(0, "updated");
    assert_eq!((host.version().as_str(), serving() == first), ("1", true));
    assert_eq!((here(&first), here(&second)), (true, false));
    // What nobody could give again stays.
    registry.end();
    host.deploy(&host.image("3", &[]), &[]).expect(0, "updated");
    assert!(here(&first), "its registry is gone");
    host.deploy(&host.image("4", &[]), &[]).expect(0, "updated");
    assert!(here(&first) && docker(&["image", "ls", "-q", &format!("{}-demo:3", host.namespace)]).len() > 1);
}
