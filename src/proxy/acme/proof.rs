//! Whether a name leads to this very proxy: a word that only it knows is asked for through the name, as the authority
//! would ask. Addresses are not compared, so that NAT, load balancers and CDNs do not confuse it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HOST, LOCATION, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::peer;
use super::schedule::Reach;
use crate::tls::{Certificates, HTTP_CHALLENGES};
use once_app::Hostname;

/// For an address to take the connection, and for it to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Addresses of one name that are asked. Names with more belong to networks that answer alike on all.
const ADDRESSES: usize = 8;

/// An answer longer than this is not ours.
const LONGEST: usize = 4096;

/// Steps from HTTP to HTTPS and on that are followed, as authorities do.
const HOPS: usize = 3;

/// The public names, as the world sees them.
#[async_trait]
pub trait Names: Send + Sync {
    /// A name's addresses.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, which has no cache of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        // With the final dot no search domain is tried.
        let found = timeout(PATIENCE, tokio::net::lookup_host((format!("{name}."), 0))).await??;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// The way through the public name.
#[derive(Clone)]
pub(super) struct Outside {
    pub(super) names: Arc<dyn Names>,
    /// Where the world asks for HTTP: 80.
    pub(super) http: u16,
    /// Where the world shakes hands: 443.
    pub(super) https: u16,
}

impl Outside {
    /// Where a name leads.
    pub(super) async fn look(&self, name: &Hostname, certificates: &Certificates) -> Reach {
        let addresses = match self.resolve(name).await {
            Ok(addresses) => addresses,
            Err(text) => return Reach::Nowhere { text },
        };
        let (Some(token), Some(word)) = (secret(), secret()) else {
            return Reach::Silent { text: "an address; the system gives no random numbers".to_owned() };
        };
        let token = format!("once-{token}");
        certificates.set_http_challenge(&token, &word);
        let _given = Given { certificates, token: &token };
        let asked = addresses.iter().map(|address| self.ask(name, *address, &token, &word));
        let answers = futures_util::future::join_all(asked).await;
        judge(&addresses, &answers)
    }

    /// Shakes hands with each address of a name; the certificates that were shown, or why there was none.
    pub(super) async fn shake(&self, name: &Hostname) -> Result<Vec<CertificateDer<'static>>, String> {
        let addresses = self.resolve(name).await?;
        let shaken = addresses.iter().map(async |address| {
            let shaking = async {
                let stream = connect(SocketAddr::new(*address, self.https)).await?;
                peer::handshake(stream, name).await.map(|(_, shown)| shown)
            };
            let shown = timeout(PATIENCE, shaking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            shown.map_err(|error| format!("{address} port {}: {error}", self.https))
        });
        let mut shown = Vec::new();
        let mut silent = Vec::new();
        for one in futures_util::future::join_all(shaken).await {
            match one {
                Ok(certificate) => shown.push(certificate),
                Err(why) => silent.push(why),
            }
        }
        if shown.is_empty() { Err(silent.join(", ")) } else { Ok(shown) }
    }

    async fn resolve(&self, name: &Hostname) -> Result<Vec<IpAddr>, String> {
        let mut addresses = match self.names.addresses(name.as_str()).await {
            Ok(addresses) => addresses,
            Err(error) => return Err(format!("no address: {error}")),
        };
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES);
        if addresses.is_empty() { Err("no address".to_owned()) } else { Ok(addresses) }
    }

    async fn ask(&self, name: &Hostname, address: IpAddr, token: &str, word: &str) -> Answer {
        let path = format!("{HTTP_CHALLENGES}{token}");
        let mut secure = false;
        for _ in 0..=HOPS {
            let port = if secure { self.https } else { self.http };
            let asked = timeout(PATIENCE, get(name, SocketAddr::new(address, port), secure, &path)).await;
            let (status, location, body) = match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(answer) => answer,
                Err(error) => return Answer::Silent(format!("port {port}: {error}")),
            };
            if status.is_success() && body == word.as_bytes() {
                return Answer::Here;
            }
            match location.as_deref().and_then(|to| same_name(to, name, &path)) {
                Some(to) if status.is_redirection() => secure = to,
                _ => return Answer::Other(status),
            }
        }
        Answer::Other(StatusCode::LOOP_DETECTED)
    }
}

/// An address's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Here,
    Other(StatusCode),
    Silent(String),
}

/// One address that is somebody else's is enough to fail: the authority may come upon it. One that is silent is not,
/// for authorities try the next; a machine without IPv6 cannot ask there anyway.
fn judge(addresses: &[IpAddr], answers: &[Answer]) -> Reach {
    let pairs = || addresses.iter().zip(answers);
    let others: Vec<String> = pairs()
        .filter_map(|(address, answer)| match answer {
            Answer::Other(status) => Some(format!("{address}, where something else answers ({})", status.as_u16())),
            _ => None,
        })
        .collect();
    if !others.is_empty() {
        return Reach::Elsewhere { text: others.join(", and ") };
    }
    if answers.contains(&Answer::Here) {
        return Reach::Here;
    }
    let silent: Vec<String> = pairs()
        .map(|(address, answer)| match answer {
            Answer::Silent(why) => format!("{address} ({why})"),
            _ => address.to_string(),
        })
        .collect();
    Reach::Silent { text: silent.join(", and ") }
}

/// Whether a redirection stays with the name and the path; `Some(true)`: to HTTPS.
pub(super) fn same_name(to: &str, name: &Hostname, path: &str) -> Option<bool> {
    let to: http::Uri = to.parse().ok()?;
    let secure = match to.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let usual = to.port_u16().is_none_or(|port| port == if secure { 443 } else { 80 });
    (usual && to.host()?.eq_ignore_ascii_case(name.as_str()) && to.path() == path).then_some(secure)
}

/// A word of one look; taken away with it.
struct Given<'a> {
    certificates: &'a Certificates,
    token: &'a str,
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        self.certificates.clear_http_challenge(self.token);
    }
}

/// 32 hex digits that nobody can guess.
fn secret() -> Option<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await
}

type Got = (StatusCode, Option<String>, Bytes);

async fn get(name: &Hostname, address: SocketAddr, secure: bool, path: &str) -> io::Result<Got> {
    let stream = connect(address).await?;
    if secure {
        // Who answers is told by the word, not by a certificate: that is still to come.
        let (stream, _) = peer::handshake(stream, name).await?;
        exchange(stream, name, path).await
    } else {
        exchange(stream, name, path).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    name: &Hostname,
    path: &str,
) -> io::Result<Got> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let request = Request::get(path)
        .header(HOST, name.as_str())
        .header(USER_AGENT, concat!("once/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(io::Error::other)?;
        let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let status = response.status();
        // Of an answer that is too long only its status counts.
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        Ok((status, location, body.map(http_body_util::Collected::to_bytes).unwrap_or_default()))
    };
    let mut answered = std::pin::pin!(answered);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        ended = &mut connection => {
            ended.map_err(io::Error::other)?;
            answered.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answers: &[(&str, Answer)]) -> Reach {
        let addresses: Vec<IpAddr> = answers.iter().map(|(address, _)| address.parse().unwrap()).collect();
        let answers: Vec<Answer> = answers.iter().map(|(_, answer)| answer.clone()).collect();
        judge(&addresses, &answers)
    }

    #[test]
    fn one_address_of_somebody_else_is_enough_to_wait_and_a_silent_one_is_not() {
        let (here, silent) = (Answer::Here, Answer::Silent("refused".into()));
        let other = Answer::Other(StatusCode::NOT_FOUND);
        assert_eq!(judged(&[("203.0.113.1", here.clone())]), Reach::Here);
        assert_eq!(judged(&[("203.0.113.1", here.clone()), ("2001:db8::1", silent.clone())]), Reach::Here);
        let text = "2001:db8::1, where something else answers (404)".to_owned();
        assert_eq!(judged(&[("203.0.113.1", here), ("2001:db8::1", other)]), Reach::Elsewhere { text });
        let text = "203.0.113.1 (refused)".to_owned();
        assert_eq!(judged(&[("203.0.113.1", silent)]), Reach::Silent { text });
    }

    #[test]
    fn only_steps_to_the_same_place_are_followed() {
        let name = "shop.example.com".parse().unwrap();
        let stays = |to: &str| same_name(to, &name, "/x");
        assert_eq!(stays("https://shop.example.com/x"), Some(true));
        assert_eq!(stays("http://SHOP.example.com:80/x"), Some(false));
        for elsewhere in [
            "https://other.example.com/x",
            "https://shop.example.com:8443/x",
            "https://shop.example.com/y",
            "/x",
            "ftp://shop.example.com/x",
        ] {
            assert_eq!(stays(elsewhere), None, "{elsewhere}");
        }
    }
}
