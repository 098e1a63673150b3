//! Images that declare a `VOLUME`, on the real engine: every byte is there after whatever is done to the app.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::host::{Host, docker, eventually};

/// An image like `base` that has the file `/data/seed` of another user in it, and declares these; its tag.
fn declaring(host: &Host, base: &str, version: &str, seed: &str, changes: &[&str]) -> String {
    let (tag, container) =
        (format!("{}-declares:{version}", host.namespace), format!("{}-build-{version}", host.namespace));
    host.adopt_image(&tag);
    docker(&["create", "--name", &container, "--label", &format!("once.namespace={}", host.namespace), base]);
    put(&container, "/", &[("data/", ""), ("data/seed", seed)]);
    let mut args = vec!["commit", "--change", "LABEL once.namespace="];
    let version = format!("ENV DEMO_VERSION={version}");
    changes.iter().chain([&version.as_str()]).for_each(|change| args.extend(["--change", change]));
    args.extend([&*container, &*tag]);
    assert!(docker(&args).starts_with("sha256:"), "{args:?}");
    docker(&["rm", &container]);
    tag
}

/// Files into a container, running or not, owned by user 1000; a name that ends in `/` is a directory.
fn put(container: &str, directory: &str, files: &[(&str, &str)]) {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(if name.ends_with('/') { 0o755 } else { 0o644 });
        header.set_uid(1000);
        header.set_gid(1000);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    let target = format!("{container}:{directory}");
    let mut copy = Command::new("docker").args(["cp", "-a", "-", &target]).stdin(Stdio::piped()).spawn().unwrap();
    copy.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert!(copy.wait().unwrap().success(), "{target}");
}

/// A file of a container: its content and who owns it.
fn read(container: &str, path: &str) -> Option<(String, u64)> {
    let output = Command::new("docker").args(["cp", &format!("{container}:{path}"), "-"]).output().unwrap();
    let mut archive = tar::Archive::new(output.stdout.as_slice());
    let mut entry = archive.entries().ok()?.next()?.ok()?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    Some((text, entry.header().uid().unwrap()))
}

fn serving(host: &Host) -> String {
    let running = host.running();
    assert_eq!(running.len(), 1, "{running:?}");
    running[0].clone()
}

/// What is mounted in a container: path and volume.
fn mounted(host: &Host, container: &str) -> Vec<(String, String)> {
    let format = "{{range .Mounts}}{{.Destination}} {{.Name}}\n{{end}}";
    let text = host.inspect(container, format);
    let mut found: Vec<_> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(p, v)| (p.to_owned(), v.to_owned())).collect();
    found.sort();
    found
}

fn anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|b| b.is_ascii_hexdigit())
}

/// No container of the namespace, task or release, has a volume without a name.
fn none_anonymous(host: &Host) {
    for (container, _) in host.containers() {
        assert!(mounted(host, &container).iter().all(|(_, volume)| !anonymous(volume)), "{container}");
    }
}

const DECLARED: [&str; 2] = ["VOLUME /data/", "VOLUME /storage/cache"];

#[test]
fn every_byte_outlives_what_is_done_to_an_app() {
    let host = Host::new();
    let base = host.image("base", &[]);
    let image = |version: &str| declaring(&host, &base, version, &format!("seed {version}"), &DECLARED);
    let (one, two) = (image("1"), image("2"));
    let said = host.deploy(&one, &["--release-command", "/once completions fish"]);
    said.expect(0, "created");
    assert!(said.stdout.contains("the image declares VOLUME /data"), "{said:#?}");
    let first = serving(&host);
    let volumes = mounted(&host, &first);
    let at = |path: &str| volumes.iter().find(|(p, _)| p == path).unwrap_or_else(|| panic!("{volumes:?}")).1.clone();
    assert!(at("/data").starts_with(&format!("{}-app_data-", host.namespace)), "{volumes:?}");
    assert!(at("/storage/cache").starts_with(&format!("{}-app_cache-", host.namespace)), "{volumes:?}");
    assert_eq!(read(&first, "/data/seed"), Some(("seed 1".into(), 1000)), "as the image has it");
    put(&first, "/data", &[("rows", "all of them"), ("deep/", ""), ("deep/row", "one")]);
    put(&first, "/storage/cache", &[("warm", "yes")]);

    let all_there = |what: &str| {
        let container = serving(&host);
        assert_eq!(mounted(&host, &container), volumes, "{what}");
        let found = ["/data/rows", "/data/deep/row", "/data/seed", "/storage/cache/warm"].map(|p| read(&container, p));
        let expected = ["all of them", "one", "seed 1", "yes"].map(|text| Some((text.to_owned(), 1000)));
        assert_eq!(found, expected, "{what}");
        none_anonymous(&host);
    };
    all_there("at first");
    let said = host.deploy(&two, &[]);
    said.expect(0, "updated");
    assert!(said.stdout.contains("hold"), "two must not run on it at once: {said:#?}");
    assert_eq!(host.version(), "2");
    all_there("after a deploy");
    host.deploy(&one, &["-e", "DEMO_MODE=never-healthy", "--health-timeout", "2"]).expect(5, "failed");
    all_there("after a failed deploy");
    let refused = host.deploy(&one, &["--canary", "10%"]).expect(7, "refused");
    assert_eq!(refused["code"], "canary-handover", "{refused:#}");
    host.json(&["restart", "app"]).expect(0, "updated");
    all_there("after a restart");
    host.json(&["rollback", "app", "1"]).expect(0, "updated");
    assert_eq!(host.version(), "1");
    all_there("after a rollback");
    host.json(&["rename", "app", "store"]).expect(0, "updated");
    host.json(&["restart", "store"]).expect(0, "updated");
    all_there("after a rename");

    // The ledger is lost and made again.
    docker(&["rm", "-f", &host.proxy()]);
    docker(&["volume", "rm", &host.proxy()]);
    host.once(&["doctor", "--fix"]);
    all_there("after the ledger was made again");
    host.json(&["deploy", &two, "--name", "store", "--host", "app.localhost"]).expect(0, "updated");
    all_there("after the deploy behind that");

    let names: Vec<String> = ["/data", "/storage", "/storage/cache"].map(at).into();
    host.json(&["remove", "store", "--yes"]).expect(0, "updated");
    assert_eq!(host.containers(), []);
    assert!(names.iter().all(|name| host.volumes().contains(name)), "{:?}", host.volumes());
    host.json(&["rollback", "store"]).expect(0, "created");
    all_there("after it was removed and brought back");
    host.json(&["teardown", "--yes"]).expect(0, "updated");
    host.json(&["deploy", &base, "--name", "other"]).expect(0, "created");
    assert_ne!(host.get("app.localhost", "/version").0, 200, "it does not come back unasked");
    let listed = host.once(&["list"]);
    assert!(format!("{listed:?}").contains("store"), "{listed:#?}");
    host.json(&["remove", "other", "--data", "--yes"]).expect(0, "updated");
    host.json(&["rollback", "store"]).expect(0, "created");
    all_there("after a teardown");
    host.json(&["remove", "store", "--data", "--yes"]).expect(0, "updated");
    assert!(names.iter().all(|name| !host.volumes().contains(name)), "{:?}", host.volumes());
}

#[test]
fn what_a_failed_first_deploy_wrote_stays_and_nothing_else() {
    let host = Host::new();
    let base = host.image("base", &[]);
    let image = declaring(&host, &base, "1", "seed", &DECLARED);
    let failing = ["deploy", &image, "--name", "app", "-e", "DEMO_MODE=never-healthy", "--health-timeout", "8"];
    // Nothing was written: what the image itself has under the path is no data. It ends before it is asked for anything,
    // for the demo app counts whoever asks for its page.
    host.json(&["deploy", &image, "--name", "app", "-e", "DEMO_MODE=exit"]).expect(5, "failed");
    assert_eq!(host.volumes(), [] as [String; 0]);

    let deploy = host.begin(&failing);
    let candidate = eventually("the candidate", Duration::from_secs(30), || host.running().first().cloned());
    put(&candidate, "/data", &[("rows", "imported")]);
    let finished = deploy.end().expect(5, "failed");
    let kept = host.volumes();
    assert!(kept.iter().any(|name| name.contains("app_data-")), "{kept:?}");
    assert!(kept.iter().all(|name| !name.contains("app_cache-")), "nothing was written there: {kept:?}");
    assert!(kept.iter().all(|name| finished["warnings"].to_string().contains(name)), "{finished:#}");
    assert_eq!(host.containers(), []);
    host.json(&["deploy", &image, "--name", "app"]).expect(0, "created");
    assert_eq!(read(&serving(&host), "/data/rows"), Some(("imported".into(), 1000)));
}

/// Removes what carries no label of ours.
struct Theirs(String, Vec<String>);

impl Drop for Theirs {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.0]);
        for name in &self.1 {
            // An app that was taken over may still have it.
            for id in docker(&["ps", "-aq", "--filter", &format!("volume={name}")]).lines() {
                docker(&["rm", "-f", id]);
            }
            docker(&["volume", "rm", "-f", name]);
        }
    }
}

#[test]
fn an_adopted_container_keeps_its_anonymous_named_and_host_mounts() {
    let host = Host::new();
    let base = host.image("base", &[]);
    let image = declaring(&host, &base, "1", "seed", &["VOLUME /data"]);
    let name = format!("{}-theirs", host.namespace);
    let (named, directory) = (format!("{}-pages", host.namespace), tempfile::tempdir().unwrap());
    let mut theirs = Theirs(name.clone(), vec![named.clone()]);
    std::fs::write(directory.path().join("file"), "host").unwrap();
    let bind = format!("{}:/host", directory.path().display());
    docker(&["run", "-d", "--name", &name, "-v", &format!("{named}:/pages"), "-v", &bind, &image]);
    put(&name, "/data", &[("rows", "all")]);
    put(&name, "/pages", &[("page", "one")]);
    let before = mounted(&host, &name);
    let data = before.iter().find(|(path, _)| path == "/data").unwrap().1.clone();
    assert!(anonymous(&data), "{before:?}");
    theirs.1.push(data.clone());
    let all_there = |container: &str| {
        let found = ["/data/rows", "/pages/page", "/host/file"].map(|path| read(container, path).map(|(text, _)| text));
        assert_eq!(found, ["all", "one", "host"].map(|text| Some(text.to_owned())), "{container}");
        assert!(mounted(&host, container).contains(&("/data".into(), data.clone())), "{container}");
    };
    host.json(&["adopt", &name, "--name", "app", "--host", "app.localhost", "--yes"]).expect(0, "created");
    let said = host.deploy(&image, &["-e", "DEMO_VERSION=2"]);
    said.expect(0, "updated");
    assert!(said.stdout.contains("hold"), "two must not run on it at once: {said:#?}");
    assert_eq!(host.version(), "2");
    all_there(&serving(&host));
    host.json(&["restart", "app"]).expect(0, "updated");
    all_there(&serving(&host));
    host.json(&["rollback", "app", "1"]).expect(0, "updated");
    all_there(&name);
    host.json(&["remove", "app", "--yes"]).expect(0, "updated");
    for volume in [&data, &named] {
        assert_eq!(docker(&["volume", "inspect", "--format", "{{.Name}}", volume]).trim(), volume, "it was promised");
    }
    host.json(&["rollback", "app"]).expect(0, "created");
    all_there(&serving(&host));
    host.json(&["remove", "app", "--data", "--yes"]).expect(0, "updated");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={data}")]), "", "it was the app's own");
    assert_eq!(docker(&["volume", "ls", "-q", "--filter", &format!("name={named}")]).trim(), named, "it was not");
}

#[test]
fn a_fresh_volume_is_writable_for_the_images_user() {
    let host = Host::new();
    let base = host.image("base", &[]);
    // Nothing of `/pages` or `/fresh` is in the image.
    let image = declaring(&host, &base, "1", "seed", &["USER 1234:2345", "VOLUME /fresh", "ENV PORT=8080"]);
    host.deploy(&image, &["--port", "8080", "--volume", "pages:/pages"]).expect(0, "created");
    let container = serving(&host);
    for path in ["/fresh", "/pages", "/storage"] {
        let output = Command::new("docker").args(["cp", &format!("{container}:{path}"), "-"]).output().unwrap();
        let mut archive = tar::Archive::new(output.stdout.as_slice());
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (1234, 2345), "{path}");
    }
    assert_eq!(host.get("app.localhost", "/").0, 200);
    assert!(read(&container, "/storage/visits").is_some(), "the app writes there");
}
