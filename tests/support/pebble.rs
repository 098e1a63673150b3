//! The authority, on ports of its own, ended with the test.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use super::dns::Zone;
use super::ports;
use tokio_util::task::AbortOnDropHandle;

/// What it says.
const LOG: &str = "pebble.log";

/// How an authority is to be.
#[derive(Clone, Copy, Default)]
pub struct Wish {
    /// Seconds a certificate is valid; 0: as pebble likes.
    pub validity: u64,
    /// Where it listens, for those who ask from inside of a container; else the loopback.
    pub at: Option<Ipv4Addr>,
    /// Whether accounts need a binding to another one: key id and key.
    pub binding: Option<(&'static str, &'static str)>,
}

pub struct Pebble {
    child: Child,
    config: TempDir,
    zone: Zone,
    at: Ipv4Addr,
    dns: (SocketAddr, AbortOnDropHandle<()>),
    pub port: u16,
    management: u16,
    /// PEM: what its own HTTPS certificate is signed by.
    pub root: String,
}

/// A root, and a certificate below it for `127.0.0.1` with its key, all PEM.
pub fn loopback_pair() -> (String, String, String) {
    pair(Ipv4Addr::LOCALHOST)
}

fn pair(at: Ipv4Addr) -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([at.to_string(), "localhost".to_owned()]).unwrap();
    // Else it is called as its issuer is, and taken for one that signed itself.
    params.distinguished_name.push(DnType::CommonName, "pebble");
    let leaf = params.signed_by(&key, &root).unwrap();
    (root.pem(), leaf.pem(), key.serialize_pem())
}

impl Pebble {
    /// It validates on these ports of `127.0.0.1`, or wherever the names lead.
    pub async fn start(zone: &Zone, http: u16, https: u16, wish: Wish) -> Self {
        let dns = zone.serve().await;
        let config = TempDir::new().unwrap();
        let at = wish.at.unwrap_or(Ipv4Addr::LOCALHOST);
        let (root, certificate, key) = pair(at);
        let (certificate_path, key_path) = (config.path().join("cert.pem"), config.path().join("key.pem"));
        std::fs::write(&certificate_path, certificate).unwrap();
        std::fs::write(&key_path, key).unwrap();
        let [port, management] = [(); 2].map(|()| ports::free().unwrap());
        let mut settings = json!({
            "listenAddress": format!("{at}:{port}"),
            "managementListenAddress": format!("{at}:{management}"),
            "certificate": certificate_path,
            "privateKey": key_path,
            "httpPort": http,
            "tlsPort": https,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": wish.binding.is_some(),
            "domainBlocklist": ["blocked.once.test"],
        });
        if wish.validity > 0 {
            settings["certificateValidityPeriod"] = wish.validity.into();
        }
        if let Some((kid, key)) = wish.binding {
            settings["externalAccountMACKeys"] = json!({ kid: key });
        }
        std::fs::write(config.path().join("pebble.json"), json!({ "pebble": settings }).to_string()).unwrap();
        let child = Self::spawn(&config, dns.0);
        let pebble = Self { child, config, zone: zone.clone(), at, dns, port, management, root };
        pebble.wait().await;
        pebble
    }

    fn spawn(config: &TempDir, dns: SocketAddr) -> Child {
        Command::new("pebble")
            .arg("-config")
            .arg(config.path().join("pebble.json"))
            .args(["-dnsserver", &dns.to_string()])
            .env("PEBBLE_VA_ALWAYS_VALID", "0")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "5")
            // Else a name that was valid once is not looked at again.
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdout(std::fs::File::create(config.path().join(LOG)).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble runs; bin/setup installs it")
    }

    async fn wait(&self) {
        for _ in 0..600 {
            if tokio::net::TcpStream::connect((self.at, self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("pebble does not listen");
    }

    pub fn directory(&self) -> String {
        format!("https://{}:{}/dir", self.at, self.port)
    }

    /// PEM: what its certificates are signed by. Another one after each [`Self::restart`].
    pub fn issuing_root(&self) -> String {
        let url = format!("https://{}:{}/roots/0", self.at, self.management);
        let root = self.config.path().join("root.pem");
        std::fs::write(&root, &self.root).unwrap();
        let asked = Command::new("curl").args(["-sf", "-m", "10", "--cacert"]).arg(root).arg(url).output().unwrap();
        assert!(asked.status.success(), "{asked:?}");
        String::from_utf8(asked.stdout).unwrap()
    }

    /// Orders that were placed there, since its last start.
    pub fn orders(&self) -> usize {
        self.said(" orders in the db")
    }

    /// Accounts that were made there, since its last start.
    pub fn accounts(&self) -> usize {
        self.said(" accounts in memory")
    }

    fn said(&self, words: &str) -> usize {
        let log = std::fs::read_to_string(self.config.path().join(LOG)).unwrap();
        log.lines().filter(|line| line.contains(words)).count()
    }

    /// Ends it; nobody answers.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Another one in its place, which knows nothing of what there was.
    pub async fn restart(&mut self) {
        self.stop();
        self.dns = self.zone.serve().await;
        self.child = Self::spawn(&self.config, self.dns.0);
        self.wait().await;
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
