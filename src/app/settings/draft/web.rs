//! Wishes about the way between visitor and app.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::text::{missing, parse, positive, wrong};
use super::{FieldError, put, put_some, retain};
use crate::model::hostname::Hostname;
use crate::model::units::{ByteSize, Span};
use crate::settings::field::{Field, FieldPath};
use crate::settings::{AskUrl, Cidr, MaxAge, RateLimit, Secret, Settings, Switch, Upstream, UserName, Web};

/// Wishes about [`Web`]. Empty: leave everything as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the fields are those of Web
pub struct WebDraft {
    pub strip_prefix: Option<bool>,
    pub canonical_host: Option<Hostname>,
    pub default_app: Option<bool>,
    pub tls_redirect: Option<bool>,
    pub hsts: Option<MaxAge>,
    pub tls_on_demand: Option<AskUrl>,
    pub upstream: Option<Upstream>,
    pub response_timeout: Option<Span>,
    pub max_body: Option<ByteSize>,
    pub basic_auth: BTreeMap<UserName, Secret>,
    pub allow_ip: BTreeSet<Cidr>,
    pub rate_limit: Option<RateLimit>,
    pub compress: Option<bool>,
}

impl WebDraft {
    pub(super) fn exactly(web: Web) -> Self {
        Self {
            strip_prefix: Some(web.strip_prefix),
            canonical_host: web.canonical_host,
            default_app: Some(web.default_app),
            tls_redirect: Some(web.tls_redirect),
            hsts: web.hsts,
            tls_on_demand: web.tls_on_demand,
            upstream: Some(web.upstream),
            response_timeout: web.response_timeout,
            max_body: web.max_body,
            basic_auth: web.basic_auth,
            allow_ip: web.allow_ip,
            rate_limit: web.rate_limit,
            compress: Some(web.compress),
        }
    }

    /// Whether nothing is wished for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }

    pub(super) fn set(&mut self, path: &FieldPath, text: &str) -> Result<(), FieldError> {
        let (field, trimmed) = (path.field, text.trim());
        match field {
            Field::StripPrefix => self.strip_prefix = Some(switch(field, trimmed)?),
            Field::CanonicalHost => self.canonical_host = Some(canonical(trimmed)?),
            Field::DefaultApp => self.default_app = Some(switch(field, trimmed)?),
            Field::TlsRedirect => self.tls_redirect = Some(switch(field, trimmed)?),
            Field::Hsts => self.hsts = Some(parse(field, trimmed)?),
            Field::TlsOnDemand => self.tls_on_demand = Some(parse(field, trimmed)?),
            Field::Upstream => self.upstream = Some(parse(field, trimmed)?),
            Field::ResponseTimeout => self.response_timeout = Some(positive(field, trimmed)?),
            Field::MaxBody => self.max_body = Some(max_body(trimmed)?),
            Field::BasicAuth => self.add_user(path.entry.as_deref(), text)?,
            Field::AllowIp => self.add_ranges(path.entry.as_deref().unwrap_or(trimmed))?,
            Field::RateLimit => self.rate_limit = Some(parse(field, trimmed)?),
            Field::Compress => self.compress = Some(switch(field, trimmed)?),
            _ => {}
        }
        Ok(())
    }

    /// The single values that are wished for, as they are typed.
    #[must_use]
    pub fn texts(&self) -> Vec<(Field, String)> {
        fn switch(wish: Option<bool>) -> Option<String> {
            wish.map(|on| Switch::from(on).to_string())
        }
        fn text<T: ToString>(wish: Option<&T>) -> Option<String> {
            wish.map(ToString::to_string)
        }
        let all = [
            (Field::StripPrefix, switch(self.strip_prefix)),
            (Field::CanonicalHost, text(self.canonical_host.as_ref())),
            (Field::DefaultApp, switch(self.default_app)),
            (Field::TlsRedirect, switch(self.tls_redirect)),
            (Field::Hsts, text(self.hsts.as_ref())),
            (Field::TlsOnDemand, text(self.tls_on_demand.as_ref())),
            (Field::Upstream, text(self.upstream.as_ref())),
            (Field::ResponseTimeout, text(self.response_timeout.as_ref())),
            (Field::MaxBody, text(self.max_body.as_ref())),
            (Field::RateLimit, text(self.rate_limit.as_ref())),
            (Field::Compress, switch(self.compress)),
        ];
        all.into_iter().filter_map(|(field, text)| Some((field, text?))).collect()
    }

    fn add_user(&mut self, entry: Option<&str>, password: &str) -> Result<(), FieldError> {
        let Some(user) = entry else {
            return Err(missing(Field::BasicAuth, "a password belongs to a user, as in `basic-auth.USER`"));
        };
        let user = parse(Field::BasicAuth, user)?;
        if password.is_empty() || password.chars().any(char::is_control) {
            return Err(missing(Field::BasicAuth, "a password is not empty and has no control characters"));
        }
        self.basic_auth.insert(user, Secret::new(password.to_owned()));
        Ok(())
    }

    fn add_ranges(&mut self, text: &str) -> Result<(), FieldError> {
        let ranges = text.split([' ', ',']).filter(|t| !t.is_empty()).map(|t| parse::<Cidr>(Field::AllowIp, t));
        let ranges: Vec<_> = ranges.collect::<Result<_, _>>()?;
        if ranges.is_empty() {
            return Err(wrong(Field::AllowIp, text, "at least one range of addresses is needed"));
        }
        self.allow_ip.extend(ranges);
        Ok(())
    }

    pub(super) fn give(&self, next: &mut Web) {
        put(&mut next.strip_prefix, self.strip_prefix.as_ref());
        put_some(&mut next.canonical_host, &self.canonical_host);
        put(&mut next.default_app, self.default_app.as_ref());
        put(&mut next.tls_redirect, self.tls_redirect.as_ref());
        put_some(&mut next.hsts, &self.hsts);
        put_some(&mut next.tls_on_demand, &self.tls_on_demand);
        put(&mut next.upstream, self.upstream.as_ref());
        put_some(&mut next.response_timeout, &self.response_timeout);
        put_some(&mut next.max_body, &self.max_body);
        next.basic_auth.extend(self.basic_auth.clone());
        next.allow_ip.extend(self.allow_ip.iter().copied());
        put_some(&mut next.rate_limit, &self.rate_limit);
        put(&mut next.compress, self.compress.as_ref());
    }
}

pub(super) fn unset(next: &mut Web, path: &FieldPath) {
    let blank = Web::default();
    let entry = path.entry.as_deref();
    match path.field {
        Field::StripPrefix => next.strip_prefix = blank.strip_prefix,
        Field::CanonicalHost => next.canonical_host = None,
        Field::DefaultApp => next.default_app = blank.default_app,
        Field::TlsRedirect => next.tls_redirect = blank.tls_redirect,
        Field::Hsts => next.hsts = None,
        Field::TlsOnDemand => next.tls_on_demand = None,
        Field::Upstream => next.upstream = blank.upstream,
        Field::ResponseTimeout => next.response_timeout = None,
        Field::MaxBody => next.max_body = None,
        Field::BasicAuth => retain(&mut next.basic_auth, entry, UserName::as_str),
        Field::AllowIp => {
            let gone: Option<Cidr> = entry.and_then(|e| e.parse().ok());
            next.allow_ip.retain(|range| entry.is_some() && Some(*range) != gone);
        }
        Field::RateLimit => next.rate_limit = None,
        Field::Compress => next.compress = blank.compress,
        _ => {}
    }
}

/// What cannot hold together.
pub(super) fn contradictions(next: &Settings) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if let Some(host) = next.web.canonical_host.as_ref().filter(|host| !next.hosts.contains(host)) {
        let reason = "it is none of the app's hostnames; add it with `--host`, or unset canonical-host";
        errors.push(wrong(Field::CanonicalHost, host.as_str(), reason));
    }
    if next.web.strip_prefix && next.path_prefix.is_none() {
        errors.push(missing(Field::StripPrefix, "there is no path-prefix to strip; give one, or unset strip-prefix"));
    }
    errors
}

fn switch(field: Field, text: &str) -> Result<bool, FieldError> {
    parse::<Switch>(field, text).map(bool::from)
}

fn canonical(text: &str) -> Result<Hostname, FieldError> {
    let host: Hostname = parse(Field::CanonicalHost, text)?;
    if host.is_wildcard() {
        return Err(wrong(Field::CanonicalHost, text, "a wildcard names no host to redirect to"));
    }
    Ok(host)
}

fn max_body(text: &str) -> Result<ByteSize, FieldError> {
    let size: ByteSize = parse(Field::MaxBody, text)?;
    if size.0 == 0 {
        return Err(wrong(Field::MaxBody, text, "it must be larger than 0; unset it for no limit"));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::*;

    fn base() -> Settings {
        Settings::new("acme/shop:1".parse().unwrap(), "shop.example.com".parse().unwrap())
    }

    fn draft(pairs: &[(&str, &str)]) -> Draft {
        let mut draft = Draft::default();
        for (path, text) in pairs {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        draft
    }

    fn all() -> Settings {
        let wishes = draft(&[
            ("path-prefix", "/blog"),
            ("strip-prefix", "on"),
            ("canonical-host", "shop.example.com"),
            ("default-app", "on"),
            ("tls-redirect", "off"),
            ("hsts", "365d"),
            ("tls-on-demand", "/ask"),
            ("upstream", "h2c"),
            ("response-timeout", "5s"),
            ("stream-timeout", "2m"),
            ("watch-time", "30s"),
            ("max-body", "50m"),
            ("basic-auth.ann", "hunter2"),
            ("allow-ip", "10.0.0.0/8 192.0.2.1"),
            ("rate-limit", "100"),
            ("compress", "on"),
        ]);
        wishes.merge(Some(&base()), None).unwrap()
    }

    #[test]
    fn each_is_set_kept_written_and_unset() {
        let settings = all();
        assert_eq!(Draft::default().merge(Some(&settings), None).unwrap(), settings);
        assert_eq!(Draft::exactly(&settings).merge(Some(&base()), None).unwrap(), settings);
        let written = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&written).unwrap(), settings);
        let mut nothing = Draft::default();
        let keys = Field::ALL.iter().filter(|f| !matches!(f, Field::Host | Field::Image));
        nothing.unset.extend(keys.map(|f| f.key().parse::<FieldPath>().unwrap()));
        assert_eq!(nothing.merge(Some(&settings), None).unwrap(), base());
    }

    #[test]
    fn entries_are_taken_away_one_by_one() {
        let mut wishes = draft(&[("basic-auth.bob", "x"), ("allow-ip", "::1")]);
        wishes.unset.insert("basic-auth.ann".parse().unwrap());
        wishes.unset.insert("allow-ip.10.0.0.0/8".parse().unwrap());
        let web = wishes.merge(Some(&all()), None).unwrap().web;
        assert_eq!(web.basic_auth.keys().map(UserName::as_str).collect::<Vec<_>>(), ["bob"]);
        assert_eq!(web.allow_ip.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.0.2.1/32", "::1/128"]);
    }

    #[test]
    fn passwords_are_masked() {
        let settings = all();
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&settings.without_secrets()).unwrap().contains("hunter2"));
        let error = Draft::default().set(&"basic-auth".parse().unwrap(), "hunter2").unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn what_cannot_hold_together() {
        for (wishes, says) in [
            (&[("canonical-host", "www.example.com")][..], "it is none of the app's hostnames"),
            (&[("strip-prefix", "on")], "there is no path-prefix to strip"),
        ] {
            let errors = draft(wishes).merge(Some(&base()), None).unwrap_err();
            assert!(errors[0].to_string().contains(says), "{errors:?}");
        }
    }
}
