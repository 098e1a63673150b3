//! What holds for the proxy as a whole, whatever the apps say. Kept by the proxy itself; changes are a [`ProxyDraft`].

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::model::units::Port;
use crate::settings::{Cidr, MASK, Secret, Switch};

/// Settings of the proxy. What is not there has its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxyConfig {
    /// Port of the host for HTTP; `None`: 80, unless `ONCE_HTTP_PORT` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_port: Option<Port>,
    /// Port of the host for HTTPS; `None`: 443, unless `ONCE_HTTPS_PORT` says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub https_port: Option<Port>,
    /// Where certificates come from.
    pub acme: Acme,
    /// Peers whose word about the client (`X-Forwarded-*`) is believed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub trusted_proxies: BTreeSet<Cidr>,
    /// Peers that begin each connection with a PROXY protocol header.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub proxy_protocol_from: BTreeSet<Cidr>,
    /// Connections that one client address may have open, trusted proxies left out; `None`: 4096, and this machine
    /// left out, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections_per_address: Option<NonZeroU32>,
    /// Whether requests are logged.
    pub access_log: bool,
    /// Port of the host's loopback for metrics; `None`: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_port: Option<Port>,
    /// Where to post what is done to the apps; may hold a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Secret>,
    /// What these posts are signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_key: Option<Secret>,
}

/// The authority that gives certificates, and how it knows us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Acme {
    /// The directory's URL, `https://`; `None`: Let's Encrypt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// An address the authority may write to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// External account binding: the key's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eab_kid: Option<String>,
    /// External account binding: the key, base64url as the authority gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eab_key: Option<Secret>,
    /// PEM of one more root certificate to believe the directory with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            http_port: None,
            https_port: None,
            acme: Acme::default(),
            trusted_proxies: BTreeSet::new(),
            proxy_protocol_from: BTreeSet::new(),
            connections_per_address: None,
            access_log: true,
            metrics_port: None,
            webhook: None,
            webhook_key: None,
        }
    }
}

impl ProxyConfig {
    /// The same with the secret key replaced, for screens and JSON.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        let mut shown = self.clone();
        if shown.acme.eab_key.is_some() {
            shown.acme.eab_key = Some(Secret::new(MASK.to_owned()));
        }
        for secret in [&mut shown.webhook, &mut shown.webhook_key].into_iter().flatten() {
            *secret = Secret::new(MASK.to_owned());
        }
        shown
    }

    /// Every setting that says something, by its key, secrets masked.
    #[must_use]
    pub fn texts(&self) -> Vec<(ProxyField, String)> {
        fn text<T: ToString>(value: Option<&T>) -> Option<String> {
            value.map(ToString::to_string)
        }
        fn list(ranges: &BTreeSet<Cidr>) -> Option<String> {
            let texts: Vec<String> = ranges.iter().map(ToString::to_string).collect();
            (!texts.is_empty()).then(|| texts.join(" "))
        }
        let all = ProxyField::ALL.iter().map(|field| {
            let value = match field {
                ProxyField::HttpPort => text(self.http_port.as_ref()),
                ProxyField::HttpsPort => text(self.https_port.as_ref()),
                ProxyField::AcmeDirectory => self.acme.directory.clone(),
                ProxyField::AcmeContact => self.acme.contact.clone(),
                ProxyField::AcmeEabKid => self.acme.eab_kid.clone(),
                ProxyField::AcmeEabKey => self.acme.eab_key.as_ref().map(|_| MASK.to_owned()),
                ProxyField::AcmeRoot => {
                    self.acme.root.as_ref().map(|pem| format!("a certificate of {} characters", pem.len()))
                }
                ProxyField::TrustedProxies => list(&self.trusted_proxies),
                ProxyField::ProxyProtocolFrom => list(&self.proxy_protocol_from),
                ProxyField::ConnectionsPerAddress => text(self.connections_per_address.as_ref()),
                ProxyField::AccessLog => Some(Switch::from(self.access_log).to_string()),
                ProxyField::MetricsPort => text(self.metrics_port.as_ref()),
                ProxyField::Webhook => self.webhook.as_ref().map(|_| MASK.to_owned()),
                ProxyField::WebhookKey => self.webhook_key.as_ref().map(|_| MASK.to_owned()),
            };
            (*field, value)
        });
        all.filter_map(|(field, value)| Some((field, value?))).collect()
    }
}

macro_rules! fields {
    ($($variant:ident $key:literal)*) => {
        /// One setting of the proxy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs)] // the fields are those of ProxyConfig
        pub enum ProxyField { $($variant),* }

        impl ProxyField {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The flag's name, without dashes.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$variant => $key),* }
            }
        }
    };
}

fields! {
    HttpPort "http-port"
    HttpsPort "https-port"
    AcmeDirectory "acme-directory"
    AcmeContact "acme-contact"
    AcmeEabKid "acme-eab-kid"
    AcmeEabKey "acme-eab-key"
    AcmeRoot "acme-root"
    TrustedProxies "trusted-proxy"
    ProxyProtocolFrom "proxy-protocol-from"
    ConnectionsPerAddress "connections-per-address"
    AccessLog "access-log"
    MetricsPort "metrics-port"
    Webhook "webhook"
    WebhookKey "webhook-key"
}

impl fmt::Display for ProxyField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// One thing wrong with one setting of the proxy. Reads as a sentence; never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {field} `{}`: {reason}", .value.escape_debug())]
pub struct ProxyFieldError {
    /// Which setting.
    pub field: ProxyField,
    /// What was given.
    pub value: String,
    /// Why it will not do.
    pub reason: String,
}

/// Wishes about the proxy: what is given replaces, ranges are added, what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the fields are those of ProxyConfig
pub struct ProxyDraft {
    pub http_port: Option<Port>,
    pub https_port: Option<Port>,
    pub acme: Acme,
    pub trusted_proxies: BTreeSet<Cidr>,
    pub proxy_protocol_from: BTreeSet<Cidr>,
    pub connections_per_address: Option<NonZeroU32>,
    pub access_log: Option<bool>,
    pub metrics_port: Option<Port>,
    pub webhook: Option<Secret>,
    pub webhook_key: Option<Secret>,
    /// Settings to be set back to their defaults, before anything is given: `acme-contact`, `trusted-proxy`, or one
    /// range as `trusted-proxy.10.0.0.0/8`.
    pub unset: BTreeSet<String>,
}

impl ProxyDraft {
    /// Sets one field from text. A list takes several ranges, separated by spaces or commas.
    ///
    /// # Errors
    /// What is wrong with the text; the draft is unchanged then.
    pub fn set(&mut self, field: ProxyField, text: &str) -> Result<(), ProxyFieldError> {
        let text = text.trim();
        match field {
            ProxyField::HttpPort => self.http_port = Some(parse(field, text)?),
            ProxyField::HttpsPort => self.https_port = Some(parse(field, text)?),
            ProxyField::AcmeDirectory => self.acme.directory = Some(directory(text)?),
            ProxyField::AcmeContact => self.acme.contact = Some(contact(text)?),
            ProxyField::AcmeEabKid => self.acme.eab_kid = Some(word(field, text)?),
            ProxyField::AcmeEabKey => self.acme.eab_key = Some(eab_key(text)?),
            ProxyField::AcmeRoot => self.acme.root = Some(root(text)?),
            ProxyField::TrustedProxies => self.trusted_proxies.extend(ranges(field, text)?),
            ProxyField::ProxyProtocolFrom => self.proxy_protocol_from.extend(ranges(field, text)?),
            ProxyField::ConnectionsPerAddress => self.connections_per_address = Some(count(text)?),
            ProxyField::AccessLog => self.access_log = Some(parse::<Switch>(field, text)?.into()),
            ProxyField::MetricsPort => self.metrics_port = Some(parse(field, text)?),
            ProxyField::Webhook => self.webhook = Some(webhook(text)?),
            ProxyField::WebhookKey => self.webhook_key = Some(key(text)?),
        }
        Ok(())
    }

    /// Wishes for a setting to go back to its default: `acme-contact`, or one range as `trusted-proxy.10.0.0.0/8`.
    ///
    /// # Errors
    /// There is no such setting or range.
    pub fn unset(&mut self, path: &str) -> Result<(), String> {
        let (key, entry) = split(path);
        let field = ProxyField::ALL.iter().find(|f| f.key() == key);
        let lists = [ProxyField::TrustedProxies, ProxyField::ProxyProtocolFrom];
        match (field, entry) {
            (None, _) => Err(format!("there is no setting `{}` of the proxy", path.escape_debug())),
            (Some(field), Some(_)) if !lists.contains(field) => Err(format!("`{field}` is a single value")),
            (Some(field), Some(entry)) if entry.parse::<Cidr>().is_err() => {
                Err(format!("`{}` is no range of {field}", entry.escape_debug()))
            }
            _ => {
                self.unset.insert(path.to_owned());
                Ok(())
            }
        }
    }

    /// Whether nothing is wished for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    /// What holds when the wishes are granted.
    #[must_use]
    pub fn merge(&self, base: &ProxyConfig) -> ProxyConfig {
        fn put<T: Clone>(slot: &mut Option<T>, wish: &Option<T>) {
            if wish.is_some() {
                slot.clone_from(wish);
            }
        }
        let mut next = base.clone();
        for path in &self.unset {
            unset(&mut next, path);
        }
        put(&mut next.http_port, &self.http_port);
        put(&mut next.https_port, &self.https_port);
        put(&mut next.acme.directory, &self.acme.directory);
        put(&mut next.acme.contact, &self.acme.contact);
        put(&mut next.acme.eab_kid, &self.acme.eab_kid);
        put(&mut next.acme.eab_key, &self.acme.eab_key);
        put(&mut next.acme.root, &self.acme.root);
        put(&mut next.connections_per_address, &self.connections_per_address);
        put(&mut next.metrics_port, &self.metrics_port);
        put(&mut next.webhook, &self.webhook);
        put(&mut next.webhook_key, &self.webhook_key);
        next.trusted_proxies.extend(self.trusted_proxies.iter().copied());
        next.proxy_protocol_from.extend(self.proxy_protocol_from.iter().copied());
        next.access_log = self.access_log.unwrap_or(next.access_log);
        next
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(key, entry)| (key, Some(entry)))
}

fn unset(next: &mut ProxyConfig, path: &str) {
    let (key, entry) = split(path);
    let Some(field) = ProxyField::ALL.iter().find(|f| f.key() == key) else { return };
    let gone: Option<Cidr> = entry.and_then(|e| e.parse().ok());
    let keep = |range: &Cidr| entry.is_some() && Some(*range) != gone;
    match field {
        ProxyField::HttpPort => next.http_port = None,
        ProxyField::HttpsPort => next.https_port = None,
        ProxyField::AcmeDirectory => next.acme.directory = None,
        ProxyField::AcmeContact => next.acme.contact = None,
        ProxyField::AcmeEabKid => next.acme.eab_kid = None,
        ProxyField::AcmeEabKey => next.acme.eab_key = None,
        ProxyField::AcmeRoot => next.acme.root = None,
        ProxyField::TrustedProxies => next.trusted_proxies.retain(keep),
        ProxyField::ProxyProtocolFrom => next.proxy_protocol_from.retain(keep),
        ProxyField::ConnectionsPerAddress => next.connections_per_address = None,
        ProxyField::AccessLog => next.access_log = true,
        ProxyField::MetricsPort => next.metrics_port = None,
        ProxyField::Webhook => next.webhook = None,
        ProxyField::WebhookKey => next.webhook_key = None,
    }
}

fn parse<T: std::str::FromStr<Err: fmt::Display>>(field: ProxyField, text: &str) -> Result<T, ProxyFieldError> {
    text.parse().map_err(|reason: T::Err| wrong(field, text, reason.to_string()))
}

fn wrong(field: ProxyField, text: &str, reason: impl Into<String>) -> ProxyFieldError {
    ProxyFieldError { field, value: text.to_owned(), reason: reason.into() }
}

fn ranges(field: ProxyField, text: &str) -> Result<Vec<Cidr>, ProxyFieldError> {
    let ranges: Vec<Cidr> =
        text.split([' ', ',']).filter(|t| !t.is_empty()).map(|t| parse(field, t)).collect::<Result<_, _>>()?;
    if ranges.is_empty() { Err(wrong(field, text, "at least one range of addresses is needed")) } else { Ok(ranges) }
}

fn word(field: ProxyField, text: &str) -> Result<String, ProxyFieldError> {
    let fine = !text.is_empty() && text.len() <= 1024 && text.chars().all(|c| c.is_ascii_graphic());
    if fine { Ok(text.to_owned()) } else { Err(wrong(field, text, "it must be one word of ASCII characters")) }
}

fn directory(text: &str) -> Result<String, ProxyFieldError> {
    let field = ProxyField::AcmeDirectory;
    let host = text.strip_prefix("https://").map(|rest| rest.split('/').next().unwrap_or_default());
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') => word(field, text),
        _ => Err(wrong(field, text, "it must be a URL that starts with https://")),
    }
}

/// Its address may be all that protects it, so it is not repeated.
fn webhook(text: &str) -> Result<Secret, ProxyFieldError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let fine = host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    match word(ProxyField::Webhook, text) {
        Ok(url) if fine => Ok(Secret::new(url)),
        _ => Err(wrong(
            ProxyField::Webhook,
            MASK,
            "it must be a URL that starts with https:// or http://, without a login",
        )),
    }
}

fn key(text: &str) -> Result<Secret, ProxyFieldError> {
    match text.len() {
        16.. => Ok(Secret::new(text.to_owned())),
        _ => Err(wrong(ProxyField::WebhookKey, MASK, "it must have 16 characters or more")),
    }
}

fn contact(text: &str) -> Result<String, ProxyFieldError> {
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    let fine = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    let field = ProxyField::AcmeContact;
    if fine { word(field, text) } else { Err(wrong(field, text, "it must be a mail address")) }
}

/// Never repeated: it is a secret.
fn eab_key(text: &str) -> Result<Secret, ProxyFieldError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+' | b'/' | b'=');
    let fine = (16..=1024).contains(&text.len()) && text.bytes().all(plain);
    let reason = "it must be the key as the authority gives it, in base64url";
    if fine { Ok(Secret::new(text.to_owned())) } else { Err(wrong(ProxyField::AcmeEabKey, MASK, reason)) }
}

fn root(text: &str) -> Result<String, ProxyFieldError> {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let fine =
        text.len() <= 64 << 10 && text.starts_with(BEGIN) && text.ends_with(END) && !text.contains("PRIVATE KEY");
    if fine {
        return Ok(format!("{text}\n"));
    }
    let start: String = text.chars().take_while(|c| !c.is_control()).take(40).collect();
    Err(wrong(ProxyField::AcmeRoot, &start, format!("it must be PEM that starts with {BEGIN}")))
}

fn count(text: &str) -> Result<NonZeroU32, ProxyFieldError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let count = digits.then(|| text.parse().ok()).flatten();
    count.ok_or_else(|| {
        wrong(
            ProxyField::ConnectionsPerAddress,
            text,
            "it must be a number of at least 1; unset it for the default of 4096",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    fn all() -> ProxyDraft {
        let mut draft = ProxyDraft::default();
        for (field, text) in ProxyField::ALL.iter().zip([
            "8080",
            "8443",
            "https://acme.example.com/directory",
            "mailto:ops@example.com",
            "kid-1",
            "c2VjcmV0LWh1bnRlcjI",
            PEM,
            "10.0.0.0/8, 192.0.2.1",
            "172.16.0.0/12",
            "100",
            "off",
            "9100",
            "https://hooks.example.com/c2VjcmV0",
            "c2VjcmV0-0123456789",
        ]) {
            draft.set(*field, text).unwrap();
        }
        draft
    }

    #[test]
    fn each_is_set_kept_written_shown_and_unset() {
        let config = all().merge(&ProxyConfig::default());
        assert_eq!(ProxyDraft::default().merge(&config), config);
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ProxyConfig>(&written).unwrap(), config);
        assert_eq!(serde_json::from_str::<ProxyConfig>("{}").unwrap(), ProxyConfig::default());
        assert_eq!(config.texts().len(), ProxyField::ALL.len());
        let mut nothing = ProxyDraft::default();
        for field in ProxyField::ALL {
            nothing.unset(field.key()).unwrap();
        }
        assert_eq!(nothing.merge(&config), ProxyConfig::default());
    }

    #[test]
    fn the_key_is_masked() {
        let config = all().merge(&ProxyConfig::default());
        for shown in [
            format!("{config:?}"),
            format!("{:?}", config.texts()),
            serde_json::to_string(&config.without_secrets()).unwrap(),
        ] {
            assert!(!shown.contains("c2VjcmV0"), "{shown}");
        }
        let error = ProxyDraft::default().set(ProxyField::AcmeEabKey, "hunter2 hunter2 hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn one_range_is_taken_away() {
        let mut draft = ProxyDraft::default();
        draft.unset("trusted-proxy.10.0.0.0/8").unwrap();
        draft.set(ProxyField::TrustedProxies, "::1").unwrap();
        let ranges = draft.merge(&all().merge(&ProxyConfig::default())).trusted_proxies;
        assert_eq!(ranges.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.1/32", "::1/128"]);
    }

    #[test]
    fn mistakes() {
        use ProxyField as F;
        for (field, text) in [
            (F::HttpPort, "0"),
            (F::MetricsPort, "x"),
            (F::AcmeDirectory, "http://acme.example.com"),
            (F::AcmeDirectory, "https://"),
            (F::AcmeDirectory, "https://a b/"),
            (F::AcmeContact, "ops"),
            (F::AcmeContact, "a@b c.d"),
            (F::AcmeEabKid, ""),
            (F::AcmeRoot, "-----BEGIN PRIVATE KEY-----"),
            (F::TrustedProxies, "10.1.1.1/8"),
            (F::TrustedProxies, ""),
            (F::ProxyProtocolFrom, "lb"),
            (F::ConnectionsPerAddress, "0"),
            (F::ConnectionsPerAddress, "-1"),
            (F::AccessLog, "maybe"),
        ] {
            let mut draft = ProxyDraft::default();
            assert!(draft.set(field, text).is_err(), "{field} {text}");
            assert!(draft.is_empty());
        }
        for path in ["nothing", "http-port.1", "trusted-proxy.x"] {
            assert!(ProxyDraft::default().unset(path).is_err(), "{path}");
        }
    }
}
