//! HTTPS, with rustls as the client and certificates made here.

mod calls;
mod challenges;
mod flushes;
mod handshakes;
mod load;
mod misdirected;
mod redirects;

use std::net::SocketAddr;
use std::sync::Arc;

use once_app::{CertificatePair, CertificateSource, Secret};
use once_proxy::plane::{PlaneOptions, Serving};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error as TlsError, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Demo, House, PATIENCE, Reply, route_of};

/// Signs certificates that [`Authority::client`] believes.
pub struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for one that signs itself where its issuer has its name.
        params.distinguished_name.push(DnType::CommonName, "an authority of tests");
        Self { root: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    /// What a client has to believe in.
    pub fn pem(&self) -> String {
        self.root.pem()
    }

    pub fn issue(&self, names: &[&str]) -> CertificatePair {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.root).unwrap();
        CertificatePair { chain: certificate.pem() + &self.root.pem(), key: Secret::new(key.serialize_pem()) }
    }

    /// A client that offers these protocols by ALPN.
    pub fn client(&self, protocols: &[&str]) -> ClientConfig {
        self.client_of(protocols, rustls::DEFAULT_VERSIONS)
    }

    pub fn client_of(&self, protocols: &[&str], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        config
    }
}

/// A house that also listens for HTTPS.
pub struct TlsHouse {
    pub house: House,
    pub authority: Authority,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub serving: Serving,
}

impl TlsHouse {
    pub fn new() -> Self {
        Self::with(PlaneOptions::default())
    }

    pub fn with(options: PlaneOptions) -> Self {
        Self::on(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), options)
    }

    pub fn on(listener: std::net::TcpListener, options: PlaneOptions) -> Self {
        let house = House::with(options);
        let stop = CancellationToken::new();
        let serving = house.plane.serve_tls(listener, stop.clone()).unwrap();
        Self { house, authority: Authority::new(), address: serving.local_addr(), stop, serving }
    }

    /// An app with a certificate of its own, at `/version` its name.
    pub async fn app(&self, name: &str, hosts: &[&str]) -> Demo {
        let demo = self.app_without(name, hosts).await;
        self.install(hosts);
        demo
    }

    pub async fn app_without(&self, name: &str, hosts: &[&str]) -> Demo {
        let demo = Demo::start(name).await;
        let mut route = route_of(name, hosts[0], None, 1, &demo.address.to_string());
        route.hosts = hosts.iter().map(|h| h.parse().unwrap()).collect();
        self.house.plane.set_route(route);
        demo
    }

    /// One certificate for all of them; its fingerprint.
    pub fn install(&self, hosts: &[&str]) -> String {
        let names: Vec<_> = hosts.iter().map(|h| h.parse().unwrap()).collect();
        let pair = self.authority.issue(hosts);
        let certificates = self.house.plane.certificates();
        certificates.install(&names, &pair, CertificateSource::Custom).unwrap().facts.fingerprint.clone()
    }

    pub async fn connect(&self, config: ClientConfig, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        connect(self.address, Arc::new(config), name).await
    }

    /// A client of HTTP/1.1 that asks for a name.
    pub async fn open(&self, name: &str) -> TlsStream<TcpStream> {
        self.connect(self.authority.client(&["http/1.1"]), name).await.unwrap()
    }

    pub async fn get(&self, name: &str, target: &str) -> Reply {
        ask(self.open(name).await, name, target).await
    }

    /// The alert by which a handshake ends.
    pub async fn alert(&self, config: ClientConfig, name: &str) -> AlertDescription {
        match self.connect(config, name).await.map(|_| "shaken hands").map_err(|error| tls(&error)) {
            Err(Some(TlsError::AlertReceived(alert))) => alert,
            other => panic!("no alert: {other:?}"),
        }
    }
}

pub async fn connect(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let shaken = async { TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await };
    tokio::time::timeout(PATIENCE, shaken).await.expect("the handshake ends")
}

fn tls(error: &std::io::Error) -> Option<TlsError> {
    error.get_ref()?.downcast_ref::<TlsError>().cloned()
}

/// One request, and the connection's end, which has to be a clean one.
pub async fn ask(stream: TlsStream<TcpStream>, host: &str, target: &str) -> Reply {
    said(stream, &format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
}

pub async fn said(mut stream: TlsStream<TcpStream>, request: &str) -> Reply {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let end = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
    end.expect("with close_notify");
    Reply::parse(&answer).unwrap_or_else(|| panic!("no HTTP: {:?}", String::from_utf8_lossy(&answer)))
}

/// The fingerprint-like bytes of the certificate a client got.
pub fn certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}
