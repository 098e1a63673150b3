//! A host whose proxy gets its certificates from pebble: the real command, the proxy in its container.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::host::{Host, Said, docker, eventually, run};
use crate::support::dns::Zone;
use crate::support::pebble::{Pebble, Wish};
use crate::support::probe;

/// Public ports as the world sees them are 80 and 443. A container of this name's has them, as a router in front of the
/// host would; the engine's own DNS leads there.
const ROUTER: [&str; 2] = ["80=proxy:8080", "443=proxy:8443"];

/// A host with a proxy that gets its certificates from pebble.
pub struct Site {
    pub host: Host,
    pub https: u16,
    pub pebble: Pebble,
    zone: Zone,
    _runtime: Runtime,
    pub image: String,
    _files: TempDir,
}

impl Site {
    pub fn new() -> Self {
        Self::with(Wish::default())
    }

    /// An authority that is like this.
    pub fn with(wish: Wish) -> Self {
        let host = Host::new();
        let https = crate::ports::free().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // Containers reach this machine by the address it has in their network, which comes with the proxy.
        let mut made = host.command(&["proxy", "configure", "--access-log", "on"]);
        made.env("ONCE_HTTPS_PORT", https.to_string());
        assert_eq!(run(made).code, 0);
        let network = ["network", "inspect", &host.namespace, "--format", "{{(index .IPAM.Config 0).Gateway}}"];
        let at: Ipv4Addr = docker(&network).trim().parse().unwrap();
        let zone = Zone::default();
        let wish = Wish { at: Some(at), ..wish };
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

    pub fn once(&self, args: &[&str]) -> Said {
        run(self.ported(self.host.command(args)))
    }

    /// A command that knows the proxy's ports.
    pub fn ported(&self, mut command: Command) -> Command {
        command.env("ONCE_HTTPS_PORT", self.https.to_string());
        command
    }

    pub fn deploy(&self, name: &str, more: &[&str]) -> Said {
        self.once(&[&["deploy", &self.image, "--name", "shop", "--host", name, "--json"], more].concat())
    }

    /// The names lead to the proxy, from inside of the engine and for the authority.
    pub fn lead_here(&self, names: &[&str]) {
        for name in names {
            self.zone.point(name, [127, 0, 0, 1]);
        }
        let proxy = self.host.proxy();
        let ways = ROUTER.map(|way| way.replace("proxy", &proxy));
        self.beside("router", names, &[&["/probe", "relay"], &ways.each_ref().map(String::as_str)[..]].concat());
        let router = format!("{}-router", self.host.namespace);
        eventually("the router", Duration::from_secs(20), || {
            docker(&["logs", &router]).contains("relaying").then_some(())
        });
    }

    /// The name leads to somebody else.
    pub fn lead_elsewhere(&self, name: &str) {
        self.beside("stranger", &[name], &[]);
    }

    /// A container on the apps' network that has these names; the demo app, or a program of its own.
    fn beside(&self, what: &str, names: &[&str], program: &[&str]) {
        let namespace = &self.host.namespace;
        let (label, probe) = (format!("once.namespace={namespace}"), format!("{}:/probe:ro", probe::path().display()));
        let container = format!("{namespace}-{what}");
        let mut args = vec!["run", "-d", "--name", &container, "--label", &label, "--network", namespace];
        args.extend(names.iter().flat_map(|name| ["--network-alias", name]));
        args.extend(["-v", &probe]);
        if let Some(first) = program.first() {
            args.extend(["--entrypoint", first]);
        }
        args.push(&self.image);
        args.extend(program.iter().skip(1));
        assert!(!docker(&args).is_empty(), "{args:?}");
    }

    /// Status, body and certificate over HTTPS, checked against the authority's root.
    pub fn secure(&self, root: &str, name: &str, path: &str) -> (u16, String, Vec<u8>) {
        get(&CertificateDer::from_pem_slice(root.as_bytes()).unwrap(), self.https, name, path)
    }

    /// What `show --json` tells of the app's only certificate.
    pub fn certificate(&self) -> Value {
        let shown = self.once(&["show", "shop", "--json"]);
        let object = shown.json().remove(0);
        assert_eq!(object["certificates"].as_array().map(Vec::len), Some(1), "{object}");
        object["certificates"][0].clone()
    }

    /// Files in the volume, as `tar -tv` lists them.
    pub fn files(&self) -> Vec<String> {
        let copy = format!("docker cp {}:/state - | tar -tvf -", self.host.proxy());
        let listed = Command::new("sh").args(["-c", &copy]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Status, body, and the certificate that was shown, which has to be signed by this root.
pub fn get(root: &CertificateDer<'static>, port: u16, name: &str, path: &str) -> (u16, String, Vec<u8>) {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), server).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let mut stream = StreamOwned::new(connection, socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body, stream.conn.peer_certificates().unwrap()[0].to_vec())
}
