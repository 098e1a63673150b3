//! Where visitors reach an app: by what the proxy serves, not by what was wished for.

use jiff::Timestamp;

use super::installation::{HTTP_PORT, HTTPS_PORT, ProxyPorts};
use crate::model::certificate::{CertificateView, served};
use crate::settings::{Settings, Tls};

/// The URL of an app's first hostname: `https` once there is a certificate for it that has not run out, and a port that
/// leads to it. From then on plain requests are sent there, too.
#[must_use]
pub fn address(settings: &Settings, certificates: &[CertificateView], ports: ProxyPorts, now: Timestamp) -> String {
    let host = settings.primary_host();
    let has_certificate = served(host, certificates).is_some_and(|facts| now < facts.not_after);
    let secure = settings.tls != Tls::Off && has_certificate;
    let (scheme, port) = match ports.https.filter(|_| secure) {
        Some(https) => ("https", Some(https).filter(|port| *port != HTTPS_PORT)),
        None => ("http", Some(ports.http).filter(|port| *port != HTTP_PORT)),
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = if host.as_str().contains(':') { format!("[{host}]") } else { host.to_string() };
    let path = settings.path_prefix.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{scheme}://{host}{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CertificateFacts, CertificateSource, Draft};

    fn at(day: &str) -> Timestamp {
        format!("{day}T00:00:00Z").parse().unwrap()
    }

    fn view(name: &str, until: &str) -> CertificateView {
        let facts = CertificateFacts {
            names: vec![name.into()],
            not_before: at("2026-01-01"),
            not_after: at(until),
            issuer: "an authority".into(),
            source: CertificateSource::Acme,
            obtained_at: at("2026-01-01"),
            fingerprint: "00".into(),
        };
        CertificateView { name: name.parse().unwrap(), certificate: Some(facts), last_error: None, issuing: None }
    }

    fn of(host: &str, tls: Tls, certificates: &[CertificateView], ports: (u16, Option<u16>)) -> String {
        let mut draft = Draft { image: Some("shop:1".parse().unwrap()), tls: Some(tls), ..Draft::default() };
        draft.hosts = vec![host.parse().unwrap()];
        let settings = draft.merge(None, None).unwrap();
        let ports = ProxyPorts { http: ports.0, https: ports.1, metrics: None };
        address(&settings, certificates, ports, at("2026-06-01"))
    }

    #[test]
    fn it_is_https_once_there_is_a_good_certificate_and_a_port() {
        let usual = (80, Some(443));
        let good = [view("shop.example.com", "2026-07-01")];
        assert_eq!(of("shop.example.com", Tls::Auto, &[], usual), "http://shop.example.com");
        assert_eq!(of("shop.example.com", Tls::Auto, &good, usual), "https://shop.example.com");
        assert_eq!(of("shop.example.com", Tls::Custom, &good, usual), "https://shop.example.com");
        assert_eq!(of("shop.example.com", Tls::Off, &good, usual), "http://shop.example.com");
        assert_eq!(of("other.example.com", Tls::Auto, &good, usual), "http://other.example.com");
        assert_eq!(of("shop.example.com", Tls::Auto, &good, (8080, Some(8443))), "https://shop.example.com:8443");
        assert_eq!(of("shop.example.com", Tls::Auto, &good, (8080, None)), "http://shop.example.com:8080");
    }

    #[test]
    fn its_own_certificate_comes_before_that_of_the_wildcard_as_in_handshakes() {
        let over = view("shop.example.com", "2026-05-01");
        let wildcard = view("*.example.com", "2026-07-01");
        let all = [wildcard.clone(), over];
        assert_eq!(of("shop.example.com", Tls::Custom, &all, (80, Some(443))), "http://shop.example.com");
        assert_eq!(of("shop.example.com", Tls::Custom, &[wildcard], (80, Some(443))), "https://shop.example.com");
    }
}
