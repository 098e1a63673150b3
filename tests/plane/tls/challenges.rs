//! What an authority asks, to find out whether a name leads here.

use std::sync::Arc;

use once_app::Hostname;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, DigitallySignedStruct};
use tokio::io::AsyncReadExt;

use super::{TlsHouse, ask, certificate};
use crate::support::request;

const PATH: &str = "/.well-known/acme-challenge/the-token";

#[tokio::test(flavor = "multi_thread")]
async fn a_known_token_is_answered_before_any_routing() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let certificates = house.house.plane.certificates();
    certificates.set_http_challenge("the-token", "the-token.thumbprint");
    for host in ["shop.test", "nobody.test", "10.1.2.3", "shop.test:80"] {
        let reply = house.house.get(host, PATH).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "the-token.thumbprint"), "{host}");
        assert_eq!(reply.header("content-length"), Some("20"));
    }
    let head = format!("HEAD {PATH} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n");
    let reply = request(house.house.address, &head).await;
    assert_eq!((reply.status, reply.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tokens_are_the_apps() {
    let house = TlsHouse::new();
    let _app = house.app_without("shop", &["shop.test"]).await;
    let certificates = house.house.plane.certificates();
    let version = async |path: &str| {
        let reply = house.house.get("shop.test", path).await;
        (reply.status, reply.header("x-version").map(str::to_owned))
    };
    let from_app = (404, Some("shop".to_owned()));
    assert_eq!(version(PATH).await, from_app);
    certificates.set_http_challenge("the-token", "x");
    assert_eq!(version(PATH).await, (200, None));
    for other in
        ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/the-token/x", "/.well-known/acme-challenge/other"]
    {
        assert_eq!(version(other).await, from_app, "{other}");
    }
    certificates.clear_http_challenge("the-token");
    assert_eq!(version(PATH).await, from_app);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_nobody_asks_for_tokens() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    house.house.plane.certificates().set_http_challenge("the-token", "x");
    let reply = ask(house.open("shop.test").await, "shop.test", PATH).await;
    assert_eq!((reply.status, reply.header("x-version")), (404, Some("shop")));
}

/// As an authority wants it: for the name, with the digest of the key authorization in an extension.
fn proof(name: &str) -> Arc<CertifiedKey> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&[7; 32])];
    let certificate = params.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// An authority looks at the certificate, and believes nothing else.
fn validator(house: &TlsHouse, protocols: &[&str]) -> rustls::ClientConfig {
    let mut config = house.authority.client(protocols);
    config.dangerous().set_certificate_verifier(Arc::new(Anything(ring::default_provider())));
    config
}

#[derive(Debug)]
struct Anything(rustls::crypto::CryptoProvider);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    // The library's own check stumbles over the extension that this is all about.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_acme_and_nothing_else_gets_the_proof() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let (shop, new): (Hostname, Hostname) = ("shop.test".parse().unwrap(), "new.test".parse().unwrap());
    let certificates = house.house.plane.certificates();
    for name in [&shop, &new] {
        let proof = proof(name.as_str());
        certificates.set_alpn_challenge(name, &proof);
        let mut stream = house.connect(validator(&house, &["acme-tls/1"]), name.as_str()).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"acme-tls/1".as_slice()));
        assert_eq!(certificate(&stream), proof.cert[0].to_vec());
        // The handshake is all there is.
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    }
    certificates.clear_alpn_challenge(&shop);
    let alert = house.alert(validator(&house, &["acme-tls/1"]), "shop.test").await;
    assert_eq!(alert, AlertDescription::NoApplicationProtocol);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_else_never_sees_a_proof() {
    let house = TlsHouse::new();
    let _app = house.app("shop", &["shop.test"]).await;
    let certificates = house.house.plane.certificates();
    for name in ["shop.test", "new.test"] {
        certificates.set_alpn_challenge(&name.parse().unwrap(), &proof(name));
    }
    for protocols in [&["http/1.1"][..], &["acme-tls/1", "http/1.1"], &["h2", "acme-tls/1"], &[]] {
        let stream = house.connect(house.authority.client(protocols), "shop.test").await.unwrap();
        assert_ne!(stream.get_ref().1.alpn_protocol(), Some(b"acme-tls/1".as_slice()));
        let alert = house.alert(validator(&house, protocols), "new.test").await;
        assert_eq!(alert, AlertDescription::UnrecognisedName, "{protocols:?}");
    }
}
