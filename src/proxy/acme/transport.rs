//! Carries the protocol to the authority: HTTPS with the internet's roots and those of the configuration, a limit on
//! time and size, and an eye on what the protocol's library does not pass on: the date and `Retry-After`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::{SignedDuration, Timestamp};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// An authority that takes longer for one answer is taken for silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest answer that is read; chains have some KiB.
const LONGEST: usize = 1 << 20;

/// The way to one authority. Clones share what was seen.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    seen: Arc<Mutex<Seen>>,
}

/// What the last answers said beside their content.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The authority's clock minus ours.
    pub(super) ahead: Option<SignedDuration>,
    /// How long to wait, in the last answer that was no success.
    pub(super) retry_after: Option<SignedDuration>,
    /// Of the last answer; `None`: there was none.
    pub(super) status: Option<StatusCode>,
}

/// The configuration's root certificates cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the root certificate configured for the authority cannot be used: {0}")]
pub(super) struct BadRoot(String);

impl Transport {
    /// `extra`: PEM of root certificates beside the internet's.
    pub(super) fn new(extra: Option<&str>) -> Result<Self, BadRoot> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in CertificateDer::pem_slice_iter(extra.unwrap_or_default().as_bytes()) {
            let root = root.map_err(|error| BadRoot(error.to_string()))?;
            roots.add(root).map_err(|error| BadRoot(error.to_string()))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| BadRoot(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(PATIENCE)
            .pool_max_idle_per_host(2)
            .build(connector.wrap_connector(tcp));
        Ok(Self { client, seen: Arc::default() })
    }

    /// The same way with a memory of its own, for one order.
    pub(super) fn fresh(&self) -> Self {
        Self { client: self.client.clone(), seen: Arc::default() }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (asked, seen) = (self.client.request(request), Arc::clone(&self.seen));
        let note = move |now: Option<(StatusCode, &HeaderMap)>| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.status = now.map(|(status, _)| status);
            let Some((status, headers)) = now else { return };
            if let Some(date) = text(headers, &DATE).and_then(http_date) {
                seen.ahead = Some(date.duration_since(Timestamp::now()));
            }
            seen.retry_after = if status.is_success() { None } else { text(headers, &RETRY_AFTER).and_then(wait) };
        };
        Box::pin(async move {
            let answered = tokio::time::timeout(PATIENCE, async {
                let (head, body) = asked.await.map_err(|error| Error::Other(error.into()))?.into_parts();
                note(Some((head.status, &head.headers)));
                let body = Limited::new(body, LONGEST).collect().await.map_err(Error::Other)?.to_bytes();
                Ok(BytesResponse::from(Response::from_parts(head, Full::new(body))))
            });
            match answered.await {
                Ok(answered) => answered.inspect_err(|_| note(None)),
                Err(_) => {
                    note(None);
                    Err(Error::Other(format!("no answer within {} s", PATIENCE.as_secs()).into()))
                }
            }
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// `Retry-After`: seconds or a date.
pub(super) fn wait(text: &str) -> Option<SignedDuration> {
    match text.trim().parse::<u32>() {
        Ok(seconds) => Some(SignedDuration::from_secs(i64::from(seconds))),
        Err(_) => Some(http_date(text)?.duration_since(Timestamp::now())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_waits_are_read_as_http_writes_them() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap().as_second(), 784_111_777);
        assert_eq!(wait("120"), Some(SignedDuration::from_secs(120)));
        assert!(wait("Sun, 06 Nov 1994 08:49:37 GMT").unwrap() < SignedDuration::ZERO);
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_root_that_is_none_is_told() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(Transport::new(Some(pem)).err().unwrap().to_string().contains("root certificate"));
        assert!(Transport::new(None).is_ok());
    }
}
