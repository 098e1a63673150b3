//! Certificates of one's own, on the real engine.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::host::{Host, Said, bounded, docker};
use crate::site::get;

struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key as files.
struct Files {
    chain: String,
    key: String,
    /// A line of the key that is nowhere to be seen.
    secret: String,
    der: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { root: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn issue(&self, dir: &Path, file: &str, names: &[&str], years: std::ops::Range<i32>) -> Files {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let certificate = params.signed_by(&key, &self.root).unwrap();
        let write = |name: String, text: &str| {
            std::fs::write(dir.join(&name), text).unwrap();
            dir.join(name).to_str().unwrap().to_owned()
        };
        let pem = key.serialize_pem();
        Files {
            chain: write(format!("{file}.crt"), &(certificate.pem() + &self.root.pem())),
            key: write(format!("{file}.key"), &pem),
            secret: pem.lines().nth(1).unwrap().to_owned(),
            der: certificate.der().to_vec(),
        }
    }

    fn get(&self, port: u16, name: &str, path: &str) -> (u16, String, Vec<u8>) {
        get(self.root.der(), port, name, path)
    }
}

fn run(host: &Host, https: u16, args: &[&str]) -> Said {
    let mut command = host.command(args);
    command.env("ONCE_HTTPS_PORT", https.to_string());
    Said::of(&bounded(command))
}

#[test]
fn a_certificate_of_ones_own_is_checked_served_replaced_and_told_to_nobody() {
    let host = Host::new();
    let https = crate::ports::free().unwrap();
    let image = host.image("1", &[]);
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (first, second) = (
        authority.issue(dir.path(), "first", &["app.test", "www.app.test"], 2020..2090),
        authority.issue(dir.path(), "second", &["*.app.test", "app.test"], 2020..2090),
    );
    let over = authority.issue(dir.path(), "over", &["app.test", "www.app.test"], 2019..2020);
    let other = authority.issue(dir.path(), "other", &["other.test"], 2020..2090);
    let deploy = |chain: &str, key: &str| {
        let hosts = ["--host", "app.test", "--host", "www.app.test"];
        let tls = ["--tls", "custom", "--tls-cert", chain, "--tls-key", key, "--json"];
        run(&host, https, &[&["deploy", &image, "--name", "app"][..], &hosts, &tls].concat())
    };
    // What cannot be used is turned down before anything is made.
    for (chain, key, why) in [
        (&first.chain, &second.key, "does not belong to this certificate"),
        (&over.chain, &over.key, "it expired on 2020-01-01"),
        (&other.chain, &other.key, "does not hold for app.test, www.app.test; it holds for other.test"),
        (&first.key, &first.key, "holds no certificate"),
        (&first.chain, &first.chain, "holds no private key"),
    ] {
        let said = deploy(chain, key);
        let told = said.expect(2, "rejected");
        assert!(told.to_string().contains(why), "{why}: {told}");
    }
    assert!(host.containers().iter().all(|(name, _)| !name.contains("-app-")), "{:?}", host.containers());

    let made = deploy(&first.chain, &first.key);
    let finished = made.expect(0, "created");
    assert_eq!(finished["url"], format!("https://app.test:{https}"), "{finished}");
    let (status, body, shown) = authority.get(https, "app.test", "/version");
    assert_eq!((status, body.as_str()), (200, "1"));
    assert_eq!(shown, first.der);
    assert_eq!(host.get("www.app.test", "/version").0, 301);
    deploy(&first.chain, &first.key).expect(0, "unchanged");

    // Another one is a difference of its own, and costs no new release.
    let plan = |expected: i32| {
        let files = ["--tls-cert", &second.chain, "--tls-key", &second.key];
        let args = [&["plan", "--name", "app", "--detailed-exitcode", "--json"][..], &files].concat();
        let said = run(&host, https, &args);
        assert_eq!(said.code, expected, "{said:#?}");
        let planned = said.json().into_iter().find(|event| event["event"] == "planned").unwrap();
        planned["plan"]["changes"].clone()
    };
    let until = "until 2090-01-01, custom";
    let change = |name: &str| {
        let field = format!("certificate.{name}");
        serde_json::json!({ "field": field, "from": until, "to": until, "cost": "route" })
    };
    assert_eq!(plan(10), serde_json::json!([change("app.test"), change("www.app.test")]));
    let replaced = run(&host, https, &["set", "app", "--tls-cert", &second.chain, "--tls-key", &second.key, "--json"]);
    replaced.expect(0, "updated");
    assert_eq!(authority.get(https, "www.app.test", "/version").2, second.der);
    assert_eq!(plan(0), serde_json::json!([]));
    assert_eq!(host.once(&["releases", "app", "--json"]).json().len(), 1);

    // It comes through a restart of the proxy, and nobody else may read it.
    let proxy = format!("{}-proxy", host.namespace);
    docker(&["restart", "--time", "5", &proxy]);
    let status = crate::host::eventually("the proxy", std::time::Duration::from_secs(30), || {
        let status = host.once(&["proxy", "status", "--json"]);
        (status.code == 0).then_some(status)
    });
    let certificates = &status.json()[0]["certificates"];
    assert_eq!(certificates.as_array().map(Vec::len), Some(2), "{status:#?}");
    assert_eq!(certificates[0]["certificate"]["source"], "custom");
    assert_eq!(authority.get(https, "app.test", "/version").2, second.der);
    let mount = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &proxy]);
    if let Ok(file) = std::fs::metadata(Path::new(mount.trim()).join("certs/app.test.json")) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    let shown = host.once(&["show", "app"]);
    assert!(shown.stdout.contains("until 2090-01-01, custom"), "{shown:#?}");
    let told = [made, replaced, status, shown];
    let asked = [&["releases", "app", "--json"][..], &["activity", "--json"], &["proxy", "logs"], &["env", "app"]];
    for said in told.into_iter().chain(asked.map(|args| host.once(args))) {
        for secret in [&first.secret, &second.secret] {
            assert!(!said.stdout.contains(secret) && !said.stderr.contains(secret), "{said:#?}");
        }
    }
    let inspected = docker(&["inspect", &proxy, &format!("{}-app-1", host.namespace)]);
    assert!(!inspected.contains(&first.secret) && !inspected.contains(&second.secret));

    // The certificate outlives its app.
    assert_eq!(host.once(&["remove", "app", "--yes"]).code, 0);
    assert_eq!(authority.get(https, "app.test", "/version").0, 421);
}

/// A port nobody asked for is not insisted on, one that was asked for is.
#[test]
fn a_port_that_was_asked_for_and_is_taken_is_an_error() {
    let host = Host::new();
    let taken = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let image = host.image("1", &[]);
    let said = run(&host, taken.local_addr().unwrap().port(), &["deploy", &image, "--name", "app", "--json"]);
    let told = said.expect(3, "environment").to_string();
    assert!(told.contains("port-taken") && told.contains("ONCE_HTTPS_PORT"), "{told}");
    assert!(host.containers().is_empty(), "{:?}", host.containers());
    drop(taken);
    host.deploy(&image, &[]).expect(0, "created");
    assert_eq!(host.get("app.localhost", "/version"), (200, "1".to_owned()));
}
