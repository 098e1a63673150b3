//! Certificates from an authority: the real command, the proxy in its container, pebble.

use std::net::Ipv4Addr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certificates::get;
use crate::host::{Host, Said, docker, eventually, run};
use crate::support::dns::Zone;
use crate::support::pebble::{Pebble, Wish};
use crate::support::probe;

/// Public ports as the world sees them are 80 and 443. A container of this name's has them, as a router in front of the
/// host would; the engine's own DNS leads there.
const ROUTER: [&str; 2] = ["80=proxy:8080", "443=proxy:8443"];

/// A host with a proxy that gets its certificates from pebble.
struct Site {
    host: Host,
    https: u16,
    pebble: Pebble,
    zone: Zone,
    _runtime: Runtime,
    image: String,
    _files: TempDir,
}

impl Site {
    fn new() -> Self {
        let host = Host::new();
        let https = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Containers reach this machine by the address it has in their network, which comes with the proxy.
        let mut made = host.command(&["proxy", "configure", "--access-log", "on"]);
        made.env("ONCE_HTTPS_PORT", https.to_string());
        assert_eq!(run(made).code, 0);
        let network = ["network", "inspect", &host.namespace, "--format", "{{(index .IPAM.Config 0).Gateway}}"];
        let at: Ipv4Addr = docker(&network).trim().parse().unwrap();
        let zone = Zone::default();
        let wish = Wish { at: Some(at), ..Wish::default() };
        let pebble = runtime.block_on(Pebble::start(&zone, host.port, https, wish));
        let files = tempfile::tempdir().unwrap();
        let root = files.path().join("root.pem");
        std::fs::write(&root, &pebble.root).unwrap();
        let image = host.image("1", &[]);
        let site = Self { host, https, pebble, zone, _runtime: runtime, image, _files: files };
        let acme = ["--acme-directory", &site.pebble.directory(), "--acme-root", root.to_str().unwrap()];
        let said = site.once(&[&["proxy", "configure", "--json"][..], &acme].concat());
        assert_eq!(said.code, 0, "{said:#?}");
        site
    }

    fn once(&self, args: &[&str]) -> Said {
        let mut command = self.host.command(args);
        command.env("ONCE_HTTPS_PORT", self.https.to_string());
        run(command)
    }

    fn deploy(&self, name: &str, more: &[&str]) -> Said {
        self.once(&[&["deploy", &self.image, "--name", "shop", "--host", name, "--json"], more].concat())
    }

    /// The name leads to the proxy, from inside of the engine and for the authority.
    fn lead_here(&self, name: &str) {
        self.zone.point(name, [127, 0, 0, 1]);
        let proxy = self.host.proxy();
        let ways = ROUTER.map(|way| way.replace("proxy", &proxy));
        self.beside("router", name, &[&["/probe", "relay"], &ways.each_ref().map(String::as_str)[..]].concat());
        let router = format!("{}-router", self.host.namespace);
        eventually("the router", Duration::from_secs(20), || {
            docker(&["logs", &router]).contains("relaying").then_some(())
        });
    }

    /// The name leads to somebody else.
    fn lead_elsewhere(&self, name: &str) {
        self.beside("stranger", name, &[]);
    }

    /// A container on the apps' network that has a name; the demo app, or a program of its own.
    fn beside(&self, what: &str, name: &str, program: &[&str]) {
        let namespace = &self.host.namespace;
        let (label, probe) = (format!("once.namespace={namespace}"), format!("{}:/probe:ro", probe::path().display()));
        let container = format!("{namespace}-{what}");
        let mut args = vec!["run", "-d", "--name", &container, "--label", &label, "--network", namespace];
        args.extend(["--network-alias", name, "-v", &probe]);
        if let Some(first) = program.first() {
            args.extend(["--entrypoint", first]);
        }
        args.push(&self.image);
        args.extend(program.iter().skip(1));
        assert!(!docker(&args).is_empty(), "{args:?}");
    }

    /// Status, body and certificate over HTTPS, checked against the authority's root.
    fn secure(&self, root: &str, name: &str, path: &str) -> (u16, String, Vec<u8>) {
        get(&CertificateDer::from_pem_slice(root.as_bytes()).unwrap(), self.https, name, path)
    }

    /// What `show --json` tells of the app's only certificate.
    fn certificate(&self) -> Value {
        let shown = self.once(&["show", "shop", "--json"]);
        let object = shown.json().remove(0);
        assert_eq!(object["certificates"].as_array().map(Vec::len), Some(1), "{object}");
        object["certificates"][0].clone()
    }

    /// Files in the volume, as `tar -tv` lists them.
    fn files(&self) -> Vec<String> {
        let copy = format!("docker cp {}:/state - | tar -tvf -", self.host.proxy());
        let listed = std::process::Command::new("sh").args(["-c", &copy]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// The steps that ended well, in their order, with what they said.
fn steps(said: &Said) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let ended = said.json().into_iter().filter(|event| event["event"] == "step-finished");
    ended.map(|event| (text(&event["step"]), text(&event["detail"]))).collect()
}

fn place(steps: &[(String, String)], step: &str) -> usize {
    steps.iter().position(|(s, _)| s == step).unwrap_or_else(|| panic!("no {step} in {steps:?}"))
}

#[test]
fn a_deploy_gets_a_certificate_and_proves_it_and_it_outlives_the_app() {
    let mut site = Site::new();
    let name = "shop.once-journey.com";
    site.lead_here(name);
    let said = site.deploy(name, &["--require-tls"]);
    let finished = said.expect(0, "created");
    assert_eq!(finished["url"], format!("https://{name}:{}", site.https), "{finished}");
    assert_eq!(finished["warnings"].as_array().map(Vec::len), Some(0), "{finished}");
    let told = steps(&said);
    let (certificate, switch, proof) = (place(&told, "certificate"), place(&told, "switch"), place(&told, "proof"));
    assert!(place(&told, "healthy") < certificate && certificate < switch && switch < proof, "{told:?}");
    assert!(told[certificate].1.starts_with(name) && told[certificate].1.ends_with(", new"), "{told:?}");
    assert!(told[proof].1.contains("a handshake through the public name shows it"), "{told:?}");

    // Answered with what the authority signed; plain requests are sent there.
    let root = site.pebble.issuing_root();
    let (status, body, first) = site.secure(&root, name, "/version");
    assert_eq!((status, body.as_str()), (200, "1"));
    assert_eq!(site.host.get(name, "/version").0, 301);
    let shown = site.certificate();
    assert_eq!((&shown["host"], &shown["state"], &shown["source"]), (&name.into(), &"valid".into(), &"acme".into()));
    assert!(shown["issuer"].as_str().unwrap().contains("Pebble"), "{shown}");
    assert_eq!(site.once(&["status", "shop", "--json"]).json()[0]["certificates"][0], shown);
    let told = site.once(&["show", "shop"]);
    assert!(told.stdout.contains(&format!("{name}: valid until ")), "{told:#?}");

    // Nobody else reads keys and accounts.
    let files = site.files();
    let secret: Vec<&String> = files.iter().filter(|f| f.contains("/certs/") || f.contains("/acme/")).collect();
    let plain = secret.iter().filter(|file| !file.ends_with('/'));
    assert!(plain.clone().count() >= 3, "{files:#?}");
    assert!(plain.clone().all(|file| file.starts_with("-rw------- ")), "{secret:#?}");
    assert!(secret.iter().filter(|f| f.ends_with('/')).all(|dir| dir.starts_with("drwx------ ")), "{secret:#?}");

    // From here on nobody could give another one.
    site.pebble.stop();
    let again = site.deploy(name, &["--require-tls", "--force"]);
    again.expect(0, "updated");
    let told = steps(&again);
    let kept = &told[place(&told, "certificate")].1;
    assert!(kept.starts_with(name) && !kept.contains("new"), "{kept}");
    assert_eq!(site.secure(&root, name, "/version").2, first);

    // Without the app, and with it again, and after a restart of the proxy.
    assert_eq!(site.once(&["remove", "shop", "--yes"]).code, 0);
    assert_eq!(site.secure(&root, name, "/version").0, 421);
    docker(&["restart", "--time", "5", &site.host.proxy()]);
    site.deploy(name, &["--require-tls"]).expect(0, "created");
    let (status, _, served) = site.secure(&root, name, "/version");
    assert_eq!((status, served), (200, first));
}

/// The plan of the same deploy: exit code, what it says, and its lines for people.
fn planned(site: &Site, name: &str) -> (i32, Value, String) {
    let args = ["plan", &site.image, "--name", "shop", "--host", name, "--detailed-exitcode"];
    let said = site.once(&[&args[..], &["--json"]].concat());
    let plan = said.json().into_iter().find(|event| event["event"] == "planned").unwrap_or_else(|| panic!("{said:#?}"));
    (said.code, plan["plan"].clone(), site.once(&args).stderr)
}

#[test]
fn a_certificate_alone_is_a_difference_once_the_name_leads_here() {
    let site = Site::new();
    let name = "late.once-journey.com";
    site.lead_elsewhere(name);
    let said = site.deploy(name, &[]);
    let warnings = said.expect(0, "created")["warnings"].to_string();
    assert!(warnings.contains("where something else answers") && warnings.contains("curl --resolve"), "{warnings}");
    // Nobody is sent where there is no certificate.
    assert_eq!(site.host.get(name, "/version"), (200, "1".to_owned()));
    assert_eq!(site.certificate()["state"], "waiting");
    let (code, plan, told) = planned(&site, name);
    assert_eq!(
        (code, plan["action"].as_str(), plan["changes"].as_array().map(Vec::len)),
        (0, Some("nothing"), Some(0))
    );
    assert!(told.contains("late.once-journey.com has no certificate yet: it does not lead to this proxy"), "{told}");
    site.deploy(name, &[]).expect(0, "unchanged");

    docker(&["rm", "-f", &format!("{}-stranger", site.host.namespace)]);
    site.lead_here(name);
    let (code, plan, told) = planned(&site, name);
    assert_eq!((code, plan["action"].as_str()), (10, Some("route")), "{plan}");
    let change = serde_json::json!({ "field": format!("certificate.{name}"), "from": null, "to": "from the authority", "cost": "route" });
    assert_eq!(plan["changes"], serde_json::json!([change]));
    assert!(told.contains("+ certificate.late.once-journey.com  from the authority  [re-route]"), "{told}");
    assert_eq!(site.certificate()["state"], "waiting", "a plan orders nothing");
    let said = site.deploy(name, &[]);
    assert_eq!(said.expect(0, "updated")["release"], Value::Null);
    assert_eq!(site.once(&["releases", "shop", "--json"]).json().len(), 1, "nothing restarts for it");

    let (code, plan, _) = planned(&site, name);
    assert_eq!((code, plan["action"].as_str()), (0, Some("nothing")), "{plan}");
    site.deploy(name, &[]).expect(0, "unchanged");
    assert_eq!(site.host.get(name, "/version").0, 301);
    assert_eq!(site.secure(&site.pebble.issuing_root(), name, "/version").1, "1");
}
