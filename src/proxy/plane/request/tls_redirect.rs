//! Where plain HTTP and HTTPS part: who is sent from the one to the other, who came to the wrong name, and what
//! authorities ask.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, Request, StatusCode};

use super::exchange::Context;
use crate::plane::routing::app::App;
use crate::plane::telemetry::record::Peer;
use once_app::{HTTPS_PORT, Route, Tls};

impl Context {
    /// The answer to an authority that asks, over plain HTTP, whether a name leads here.
    pub(in crate::plane) fn challenge(&self, path: &str) -> Option<String> {
        if self.peer.sni.is_some() { None } else { self.shared.certificates.http_challenge(path) }
    }

    /// Whether the request is for another name than the handshake, and one that has another certificate or leads to
    /// another app: what a browser may try whose connection seems to be good for both (RFC 9110, 7.4).
    pub(in crate::plane) fn is_misdirected(&self, host: &str, path: &str, app: &Arc<App>) -> bool {
        let Some(sni) = self.peer.sni.as_deref().filter(|sni| *sni != host) else { return false };
        let certificates = &self.shared.certificates;
        let fingerprint = |name| certificates.find(name).map(|certificate| certificate.facts.fingerprint.clone());
        let same_app = self.find(sni, path).is_ok_and(|other| Arc::ptr_eq(&other, app));
        !same_app || fingerprint(sni) != fingerprint(host)
    }

    /// Whether a visitor who is sent to the canonical host meets a certificate there: until then the app answers under
    /// the name it was asked for.
    pub(in crate::plane) fn is_met(&self, route: &Route) -> bool {
        let canonical = route.web.canonical_host.as_ref();
        let comes = || route.web.tls_on_demand.is_some();
        let is_there = |name| self.shared.certificates.find(name).is_some();
        // Where another proxy speaks TLS with the client, it has the certificates.
        self.peer.scheme != "https" || canonical.is_none_or(|host| comes() || is_there(host.as_str()))
    }

    /// Where a plain request is to come again; `None`: it is fine as it is, or there is no certificate to meet it with.
    pub(in crate::plane) fn secured<B>(
        &self,
        route: &Route,
        peer: &Peer,
        host: &str,
        request: &Request<B>,
    ) -> Option<String> {
        let port = self.shared.options.https_port?;
        if peer.scheme != "http" || !route.web.tls_redirect || route.tls == Tls::Off {
            return None;
        }
        let target = request.uri().path_and_query()?.as_str();
        // `OPTIONS *` is about this server, whatever the protocol.
        if !target.starts_with('/') || self.shared.certificates.find(host).is_none() {
            return None;
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = if port == HTTPS_PORT { String::new() } else { format!(":{port}") };
        Some(format!("https://{host}{port}{target}"))
    }
}

/// `Strict-Transport-Security`, which means nothing over plain HTTP (RFC 6797, 7.2).
pub(in crate::plane) fn strict(route: &Route, peer: &Peer) -> Option<HeaderValue> {
    if peer.scheme != "https" {
        return None;
    }
    let age = route.web.hsts?.duration().as_secs();
    HeaderValue::try_from(format!("max-age={age}")).ok()
}

/// A token's answer.
pub(in crate::plane) fn token(authorization: String) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(authorization.len()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    (StatusCode::OK, headers, Bytes::from(authorization))
}

/// Sends a client to another address, for good. Only GET and HEAD survive a 301 in every client.
pub(in crate::plane) fn moved(to: &str, method: &Method) -> (StatusCode, HeaderMap, Bytes) {
    let status = match *method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    let mut headers = HeaderMap::new();
    if let Ok(to) = HeaderValue::try_from(to) {
        headers.insert(LOCATION, to);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    (status, headers, Bytes::new())
}
