//! What a wish would change, field by field, and what that costs. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fingerprint::Shape;
use crate::ledger::Generated;
use crate::model::canary::CanaryRule;
use crate::model::hostname::Hostname;
use crate::model::image::ResolvedImage;
use crate::model::release::Release;
use crate::model::units::Port;
use crate::settings::field::{Cost, Field};
use crate::settings::{MASK, Settings};

/// What will be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing: the app is as asked.
    Nothing,
    /// The ledger is updated.
    Record,
    /// The route is updated in place.
    Route,
    /// A new container replaces the old one, without downtime.
    Swap,
    /// The app is made.
    Create,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Record => "record",
            Self::Route => "re-route",
            Self::Swap => "swap",
            Self::Create => "create",
        })
    }
}

/// One difference. Secrets are masked; that they change is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `memory`, `env.KEY`, `host`, `digest`, `certificate.HOST`, …
    pub field: String,
    /// What holds; `None`: nothing.
    pub from: Option<String>,
    /// What will; `None`: nothing.
    pub to: Option<String>,
    /// What this alone costs.
    pub cost: Cost,
}

/// What differs besides settings: certificates, which are the proxy's.
const CERTIFICATE: &str = "certificate";

impl Change {
    pub(crate) fn certificate(host: &Hostname, from: Option<String>, to: String) -> Self {
        Self { field: format!("{CERTIFICATE}.{host}"), from, to: Some(to), cost: Cost::Route }
    }

    /// The port that a new app's image exposes, where none is given.
    pub(crate) fn port_found(port: u16) -> Self {
        Self { field: Field::Port.key().to_owned(), from: None, to: Some(port.to_string()), cost: Cost::Swap }
    }

    fn is_certificate(&self) -> bool {
        self.field.split_once('.').is_some_and(|(field, _)| field == CERTIFICATE)
    }
}

/// A plan for people and scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The sum of it.
    pub action: Action,
    /// Every difference.
    pub changes: Vec<Change>,
    /// The release is tried out on these requests, and what serves goes on beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRule>,
    /// Remarks that stop nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl PlanView {
    /// The proxy takes certificates over in place, whatever else is done.
    pub(crate) fn add_certificates(&mut self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.action = self.action.max(Action::Route);
            self.changes.extend(changes);
        }
    }

    /// The source revision goes with the release, also where nothing else changes.
    pub(crate) fn add_revision(&mut self, from: Option<&str>, to: &str) {
        if from != Some(to) {
            let (from, to) = (from.map(str::to_owned), Some(to.to_owned()));
            self.action = self.action.max(Action::Record);
            self.changes.push(Change { field: "revision".to_owned(), from, to, cost: Cost::Record });
        }
    }

    /// Whether a setting or the image is another one, or may have to be written down anew.
    pub(crate) fn changes_settings(&self) -> bool {
        self.changes.iter().any(|change| !change.is_certificate())
    }
}

/// What holds now, as far as a plan needs to know it.
#[derive(Clone, Copy)]
pub(crate) struct Current<'a> {
    pub(crate) release: &'a Release,
    pub(crate) generated: &'a Generated,
    /// The serving container is there and runs (or is meant to be stopped).
    pub(crate) intact: bool,
}

/// What is wished for.
#[derive(Clone, Copy)]
pub(crate) struct Wished<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) image: &'a ResolvedImage,
    pub(crate) port: Port,
    /// Swap even when nothing changed.
    pub(crate) force: bool,
}

/// Compares, field by field. The costlier of what the fields say and what the container's shape says holds.
pub(crate) fn plan(current: Option<Current<'_>>, wished: Wished<'_>) -> PlanView {
    let Some(current) = current else {
        let changes = differences(&BTreeMap::new(), &beyond_defaults(wished.settings));
        return PlanView { action: Action::Create, changes, canary: None, remarks: Vec::new() };
    };
    let release = current.release;
    let image = if release.image.is_same(wished.image) { &release.image } else { wished.image };
    let changes = between((&release.settings, &release.image), (wished.settings, wished.image));
    let mut remarks = Vec::new();
    let shape = |settings, image, port| Shape::of(settings, image, port, current.generated);
    let differs = shape(&release.settings, &release.image, release.port) != shape(wished.settings, image, wished.port);
    if !current.intact {
        remarks.push("its container is not running: a new one takes its place".to_owned());
    }
    let by_fields = changes.iter().map(|c| c.cost).max();
    let action = match by_fields {
        _ if differs || wished.force || !current.intact => Action::Swap,
        None => Action::Nothing,
        Some(Cost::Record) => Action::Record,
        // A field that costs a swap but leaves the shape alone (a port said out loud that was the default) is recorded.
        Some(Cost::Route | Cost::Swap) => Action::Route,
    };
    PlanView { action, changes, canary: None, remarks }
}

/// How one release differs from another, field by field. Secrets are masked; that they change is not.
#[must_use]
pub fn compare(from: &Release, to: &Release) -> Vec<Change> {
    between((&from.settings, &from.image), (&to.settings, &to.image))
}

/// Fields, and entries of fields, that the first settings have and the second do not, by their names.
pub(crate) fn missing(from: &Settings, to: &Settings) -> Vec<String> {
    let gone = differences(&flatten(from), &flatten(to)).into_iter().filter(|change| change.to.is_none());
    let hosts = from.hosts.iter().filter(|host| !to.hosts.contains(host));
    gone.map(|change| change.field).chain(hosts.map(|host| format!("host {host}"))).collect()
}

fn between(from: (&Settings, &ResolvedImage), to: (&Settings, &ResolvedImage)) -> Vec<Change> {
    let same_image = from.1.is_same(to.1);
    let mut changes = differences(&flatten(from.0), &flatten(to.0));
    for change in changes.iter_mut().filter(|c| c.field == Field::Image.key() && same_image) {
        change.cost = Cost::Record;
    }
    if !same_image {
        let short = |image: &ResolvedImage| Some(image.short().to_owned());
        let digest = Change { field: "digest".to_owned(), from: short(from.1), to: short(to.1), cost: Cost::Swap };
        changes.insert(0, digest);
    }
    changes
}

/// A settings' value by path: what is shown, what is compared.
type Flat = BTreeMap<String, (Field, String, String)>;

/// Characters of a value that are shown whole.
const SHOWN: usize = 200;

/// A long value by its beginning and its length.
fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => {
            let beginning: String = text.chars().take(SHOWN / 2).collect();
            format!("{beginning}… ({} characters)", text.chars().count())
        }
    }
}

fn differences(from: &Flat, to: &Flat) -> Vec<Change> {
    let mut changes = Vec::new();
    let keys: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    for key in keys {
        let (old, new) = (from.get(key), to.get(key));
        if old.map(|v| &v.2) == new.map(|v| &v.2) {
            continue;
        }
        let Some((field, ..)) = new.or(old) else { continue };
        let shown = |value: Option<&(Field, String, String)>| value.map(|v| short(&v.1));
        changes.push(Change { field: key.clone(), from: shown(old), to: shown(new), cost: field.cost() });
    }
    // In the order of the form, so that the image comes first.
    changes.sort_by_key(|c| Field::ALL.iter().position(|f| c.field.split('.').next() == Some(f.key())));
    changes
}

/// Image, hostnames, and what is not as it would be by itself.
fn beyond_defaults(settings: &Settings) -> Flat {
    let defaults = flatten(&Settings::new(settings.image.clone(), settings.primary_host().clone()));
    let mut flat = flatten(settings);
    flat.retain(|key, value| {
        matches!(value.0, Field::Image | Field::Host) || defaults.get(key).is_none_or(|default| default.2 != value.2)
    });
    flat
}

fn flatten(settings: &Settings) -> Flat {
    let mut flat = Flat::new();
    let mut put = |field: Field, entry: Option<&str>, shown: String, exact: String| {
        let key = entry.map_or_else(|| field.key().to_owned(), |e| format!("{}.{e}", field.key()));
        flat.insert(key, (field, shown, exact));
    };
    let mut plain = |field: Field, value: Option<String>| {
        if let Some(value) = value {
            put(field, None, value.clone(), value);
        }
    };
    let s = settings;
    let hosts: Vec<&str> = s.hosts.iter().map(crate::model::hostname::Hostname::as_str).collect();
    plain(Field::Image, Some(s.image.to_string()));
    plain(Field::Host, Some(hosts.join(" ")));
    plain(Field::PathPrefix, s.path_prefix.as_ref().map(ToString::to_string));
    plain(Field::Tls, Some(s.tls.to_string()));
    plain(Field::Port, s.port.map(|p| p.to_string()));
    plain(Field::HealthPath, Some(s.health_path.to_string()));
    plain(Field::HealthTimeout, Some(s.health_timeout.to_string()));
    plain(Field::DrainTimeout, Some(s.drain_timeout.to_string()));
    plain(Field::StreamTimeout, s.stream_timeout.map(|t| t.to_string()));
    plain(Field::StopTimeout, Some(s.stop_timeout.to_string()));
    plain(Field::WatchTime, (!s.watch_time.is_zero()).then(|| s.watch_time.to_string()));
    for field in Field::ALL {
        plain(*field, s.web.text(*field));
    }
    plain(Field::ReleaseCommand, s.release_command.clone());
    plain(Field::Memory, s.memory.map(|m| m.to_string()));
    plain(Field::Cpus, s.cpus.map(|c| c.to_string()));
    plain(Field::LogMaxSize, Some(s.log_max_size.to_string()));
    plain(Field::KeepContainers, Some(s.retention.containers.to_string()));
    plain(Field::KeepImages, Some(s.retention.images.to_string()));
    plain(Field::AutoUpdate, Some(s.auto_update.to_string()));
    plain(Field::Note, s.note.clone());
    let chosen = if s.overlap_chosen { " (chosen)" } else { "" };
    plain(Field::Swap, Some(format!("{}{chosen}", s.swap)));
    if let Some(smtp) = &s.smtp {
        plain(Field::SmtpServer, Some(smtp.server.clone()));
        plain(Field::SmtpPort, Some(smtp.port.to_string()));
        plain(Field::SmtpUsername, smtp.username.clone());
        plain(Field::SmtpFrom, smtp.from.clone());
        if let Some(password) = &smtp.password {
            put(Field::SmtpPassword, None, MASK.to_owned(), password.expose().to_owned());
        }
    }
    for (key, value) in &s.env {
        // A value that becomes secret, or ceases to be, is a change too.
        put(
            Field::Env,
            Some(key.as_str()),
            value.shown().to_owned(),
            format!("{}{}", value.secret, value.value.expose()),
        );
    }
    for (user, password) in &s.web.basic_auth {
        put(Field::BasicAuth, Some(user.as_str()), MASK.to_owned(), password.expose().to_owned());
    }
    for range in &s.web.allow_ip {
        put(Field::AllowIp, Some(&range.to_string()), range.to_string(), range.to_string());
    }
    for (target, source) in &s.volumes {
        let text = source.to_string();
        put(Field::Volume, Some(target.as_str()), text.clone(), text);
    }
    for (key, value) in &s.labels {
        put(Field::Label, Some(key), value.clone(), value.clone());
    }
    for network in &s.networks {
        put(Field::Network, Some(network), network.clone(), network.clone());
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::{OpId, ReleaseNumber};
    use crate::model::release::{Caller, ReleaseStatus};
    use crate::settings::Secret;
    use crate::settings::draft::Draft;

    fn generated() -> Generated {
        Generated {
            secret_key_base: Secret::new("k".into()),
            vapid_public_key: String::new(),
            vapid_private_key: Secret::new(String::new()),
        }
    }

    fn image(digit: char) -> ResolvedImage {
        ResolvedImage {
            digest: Some(format!("sha256:{}", digit.to_string().repeat(64))),
            id: format!("sha256:{digit}"),
        }
    }

    fn base() -> Settings {
        let mut draft = Draft::default();
        for (path, text) in [("image", "acme/shop:1"), ("host", "shop.example.com"), ("env.A", "1")] {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        draft.merge(None, None).unwrap()
    }

    fn release(settings: Settings) -> Release {
        Release {
            number: ReleaseNumber(1),
            op: OpId("op".into()),
            image: image('a'),
            settings,
            container: "once-shop-1".into(),
            port: Port::HTTP,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            by: Caller::default(),
            revision: None,
            rollback_to: None,
            status: ReleaseStatus::Serving,
            took_ms: 1,
            container_kept: true,
            adopted: false,
            declared_volumes: std::collections::BTreeMap::new(),
        }
    }

    fn planned(wishes: &[(&str, &str)], digit: char) -> PlanView {
        let mut draft = Draft::default();
        for (path, text) in wishes {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        let (release, generated) = (release(base()), generated());
        let next = draft.merge(Some(&release.settings), None).unwrap();
        let current = Current { release: &release, generated: &generated, intact: true };
        let wished =
            Wished { settings: &next, image: &image(digit), port: next.port.unwrap_or(Port::HTTP), force: false };
        plan(Some(current), wished)
    }

    #[test]
    fn the_smallest_change_that_does_it() {
        for (wishes, digit, action) in [
            (&[][..], 'a', Action::Nothing),
            (&[("note", "hello")], 'a', Action::Record),
            (&[("auto-update", "on")], 'a', Action::Record),
            (&[("host", "www.example.com")], 'a', Action::Route),
            (&[("drain-timeout", "5s")], 'a', Action::Route),
            (&[("watch-time", "30s"), ("keep-containers", "0"), ("keep-images", "9")], 'a', Action::Record),
            (&[("rate-limit", "10/s"), ("basic-auth.ann", "x"), ("allow-ip", "::1")], 'a', Action::Route),
            (&[("env.A", "2")], 'a', Action::Swap),
            (&[("memory", "512m")], 'a', Action::Swap),
            (&[("port", "3000")], 'a', Action::Swap),
            (&[("port", "80")], 'a', Action::Route),
            (&[], 'b', Action::Swap),
            (&[("image", "acme/shop:2")], 'b', Action::Swap),
            (&[("image", "acme/shop:2")], 'a', Action::Record),
            (&[("note", "x"), ("host", "b.example.com"), ("env.B", "1")], 'a', Action::Swap),
        ] {
            assert_eq!(planned(wishes, digit).action, action, "{wishes:?}");
        }
    }

    #[test]
    fn a_new_app_shows_what_was_given_and_no_defaults() {
        let fields = |settings: &Settings| -> Vec<String> {
            let wished = Wished { settings, image: &image('a'), port: Port::HTTP, force: false };
            plan(None, wished).changes.into_iter().map(|c| c.field).collect()
        };
        assert_eq!(fields(&base()), ["image", "host", "env.A"]);
        let mut draft = Draft::default();
        for (path, text) in
            [("memory", "512m"), ("volume", "cache:/cache"), ("swap", "overlap"), ("stop-timeout", "20s")]
        {
            draft.set(&path.parse().unwrap(), text).unwrap();
        }
        let given = fields(&draft.merge(Some(&base()), None).unwrap());
        assert_eq!(given, ["image", "host", "stop-timeout", "swap", "env.A", "memory", "volume./cache"]);
    }

    #[test]
    fn a_long_value_is_shown_by_its_beginning_and_length() {
        let long = "x".repeat(5_000);
        let view = planned(&[("env.A", &long), ("env.B", "short")], 'a');
        let shown: Vec<_> = view.changes.iter().map(|c| c.to.clone().unwrap()).collect();
        assert_eq!(shown[0], format!("{}… (5000 characters)", "x".repeat(100)));
        assert_eq!(shown[1], "short");
    }

    #[test]
    fn a_plan_applied_leaves_nothing_to_do() {
        let generated = generated();
        let mut next = base();
        next.note = Some("x".into());
        next.env.insert("S".parse().unwrap(), crate::settings::EnvValue::secret("hunter2"));
        let release = release(next.clone());
        let current = Current { release: &release, generated: &generated, intact: true };
        let wished = Wished { settings: &next, image: &image('a'), port: Port::HTTP, force: false };
        assert_eq!(plan(Some(current), wished).action, Action::Nothing);
        let broken = Current { intact: false, ..current };
        assert_eq!(plan(Some(broken), wished).action, Action::Swap);
    }

    #[test]
    fn secrets_are_masked_but_their_change_is_seen() {
        let generated = generated();
        let mut old = base();
        old.env.insert("S".parse().unwrap(), crate::settings::EnvValue::secret("hunter2"));
        old.web.basic_auth.insert("ann".parse().unwrap(), Secret::new("hunter2".into()));
        let mut next = old.clone();
        next.web.basic_auth.insert("ann".parse().unwrap(), Secret::new("hunter3".into()));
        next.env.insert("S".parse().unwrap(), crate::settings::EnvValue::secret("hunter3"));
        let release = release(old);
        let current = Current { release: &release, generated: &generated, intact: true };
        let view = plan(Some(current), Wished { settings: &next, image: &image('a'), port: Port::HTTP, force: false });
        assert_eq!(view.changes.len(), 2);
        assert!(view.changes.iter().all(|c| c.from.as_deref() == Some(MASK) && c.to.as_deref() == Some(MASK)));
        assert!(!format!("{view:?}").contains("hunter"));
    }
}
