//! The handshake with a client: whom it asks for decides which certificate it gets, or that there is none for it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use super::Certificates;
use super::certificates::fold;

/// By which an authority looks whether a name leads here (RFC 8737).
const ACME: &[u8] = b"acme-tls/1";
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Plain text that waits to be encrypted, and cipher text that waits to be sent; bytes of each.
const BUFFER: usize = 64 * 1024;

/// Bytes of a client that is turned away which are still taken.
const UNREAD: u64 = 64 * 1024;

/// For a certificate to be obtained that was not there. Browsers wait longer, authorities take some seconds.
const ON_DEMAND: Duration = Duration::from_secs(25);

/// Handshakes that wait for one; more are turned away at once, and find it when they come again.
const WAITING: usize = 256;

/// `unrecognized_name`, and `no_application_protocol`, as fatal alerts (RFC 8446, 6).
const UNKNOWN_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
const UNKNOWN_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];

/// For those who write `http://` where `https://` is meant.
const NOT_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\
Connection: close\r\n\r\nThis port speaks HTTPS, not HTTP.\r\n";

/// The server's side of all handshakes.
#[derive(Debug)]
pub(crate) struct TlsServer {
    certificates: Certificates,
    config: Arc<ServerConfig>,
    waiting: Semaphore,
}

/// A client that has been shaken hands with.
pub(crate) struct Shaken {
    pub(crate) stream: TlsStream<TcpStream>,
    /// Whom it asked for: lower-case, without final dot.
    pub(crate) name: Arc<str>,
    /// What it agreed to speak; `false`: HTTP/1.
    pub(crate) http2: bool,
}

impl TlsServer {
    /// # Errors
    /// The system gives no randomness for the tickets' keys.
    pub(crate) fn new(certificates: &Certificates) -> io::Result<Self> {
        let mut config = config(Arc::new(certificates.clone()), &[HTTP2, HTTP1])?;
        // Resumption without memory of clients. The keys change every six hours, and are good for twelve.
        config.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(Self { certificates: certificates.clone(), config: Arc::new(config), waiting: Semaphore::new(WAITING) })
    }

    /// Shakes hands until `deadline`, and as much longer as its certificate takes to be obtained, [`ON_DEMAND`] at most.
    /// `None`: it came to nothing, and the client was told why where it can be told.
    pub(crate) async fn accept(&self, stream: TcpStream, deadline: Instant) -> Option<Shaken> {
        let (mut start, name) = timeout_at(deadline, self.greet(stream)).await.ok()??;
        let asked_at = Instant::now();
        let has_one = self.has_certificate(&name).await;
        let deadline = deadline + asked_at.elapsed();
        if !has_one {
            let refused = refuse(&mut start.io, &UNKNOWN_NAME);
            return timeout_at(deadline, refused).await.ok().and(None);
        }
        timeout_at(deadline, self.finish(start, name)).await.ok()?
    }

    /// Whether there is a certificate for a name, where that can be had by waiting. One that is soon to end is still good.
    async fn has_certificate(&self, name: &str) -> bool {
        let now = Timestamp::now();
        let found = self.certificates.find(name);
        if found.as_ref().is_some_and(|certificate| !certificate.is_ageing(now)) {
            return true;
        }
        let flight = self.certificates.demand(name);
        if found.is_some_and(|certificate| now < certificate.facts.not_after) {
            return true;
        }
        if let Some(mut flight) = flight
            && let Ok(_place) = self.waiting.try_acquire()
        {
            // It ends by being closed.
            let _ = timeout(ON_DEMAND, flight.changed()).await;
        }
        self.certificates.find(name).is_some()
    }

    /// Reads the hello, and answers what is no wish for an app: whom the client wants.
    async fn greet(&self, mut stream: TcpStream) -> Option<(StartHandshake<TcpStream>, String)> {
        if is_plain_http(&stream).await.ok()? {
            refuse(&mut stream, NOT_TLS).await;
            return None;
        }
        // What is wrong with a hello, the library says to the client.
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), stream);
        let mut start = match (&mut hello).await {
            Ok(start) => start,
            Err(_) => {
                close(&mut hello.take_io()?).await;
                return None;
            }
        };
        let (name, protocols) = asked(&start.client_hello());
        if protocols == [ACME] {
            match name.and_then(|name| self.certificates.alpn_challenge(&name)) {
                Some(key) => self.answer_challenge(start, key).await,
                None => refuse(&mut start.io, &UNKNOWN_PROTOCOL).await,
            }
            return None;
        }
        if name.is_none() {
            refuse(&mut start.io, &UNKNOWN_NAME).await;
        }
        Some((start, name?))
    }

    async fn finish(&self, start: StartHandshake<TcpStream>, name: String) -> Option<Shaken> {
        let limit = |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(BUFFER));
        let stream = start.into_stream_with(Arc::clone(&self.config), limit).await.ok()?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        Some(Shaken { stream, name: name.into(), http2 })
    }

    /// The handshake is the answer.
    async fn answer_challenge(&self, start: StartHandshake<TcpStream>, key: Arc<CertifiedKey>) {
        let Ok(config) = config(Arc::new(Only(key)), &[ACME]) else { return };
        if let Ok(mut stream) = start.into_stream(Arc::new(config)).await {
            let _ = stream.shutdown().await;
        }
    }
}

fn config(resolver: Arc<dyn ResolvesServerCert>, protocols: &[&[u8]]) -> io::Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// One certificate, whoever is asked for.
#[derive(Debug)]
struct Only(Arc<CertifiedKey>);

impl ResolvesServerCert for Only {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn asked(hello: &ClientHello<'_>) -> (Option<String>, Vec<Vec<u8>>) {
    let protocols = hello.alpn().map(|offered| offered.map(<[u8]>::to_vec).collect());
    (hello.server_name().map(fold), protocols.unwrap_or_default())
}

/// A TLS record begins with its kind, 22; a request with a letter. Looks, and takes nothing.
async fn is_plain_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let read = stream.peek(&mut first).await?;
    Ok(read == 1 && first[0].is_ascii_uppercase())
}

async fn refuse(stream: &mut TcpStream, words: &[u8]) {
    // Whoever is gone needs no words.
    let _ = stream.write_all(words).await;
    close(stream).await;
}

/// What was not read would make a reset of the end, which takes the last words along.
async fn close(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(UNREAD), &mut tokio::io::sink()).await;
}
