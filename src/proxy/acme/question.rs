//! Asks whom an app names whether a hostname may have a certificate.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, Uri};
use http_body_util::Empty;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use once_app::{AppId, AskUrl, Hostname};

/// For the head of an answer. A handshake waits meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask for a name, and in whose name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The app that gets the name's requests.
    pub app: AppId,
    /// Whom it names.
    pub ask: AskUrl,
    /// `host:port` of the app itself, where it is the one to be asked.
    pub address: String,
    /// By which name the app knows itself.
    pub host: Hostname,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// A 2xx.
    Yes,
    /// Another status below 500.
    No,
    /// Neither: it does not answer, or is broken. Why, in words.
    Unclear(String),
}

/// The way to those who are asked.
pub(super) struct Asker {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Asker {
    /// # Errors
    /// The library's own, about its cryptography.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let config = ClientConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        // Questions are rare, and an app that was replaced is not to be met on an old connection.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client })
    }

    /// Redirections are not followed: whoever is asked says it itself.
    pub(super) async fn ask(&self, question: &Question, name: &Hostname) -> Answer {
        let request = match request(question, name) {
            Ok(request) => request,
            Err(error) => return Answer::Unclear(error.to_string()),
        };
        match tokio::time::timeout(PATIENCE, self.client.request(request)).await {
            Err(_) => Answer::Unclear(format!("no answer within {} s", PATIENCE.as_secs())),
            Ok(Err(error)) => Answer::Unclear(error.to_string()),
            Ok(Ok(answer)) => match answer.status() {
                status if status.is_success() => Answer::Yes,
                status if status.is_server_error() => Answer::Unclear(format!("it answers {}", status.as_u16())),
                _ => Answer::No,
            },
        }
    }
}

fn request(question: &Question, name: &Hostname) -> Result<Request<Empty<Bytes>>, http::Error> {
    let (uri, host) = match &question.ask {
        AskUrl::Path(path) => {
            let host = question.host.as_str().trim_start_matches("*.");
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
            (format!("http://{}{path}?domain={name}", question.address).parse::<Uri>()?, Some(host))
        }
        AskUrl::Url(url) => (format!("{url}?domain={name}").parse::<Uri>()?, None),
    };
    let request = Request::get(uri).header(USER_AGENT, concat!("once/", env!("CARGO_PKG_VERSION"), " (tls)"));
    let request = match host {
        Some(host) => request.header(HOST, host),
        None => request,
    };
    request.body(Empty::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(ask: &str) -> (String, Option<String>) {
        let question = Question {
            app: AppId("a".into()),
            ask: ask.parse().unwrap(),
            address: "once-shop-3:80".into(),
            host: "*.example.com".parse().unwrap(),
        };
        let request = request(&question, &"ann.example.com".parse().unwrap()).unwrap();
        let host = request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned());
        (request.uri().to_string(), host)
    }

    #[test]
    fn the_app_is_asked_by_its_address_and_others_by_their_url() {
        let (uri, host) = asked("/tls/ask");
        assert_eq!(uri, "http://once-shop-3:80/tls/ask?domain=ann.example.com");
        assert_eq!(host.as_deref(), Some("example.com"));
        assert_eq!(
            asked("https://ask.internal:8443"),
            ("https://ask.internal:8443/?domain=ann.example.com".into(), None)
        );
    }
}
