//! What answers on the public ports: challenges and handshakes from the certificates, as the data plane does.

use std::net::SocketAddr;
use std::sync::Arc;

use once::proxy::tls::Certificates;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::task::AbortOnDropHandle;

/// Both ports, on one address.
pub struct Front {
    pub http: u16,
    pub https: u16,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Front {
    pub async fn open(certificates: &Certificates) -> Self {
        let (http, https) = (bind("127.0.0.1:0").await, bind("127.0.0.1:0").await);
        let ports = (http.local_addr().unwrap().port(), https.local_addr().unwrap().port());
        let plain = AbortOnDropHandle::new(tokio::spawn(plain(http, certificates.clone())));
        let secure = AbortOnDropHandle::new(tokio::spawn(secure(https, certificates.clone())));
        Self { http: ports.0, https: ports.1, _tasks: vec![plain, secure] }
    }

    /// Without anybody on port 80.
    pub async fn secure_only(certificates: &Certificates) -> Self {
        let mut front = Self::open(certificates).await;
        drop(front._tasks.remove(0));
        front
    }
}

/// Somebody else's server on another address of the same port.
pub async fn stranger(address: SocketAddr) -> AbortOnDropHandle<()> {
    let listener = bind(&address.to_string()).await;
    AbortOnDropHandle::new(tokio::spawn(plain(listener, Certificates::default())))
}

async fn bind(address: &str) -> TcpListener {
    TcpListener::bind(address).await.unwrap()
}

async fn plain(listener: TcpListener, certificates: Certificates) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let certificates = certificates.clone();
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.windows(4).any(|w| w == b"\r\n\r\n") && stream.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match certificates.http_challenge(path) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", "somebody else".to_owned()),
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        });
    }
}

async fn secure(listener: TcpListener, certificates: Certificates) {
    while let Ok((stream, _)) = listener.accept().await {
        let certificates = certificates.clone();
        tokio::spawn(async move {
            let Ok(start) = LazyConfigAcceptor::new(Acceptor::default(), stream).await else { return };
            let hello = start.client_hello();
            let name = hello.server_name().unwrap_or_default().to_owned();
            let asks = hello.alpn().is_some_and(|mut protocols| protocols.any(|p| p == b"acme-tls/1"));
            let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
            let config = match certificates.alpn_challenge(&name) {
                Some(key) if asks => {
                    let resolver = rustls::sign::SingleCertAndKey::from(key);
                    let mut config = builder.with_cert_resolver(Arc::new(resolver));
                    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
                    config
                }
                _ => builder.with_cert_resolver(Arc::new(certificates)),
            };
            if let Ok(mut stream) = start.into_stream(Arc::new(config)).await {
                let _ = stream.read(&mut [0]).await;
            }
        });
    }
}
