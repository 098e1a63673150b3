//! Where plain HTTP and HTTPS part: who is sent from the one to the other, who came to the wrong name, and what
//! authorities ask.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode};

use super::app::App;
use super::body::AnswerBody;
use super::exchange::{Answer, Context};
use super::record::Record;
use crate::app::Tls;

/// The port that `https` means.
const HTTPS: u16 = 443;

impl Context {
    fn is_plain(&self) -> bool {
        self.peer.scheme == "http"
    }

    /// The answer to an authority that asks, over plain HTTP, whether a name leads here.
    pub(super) fn challenge(&self, path: &str) -> Option<String> {
        if self.is_plain() { self.shared.certificates.http_challenge(path) } else { None }
    }

    /// Whether the request is for another name than the handshake, and one that has another certificate or leads to
    /// another app: what a browser may try whose connection seems to be good for both (RFC 9110, 7.4).
    pub(super) fn is_misdirected(&self, host: &str, path: &str, app: &Arc<App>) -> bool {
        let Some(sni) = self.peer.sni.as_deref().filter(|sni| *sni != host) else { return false };
        let certificates = &self.shared.certificates;
        let fingerprint = |name| certificates.find(name).map(|certificate| certificate.facts.fingerprint.clone());
        let same_app = self.find(sni, path).is_ok_and(|other| Arc::ptr_eq(&other, app));
        !same_app || fingerprint(sni) != fingerprint(host)
    }

    /// Where a plain request is to come again; `None`: it is fine as it is, or there is no certificate to meet it with.
    pub(super) fn secured<B>(&self, host: &str, request: &Request<B>, app: &App) -> Option<String> {
        let port = self.shared.options.https_port?;
        if !self.is_plain() {
            return None;
        }
        let live = app.live();
        if !live.route.web.tls_redirect || live.route.tls == Tls::Off {
            return None;
        }
        let target = request.uri().path_and_query()?.as_str();
        // `OPTIONS *` is about this server, whatever the protocol.
        if !target.starts_with('/') || self.shared.certificates.find(host).is_none() {
            return None;
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Some(if port == HTTPS { format!("https://{host}{target}") } else { format!("https://{host}:{port}{target}") })
    }

    /// `Strict-Transport-Security`, which means nothing over plain HTTP (RFC 6797, 7.2).
    pub(super) fn strict(&self, app: &App) -> Option<HeaderValue> {
        if self.is_plain() {
            return None;
        }
        let age = app.live().route.web.hsts?.duration().as_secs();
        HeaderValue::try_from(format!("max-age={age}")).ok()
    }
}

/// A token's answer.
pub(super) fn token(authorization: String, mut record: Record) -> Answer {
    let mut response = Response::new(());
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(authorization.len()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    record.answered(StatusCode::OK.as_u16(), response.headers());
    response.map(|()| AnswerBody::Own { rest: bytes::Bytes::from(authorization), record: Some(record) })
}

/// Sends a client to another address, for good. Only GET and HEAD survive a 301 in every client.
pub(super) fn moved(to: &str, method: &Method, mut record: Record) -> Answer {
    let mut response = Response::new(());
    *response.status_mut() = match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    if let Ok(to) = HeaderValue::try_from(to) {
        response.headers_mut().insert(LOCATION, to);
    }
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    record.answered(response.status().as_u16(), response.headers());
    response.map(|()| AnswerBody::Own { rest: bytes::Bytes::new(), record: Some(record) })
}
