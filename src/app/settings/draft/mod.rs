//! Wishes about settings, and how they are merged into what holds: what is given replaces, what is left out stays.

mod text;
mod web;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::field::{Field, FieldPath};
use super::{
    AutoUpdate, EnvKey, EnvValue, KeptContainers, KeptImages, Mount, MountError, MountSource, Secret, Settings, Smtp,
    Swap, Tls,
};
use crate::model::hostname::Hostname;
use crate::model::image::ImageRef;
use crate::model::units::{ByteSize, Cpus, Port, Span, UrlPath};
pub use text::within_bounds;
use text::{bounded, cpus, line, memory, missing, parse, positive, word, wrong};
pub use web::WebDraft;

/// The fields of [`WebDraft`]. A field that is neither here nor in one of the tables below does not compile.
macro_rules! web_fields {
    () => {
        Field::StripPrefix
            | Field::CanonicalHost
            | Field::DefaultApp
            | Field::TlsRedirect
            | Field::Hsts
            | Field::TlsOnDemand
            | Field::Upstream
            | Field::ResponseTimeout
            | Field::MaxBody
            | Field::BasicAuth
            | Field::AllowIp
            | Field::RateLimit
            | Field::Compress
    };
}

/// One thing wrong with one field. Reads as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {field}{}: {reason}", .value.as_ref().map(|v| format!(" `{}`", v.escape_debug())).unwrap_or_default())]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    /// What was given; `None` where it is a secret or nothing was.
    pub value: Option<String>,
    /// Why it will not do.
    pub reason: String,
}

/// A set of wishes. Empty: leave everything as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the fields are those of Settings
pub struct Draft {
    pub image: Option<ImageRef>,
    pub hosts: Vec<Hostname>,
    pub drop_hosts: Vec<Hostname>,
    /// The app's address from now on: the first hostname, to which the others redirect until they are dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub move_host: Option<Hostname>,
    pub path_prefix: Option<UrlPath>,
    pub tls: Option<Tls>,
    pub port: Option<Port>,
    pub health_path: Option<UrlPath>,
    pub health_timeout: Option<Span>,
    pub drain_timeout: Option<Span>,
    pub stream_timeout: Option<Span>,
    pub stop_timeout: Option<Span>,
    pub watch_time: Option<Span>,
    #[serde(skip_serializing_if = "WebDraft::is_empty")]
    pub web: WebDraft,
    pub env: BTreeMap<EnvKey, EnvValue>,
    pub volumes: BTreeMap<UrlPath, MountSource>,
    pub networks: BTreeSet<String>,
    pub memory: Option<ByteSize>,
    pub cpus: Option<Cpus>,
    pub swap: Option<Swap>,
    pub release_command: Option<String>,
    pub smtp_server: Option<String>,
    pub smtp_port: Option<Port>,
    pub smtp_username: Option<String>,
    pub smtp_password: Option<Secret>,
    pub smtp_from: Option<String>,
    pub auto_update: Option<AutoUpdate>,
    pub labels: BTreeMap<String, String>,
    pub log_max_size: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_containers: Option<KeptContainers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_images: Option<KeptImages>,
    pub note: Option<String>,
    /// Fields, or entries of fields, to be set back to nothing.
    pub unset: BTreeSet<FieldPath>,
    /// The draft is the whole truth: what is left out goes back to its default. Image and hosts stay if not given.
    pub exact: bool,
}

impl Draft {
    /// Wishes for exactly these settings, whatever held before; used by rollback and by forms.
    #[must_use]
    pub fn exactly(settings: &Settings) -> Self {
        let s = settings.clone();
        let smtp = s.smtp;
        Self {
            image: Some(s.image),
            hosts: s.hosts,
            path_prefix: s.path_prefix,
            tls: Some(s.tls),
            port: s.port,
            health_path: Some(s.health_path),
            health_timeout: Some(s.health_timeout),
            drain_timeout: Some(s.drain_timeout),
            stream_timeout: s.stream_timeout,
            stop_timeout: Some(s.stop_timeout),
            watch_time: Some(s.watch_time),
            web: WebDraft::exactly(s.web),
            env: s.env,
            volumes: s.volumes,
            networks: s.networks,
            memory: s.memory,
            cpus: s.cpus,
            // What nobody chose is left to what holds where nothing is said.
            swap: Some(s.swap).filter(|swap| *swap != Swap::Overlap || s.overlap_chosen),
            release_command: s.release_command,
            smtp_server: smtp.as_ref().map(|m| m.server.clone()),
            smtp_port: smtp.as_ref().map(|m| m.port),
            smtp_username: smtp.as_ref().and_then(|m| m.username.clone()),
            smtp_password: smtp.as_ref().and_then(|m| m.password.clone()),
            smtp_from: smtp.and_then(|m| m.from),
            auto_update: Some(s.auto_update),
            labels: s.labels,
            log_max_size: Some(s.log_max_size),
            keep_containers: Some(s.retention.containers),
            keep_images: Some(s.retention.images),
            note: s.note,
            exact: true,
            ..Self::default()
        }
    }

    /// Sets one field from text: `memory` `512m`, `env.KEY` `value`, `host` `a.example.com b.example.com`.
    /// Used by flags, `once set` and forms, so all of them say the same about the same mistake.
    ///
    /// # Errors
    /// What is wrong with the text; the draft is unchanged then.
    pub fn set(&mut self, path: &FieldPath, text: &str) -> Result<(), FieldError> {
        let field = path.field;
        let trimmed = text.trim();
        match field {
            Field::Image => self.image = Some(parse(field, trimmed)?),
            Field::Host => self.add_hosts(trimmed)?,
            Field::PathPrefix => {
                let given: UrlPath = parse(field, trimmed)?;
                // Once more: `/%2e%2e` is `/..`.
                self.path_prefix = Some(parse(field, given.normalised().as_str())?);
            }
            Field::Tls => self.tls = Some(parse(field, trimmed)?),
            Field::Port => self.port = Some(parse(field, trimmed)?),
            Field::HealthPath => self.health_path = Some(parse(field, trimmed)?),
            Field::HealthTimeout => self.health_timeout = Some(positive(field, trimmed)?),
            Field::DrainTimeout => self.drain_timeout = Some(parse(field, trimmed)?),
            Field::StreamTimeout => self.stream_timeout = Some(parse(field, trimmed)?),
            Field::StopTimeout => self.stop_timeout = Some(parse(field, trimmed)?),
            Field::WatchTime => self.watch_time = Some(parse(field, trimmed)?),
            Field::Swap => self.swap = Some(parse(field, trimmed)?),
            Field::ReleaseCommand => self.release_command = Some(line(field, text)?),
            Field::Env => self.set_env(path.entry.as_deref(), text)?,
            Field::SmtpServer => self.smtp_server = Some(word(field, trimmed)?),
            Field::SmtpPort => self.smtp_port = Some(parse(field, trimmed)?),
            Field::SmtpUsername => self.smtp_username = Some(line(field, text)?),
            Field::SmtpPassword => self.smtp_password = Some(Secret::new(text.to_owned())),
            Field::SmtpFrom => self.smtp_from = Some(line(field, trimmed)?),
            Field::Memory => self.memory = Some(memory(trimmed)?),
            Field::Cpus => self.cpus = Some(cpus(trimmed)?),
            Field::Volume => self.add_volume(path.entry.as_deref(), trimmed)?,
            Field::Network => self.add_network(path.entry.as_deref().unwrap_or(trimmed))?,
            Field::Label => self.add_label(path.entry.as_deref(), text)?,
            Field::LogMaxSize => self.log_max_size = Some(parse(field, trimmed)?),
            Field::KeepContainers => self.keep_containers = Some(parse(field, trimmed)?),
            Field::KeepImages => self.keep_images = Some(parse(field, trimmed)?),
            Field::AutoUpdate => self.auto_update = Some(parse(field, trimmed)?),
            Field::Note => self.note = Some(line(field, trimmed)?),
            web_fields!() => self.web.set(path, text)?,
        }
        Ok(())
    }

    fn add_hosts(&mut self, text: &str) -> Result<(), FieldError> {
        let hosts = text.split([' ', ',']).filter(|t| !t.is_empty()).map(|t| parse::<Hostname>(Field::Host, t));
        let hosts: Vec<_> = hosts.collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err(wrong(Field::Host, text, "at least one hostname is needed"));
        }
        for host in hosts {
            if !self.hosts.contains(&host) {
                self.hosts.push(host);
            }
        }
        Ok(())
    }

    fn set_env(&mut self, entry: Option<&str>, text: &str) -> Result<(), FieldError> {
        let (key, value) = match entry {
            Some(key) => (key, text),
            None => text.split_once('=').ok_or_else(|| FieldError {
                field: Field::Env,
                value: None, // it may be a secret that was meant as `KEY=secret`
                reason: "a variable is given as KEY=VALUE".into(),
            })?,
        };
        let key: EnvKey = parse(Field::Env, key)?;
        if value.contains('\0') {
            return Err(FieldError {
                field: Field::Env,
                value: Some(key.to_string()),
                reason: "its value holds a NUL byte".into(),
            });
        }
        bounded(Field::Env, key.as_str(), value)?;
        if self.env.contains_key(&key) {
            return Err(wrong(Field::Env, key.as_str(), "it is given twice"));
        }
        self.env.insert(key, EnvValue::plain(value));
        Ok(())
    }

    fn add_volume(&mut self, entry: Option<&str>, text: &str) -> Result<(), FieldError> {
        let mount = match entry {
            None => text.parse::<Mount>(),
            Some(target) => match target.parse() {
                Ok(target) => text.parse::<MountSource>().and_then(|source| Mount::new(source, target)),
                Err(_) => Err(MountError::Form),
            },
        };
        let Mount { source, target } = mount.map_err(|error| wrong(Field::Volume, text, error.to_string()))?;
        let place = target.as_str().trim_end_matches('/');
        if self.volumes.keys().any(|taken| taken.as_str().trim_end_matches('/') == place) {
            return Err(wrong(Field::Volume, text, format!("something else is mounted at {target} already")));
        }
        self.volumes.insert(target, source);
        Ok(())
    }

    fn add_network(&mut self, text: &str) -> Result<(), FieldError> {
        let fine = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
        if !fine || matches!(text, "host" | "none") {
            return Err(wrong(Field::Network, text, "it is not the name of a network that containers can share"));
        }
        self.networks.insert(text.to_owned());
        Ok(())
    }

    fn add_label(&mut self, entry: Option<&str>, text: &str) -> Result<(), FieldError> {
        let pair = entry.map(|key| (key, text)).or_else(|| text.split_once('='));
        let (key, value) = pair.ok_or_else(|| wrong(Field::Label, text, "a label is given as KEY=VALUE"))?;
        if key.is_empty() || key.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong(Field::Label, key, "a label's key has no spaces and is not empty"));
        }
        if key == "once" || key.starts_with("once.") {
            return Err(wrong(Field::Label, key, "labels that start with `once.` belong to once itself"));
        }
        bounded(Field::Label, key, value)?;
        if self.labels.contains_key(key) {
            return Err(wrong(Field::Label, key, "it is given twice"));
        }
        self.labels.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// The settings that hold when the wishes are granted. `base` is what the serving release has.
    ///
    /// # Errors
    /// All contradictions at once: no image or host for a new app, the last host dropped, mail without a server.
    pub fn merge(&self, base: Option<&Settings>, default_host: Option<&Hostname>) -> Result<Settings, Vec<FieldError>> {
        let mut errors = Vec::new();
        let image = self.image.clone().or_else(|| base.map(|b| b.image.clone()));
        let hosts = self.merge_hosts(base, default_host);
        if image.is_none() {
            errors.push(missing(Field::Image, "a new app needs an image"));
        }
        if hosts.is_empty() {
            let reason =
                if base.is_some() { "the last hostname cannot be dropped" } else { "a new app needs a hostname" };
            errors.push(missing(Field::Host, reason));
        }
        let (Some(image), Some(first)) = (image, hosts.first().cloned()) else { return Err(errors) };

        let mut next = match base {
            Some(base) if !self.exact => base.clone(),
            _ => Settings::new(image.clone(), first),
        };
        next.image = image;
        next.hosts = hosts;
        for path in &self.unset {
            unset(&mut next, path);
        }
        self.give(&mut next);
        if let Err(error) = self.give_smtp(&mut next) {
            errors.push(error);
        }
        errors.extend(web::contradictions(&next));
        if errors.is_empty() { Ok(next) } else { Err(errors) }
    }

    fn merge_hosts(&self, base: Option<&Settings>, default_host: Option<&Hostname>) -> Vec<Hostname> {
        let kept = base.filter(|_| !self.exact || self.hosts.is_empty()).map(|b| b.hosts.clone());
        let mut hosts = kept.unwrap_or_default();
        hosts.extend(self.hosts.iter().cloned());
        if let Some(first) = &self.move_host {
            hosts.insert(0, first.clone());
        }
        if hosts.is_empty() {
            hosts.extend(default_host.cloned());
        }
        let mut seen = BTreeSet::new();
        hosts.retain(|h| seen.insert(h.clone()) && !self.drop_hosts.contains(h));
        hosts
    }

    fn give(&self, next: &mut Settings) {
        put_some(&mut next.path_prefix, &self.path_prefix);
        put(&mut next.tls, self.tls.as_ref());
        put_some(&mut next.port, &self.port);
        put(&mut next.health_path, self.health_path.as_ref());
        put(&mut next.health_timeout, self.health_timeout.as_ref());
        put(&mut next.drain_timeout, self.drain_timeout.as_ref());
        put_some(&mut next.stream_timeout, &self.stream_timeout);
        put(&mut next.stop_timeout, self.stop_timeout.as_ref());
        put(&mut next.watch_time, self.watch_time.as_ref());
        self.web.give(&mut next.web);
        put_some(&mut next.web.canonical_host, &self.move_host);
        put_some(&mut next.memory, &self.memory);
        put_some(&mut next.cpus, &self.cpus);
        if let Some(swap) = self.swap {
            next.swap = swap;
            next.overlap_chosen = swap == Swap::Overlap;
        }
        put_some(&mut next.release_command, &self.release_command);
        put(&mut next.auto_update, self.auto_update.as_ref());
        put(&mut next.log_max_size, self.log_max_size.as_ref());
        put(&mut next.retention.containers, self.keep_containers.as_ref());
        put(&mut next.retention.images, self.keep_images.as_ref());
        put_some(&mut next.note, &self.note);
        next.env.extend(self.env.clone());
        next.volumes.extend(self.volumes.clone());
        next.networks.extend(self.networks.iter().cloned());
        next.labels.extend(self.labels.clone());
    }

    fn give_smtp(&self, next: &mut Settings) -> Result<(), FieldError> {
        let wishes = self.smtp_server.is_some()
            || self.smtp_port.is_some()
            || self.smtp_username.is_some()
            || self.smtp_password.is_some()
            || self.smtp_from.is_some();
        if !wishes {
            return Ok(());
        }
        let base = next.smtp.take();
        let server = self.smtp_server.clone().or_else(|| base.as_ref().map(|b| b.server.clone()));
        let Some(server) = server else {
            return Err(missing(Field::SmtpServer, "mail settings need a server"));
        };
        let base_port = base.as_ref().map(|b| b.port);
        next.smtp = Some(Smtp {
            server,
            port: self.smtp_port.or(base_port).or_else(|| Port::new(587)).unwrap_or(Port::HTTP),
            username: self.smtp_username.clone().or_else(|| base.as_ref().and_then(|b| b.username.clone())),
            password: self.smtp_password.clone().or_else(|| base.as_ref().and_then(|b| b.password.clone())),
            from: self.smtp_from.clone().or_else(|| base.and_then(|b| b.from)),
        });
        Ok(())
    }
}

/// A wish replaces what holds.
fn put<T: Clone>(slot: &mut T, wish: Option<&T>) {
    if let Some(wish) = wish {
        slot.clone_from(wish);
    }
}

fn put_some<T: Clone>(slot: &mut Option<T>, wish: &Option<T>) {
    if wish.is_some() {
        slot.clone_from(wish);
    }
}

fn unset(next: &mut Settings, path: &FieldPath) {
    let blank = Settings::new(next.image.clone(), next.primary_host().clone());
    let entry = path.entry.as_deref();
    match path.field {
        Field::Image => {}
        Field::Host => next.hosts.retain(|h| Some(h.as_str()) != entry),
        Field::PathPrefix => next.path_prefix = None,
        Field::Tls => next.tls = blank.tls,
        Field::Port => next.port = None,
        Field::HealthPath => next.health_path = blank.health_path,
        Field::HealthTimeout => next.health_timeout = blank.health_timeout,
        Field::DrainTimeout => next.drain_timeout = blank.drain_timeout,
        Field::StreamTimeout => next.stream_timeout = None,
        Field::StopTimeout => next.stop_timeout = blank.stop_timeout,
        Field::WatchTime => next.watch_time = blank.watch_time,
        Field::Swap => (next.swap, next.overlap_chosen) = (blank.swap, blank.overlap_chosen),
        Field::ReleaseCommand => next.release_command = None,
        Field::Env => retain(&mut next.env, entry, EnvKey::as_str),
        Field::Volume => retain(&mut next.volumes, entry, UrlPath::as_str),
        Field::Label => retain(&mut next.labels, entry, String::as_str),
        Field::Network => next.networks.retain(|n| entry.is_some_and(|e| e != n)),
        Field::SmtpServer => next.smtp = None,
        Field::SmtpPort => change_smtp(next, |m| m.port = Port::new(587).unwrap_or(Port::HTTP)),
        Field::SmtpUsername => change_smtp(next, |m| m.username = None),
        Field::SmtpPassword => change_smtp(next, |m| m.password = None),
        Field::SmtpFrom => change_smtp(next, |m| m.from = None),
        Field::Memory => next.memory = None,
        Field::Cpus => next.cpus = None,
        Field::LogMaxSize => next.log_max_size = blank.log_max_size,
        Field::KeepContainers => next.retention.containers = blank.retention.containers,
        Field::KeepImages => next.retention.images = blank.retention.images,
        Field::AutoUpdate => next.auto_update = blank.auto_update,
        Field::Note => next.note = None,
        web_fields!() => web::unset(&mut next.web, path),
    }
}

fn change_smtp(next: &mut Settings, change: impl FnOnce(&mut Smtp)) {
    if let Some(smtp) = &mut next.smtp {
        change(smtp);
    }
}

/// Takes one entry out of a map, or all of them where none is named.
fn retain<K: Ord, V>(map: &mut BTreeMap<K, V>, entry: Option<&str>, key: impl Fn(&K) -> &str) {
    map.retain(|k, _| entry.is_some_and(|e| e != key(k)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(pairs: &[(&str, &str)]) -> Draft {
        let mut draft = Draft::default();
        for (path, text) in pairs {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        draft
    }

    fn base() -> Settings {
        draft(&[("image", "acme/shop:1"), ("host", "shop.example.com"), ("env.A", "1"), ("memory", "512m")])
            .merge(None, None)
            .unwrap()
    }

    #[test]
    fn nothing_given_changes_nothing() {
        assert_eq!(Draft::default().merge(Some(&base()), None).unwrap(), base());
    }

    #[test]
    fn lists_and_maps_merge_by_key() {
        let next =
            draft(&[("host", "www.example.com"), ("env.B", "2"), ("env.A", "3")]).merge(Some(&base()), None).unwrap();
        let hosts: Vec<_> = next.hosts.iter().map(Hostname::as_str).collect();
        assert_eq!(hosts, ["shop.example.com", "www.example.com"]);
        let env: Vec<_> = next.env.iter().map(|(k, v)| (k.as_str(), v.value.expose())).collect();
        assert_eq!(env, [("A", "3"), ("B", "2")]);
        assert_eq!(next.memory, base().memory);
    }

    #[test]
    fn unset_drop_and_exact_take_away() {
        let mut wishes = draft(&[("host", "www.example.com")]);
        wishes.unset.insert("env.A".parse().unwrap());
        wishes.unset.insert("memory".parse().unwrap());
        wishes.drop_hosts.push("shop.example.com".parse().unwrap());
        let next = wishes.merge(Some(&base()), None).unwrap();
        assert_eq!((next.env.len(), next.memory, next.primary_host().as_str()), (0, None, "www.example.com"));

        let exact = Draft { exact: true, ..draft(&[("env.Z", "9")]) }.merge(Some(&base()), None).unwrap();
        assert_eq!((exact.env.len(), exact.memory), (1, None));
        assert_eq!((&exact.image, &exact.hosts), (&base().image, &base().hosts));
    }

    #[test]
    fn a_moved_app_keeps_its_old_address_as_a_redirect() {
        let wishes = Draft { move_host: Some("new.example.com".parse().unwrap()), ..Draft::default() };
        let next = wishes.merge(Some(&base()), None).unwrap();
        let hosts: Vec<_> = next.hosts.iter().map(Hostname::as_str).collect();
        assert_eq!(hosts, ["new.example.com", "shop.example.com"]);
        assert_eq!(next.web.canonical_host, wishes.move_host);
        let dropped = Draft { drop_hosts: base().hosts, ..Draft::default() }.merge(Some(&next), None).unwrap();
        assert_eq!(dropped.hosts, [next.hosts[0].clone()]);
    }

    #[test]
    fn exactly_reproduces() {
        let settings = draft(&[("smtp-server", "mail.example.com"), ("volume", "cache:/cache"), ("note", "hello")])
            .merge(Some(&base()), None)
            .unwrap();
        assert_eq!(Draft::exactly(&settings).merge(Some(&base()), None).unwrap(), settings);
    }

    #[test]
    fn the_last_host_stays() {
        let wishes = Draft { drop_hosts: base().hosts, ..Draft::default() };
        let errors = wishes.merge(Some(&base()), None).unwrap_err();
        assert_eq!(errors[0].to_string(), "invalid host: the last hostname cannot be dropped");
    }

    #[test]
    fn what_is_given_twice_or_too_long_or_too_small_is_refused() {
        let long = "x".repeat((64 << 10) + 1);
        for (first, second, said) in [
            (("env", "A=1"), ("env", "A=2"), "invalid env `A`: it is given twice"),
            (("volume", "a:/data"), ("volume", "b:/data/"), "something else is mounted at /data/ already"),
            (("label", "a=1"), ("label", "a=2"), "invalid label `a`: it is given twice"),
            (("note", "x"), ("cpus", "0.001"), "invalid cpus `0.001`: the engine needs at least 0.01"),
            (("note", "x"), ("env.A", &long), "invalid env `A`: it has 65537 bytes; at most 65536 are taken"),
            (("note", "x"), ("note", &long), "invalid note: it has 65537 bytes; at most 65536 are taken"),
        ] {
            let mut draft = Draft::default();
            draft.set(&first.0.parse().unwrap(), first.1).unwrap();
            let error = draft.set(&second.0.parse().unwrap(), second.1).unwrap_err().to_string();
            assert!(error.ends_with(said) && error.len() < 200, "{error}");
        }
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_not_repeated() {
        let error = Draft::default().set(&"env".parse().unwrap(), "hunter2").unwrap_err();
        assert_eq!(error.to_string(), "invalid env: a variable is given as KEY=VALUE");
    }
}
