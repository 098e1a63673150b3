//! What makes one container differ from another: two releases of equal shape need no swap.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::ledger::{AppRecord, Generated};
use crate::model::image::ResolvedImage;
use crate::model::name::{AppId, AppName, Namespace, ReleaseNumber};
use crate::model::units::Port;
use crate::model::volumes::DeclaredVolumes;
use crate::ports::engine::{ContainerSpec, Image, MountSpec, Restart};
use crate::settings::label;
use crate::settings::{MountSource, Settings, Tls};

/// The version of the label scheme.
pub const LABEL_SCHEMA: &str = "1";

/// The parts of a container that follow from settings, image and the app's own secrets.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Shape {
    image: String,
    port: u16,
    env: Vec<(String, String)>,
    mounts: Vec<(String, String, bool)>,
    networks: Vec<String>,
    memory: Option<u64>,
    nano_cpus: Option<i64>,
    labels: BTreeMap<String, String>,
    log_max_size: u64,
}

impl Shape {
    pub(crate) fn of(settings: &Settings, image: &ResolvedImage, port: Port, generated: &Generated) -> Self {
        let mounts = settings.volumes.iter().map(|(target, source)| match source {
            MountSource::Volume { name } => (name.clone(), target.to_string(), false),
            MountSource::External { name } => (format!("docker:{name}"), target.to_string(), false),
            MountSource::Host { path, read_only } => (path.clone(), target.to_string(), *read_only),
        });
        Self {
            image: image.identity().to_owned(),
            port: port.get(),
            env: env(settings, generated),
            mounts: mounts.collect(),
            networks: settings.networks.iter().cloned().collect(),
            memory: settings.memory.map(|m| m.0),
            nano_cpus: settings.cpus.map(crate::model::units::Cpus::nanos),
            labels: settings.labels.clone(),
            log_max_size: settings.log_max_size.0,
        }
    }

    /// Keyed with the app's own secret, so that the label tells nothing about the values behind it.
    fn digest(&self, generated: &Generated) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(generated.secret_key_base.expose().as_bytes()) else {
            return String::new();
        };
        mac.update(&text);
        mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// What images made for ONCE expect (`SECRET_KEY_BASE`, `VAPID_*`, `DISABLE_SSL`, `NUM_CPUS`, `SMTP_*`), then the app's
/// own variables, which win.
pub(crate) fn env(settings: &Settings, generated: &Generated) -> Vec<(String, String)> {
    let mut env: BTreeMap<String, String> = BTreeMap::new();
    let mut put = |key: &str, value: &str| {
        env.insert(key.to_owned(), value.to_owned());
    };
    put("SECRET_KEY_BASE", generated.secret_key_base.expose());
    put("VAPID_PUBLIC_KEY", &generated.vapid_public_key);
    put("VAPID_PRIVATE_KEY", generated.vapid_private_key.expose());
    if !is_for_tls(settings) {
        put("DISABLE_SSL", "true");
    }
    if let Some(cpus) = settings.cpus {
        put("NUM_CPUS", &cpus.whole().to_string());
    }
    if let Some(smtp) = &settings.smtp {
        put("SMTP_ADDRESS", &smtp.server);
        put("SMTP_PORT", &smtp.port.to_string());
        put("SMTP_USERNAME", smtp.username.as_deref().unwrap_or_default());
        put("SMTP_PASSWORD", smtp.password.as_ref().map_or("", |p| p.expose()));
        put("MAILER_FROM_ADDRESS", smtp.from.as_deref().unwrap_or_default());
    }
    for (key, value) in &settings.env {
        put(key.as_str(), value.value.expose());
    }
    env.into_iter().collect()
}

/// Whether nobody is to see a variable of the container's environment.
pub(crate) fn is_secret(settings: &Settings, key: &str) -> bool {
    match settings.env.iter().find(|(name, _)| name.as_str() == key) {
        Some((_, value)) => value.secret,
        None => matches!(key, "SECRET_KEY_BASE" | "VAPID_PRIVATE_KEY" | "SMTP_PASSWORD"),
    }
}

/// Whether all of an app's names are for HTTPS; else apps are told to leave redirects and secure cookies alone. It follows
/// from the settings alone, and not from which certificates there are: one that comes, or runs out, restarts nothing. So
/// an app whose name does not lead here yet is told the same as later, when it does.
fn is_for_tls(settings: &Settings) -> bool {
    let on_demand = settings.web.tls_on_demand.is_some();
    match settings.tls {
        Tls::Off => false,
        Tls::Custom => true,
        Tls::Auto => {
            settings.hosts.iter().all(|host| on_demand && host.is_wildcard() || host.certifiable(true).is_ok())
        }
    }
}

/// The port requests go to: the wish, else the image's only exposed one, else 80.
pub(crate) fn port(settings: &Settings, image: &Image) -> Port {
    let only = match image.exposed.as_slice() {
        [one] => Port::new(*one),
        _ => None,
    };
    settings.port.or(only).unwrap_or(Port::HTTP)
}

/// Who a container or volume belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) app: &'a AppName,
    pub(crate) id: &'a AppId,
    /// The name its volumes carry: a renamed app keeps them.
    pub(crate) volumes: &'a AppName,
}

impl<'a> Owner<'a> {
    pub(crate) fn of(namespace: &'a Namespace, record: &'a AppRecord) -> Self {
        Self { namespace, app: &record.name, id: &record.id, volumes: record.volumes_of() }
    }
}

impl Owner<'_> {
    /// Labels of the app's data volumes, and the base of those of its containers.
    pub(crate) fn labels(&self, role: &str) -> BTreeMap<String, String> {
        let mut labels = namespace_labels(self.namespace);
        labels.insert("once.role".into(), role.into());
        labels.insert("once.app".into(), self.app.to_string());
        labels.insert("once.id".into(), self.id.to_string());
        labels
    }
}

/// Labels everything of a namespace carries.
pub(crate) fn namespace_labels(namespace: &Namespace) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("once.schema".to_owned(), LABEL_SCHEMA.to_owned()),
        ("once.namespace".to_owned(), namespace.to_string()),
    ])
}

/// The container of a release.
pub(crate) fn container_spec(
    owner: Owner<'_>,
    release: ReleaseNumber,
    settings: &Settings,
    image: &ResolvedImage,
    port: Port,
    generated: &Generated,
    declared: &DeclaredVolumes,
) -> ContainerSpec {
    let mut labels = settings.labels.clone();
    labels.extend(owner.labels("web"));
    labels.insert("once.release".into(), release.to_string());
    labels.insert("once.digest".into(), Shape::of(settings, image, port, generated).digest(generated));
    labels.extend(label::write(settings));
    let networks = std::iter::once(owner.namespace.network()).chain(settings.networks.iter().cloned());
    ContainerSpec {
        name: owner.namespace.container(owner.app, release),
        image: image.id.clone(),
        command: None,
        entrypoint: None,
        env: env(settings, generated),
        labels,
        networks: networks.collect(),
        mounts: mounts(owner, settings, declared),
        memory: settings.memory.map(|m| m.0),
        nano_cpus: settings.cpus.map(crate::model::units::Cpus::nanos),
        pids: None,
        publish: Vec::new(),
        publish_local: Vec::new(),
        restart: Restart::UnlessStopped,
        log_max_size: settings.log_max_size.0,
        user: None,
        read_only: false,
        drop_capabilities: false,
        init: true,
        stop_timeout: settings.stop_timeout.duration().as_secs(),
    }
}

/// The names of the volumes an app with these settings uses: its own first.
pub(crate) fn volume_names(owner: Owner<'_>, settings: &Settings) -> Vec<String> {
    let named = settings.volumes.values().filter_map(|source| match source {
        MountSource::Volume { name } => Some(owner.namespace.volume(owner.volumes, Some(name))),
        MountSource::External { .. } | MountSource::Host { .. } => None,
    });
    let data = has_data(settings).then(|| owner.namespace.volume(owner.volumes, None));
    data.into_iter().chain(named).collect()
}

/// Where an app finds its own data volume.
pub(crate) const DATA: [&str; 2] = ["/storage", "/rails/storage"];

/// Whether the app keeps data in a volume of its own: one that was taken over may keep it where it always was.
pub(crate) fn has_data(settings: &Settings) -> bool {
    DATA.iter().any(|target| !is_mounted(settings, target))
}

fn is_mounted(settings: &Settings, target: &str) -> bool {
    settings.volumes.keys().any(|mounted| mounted.as_str() == target)
}

/// What is mounted in each container of the app.
pub(crate) fn mounts(owner: Owner<'_>, settings: &Settings, declared: &DeclaredVolumes) -> Vec<MountSpec> {
    let data = owner.namespace.volume(owner.volumes, None);
    let own = DATA.iter().filter(|target| !is_mounted(settings, target));
    let mut mounts: Vec<MountSpec> =
        own.map(|target| MountSpec::Volume { name: data.clone(), target: (*target).to_owned() }).collect();
    mounts.extend(settings.volumes.iter().map(|(target, source)| match source {
        MountSource::Volume { name } => {
            MountSpec::Volume { name: owner.namespace.volume(owner.volumes, Some(name)), target: target.to_string() }
        }
        MountSource::External { name } => MountSpec::Volume { name: name.clone(), target: target.to_string() },
        MountSource::Host { path, read_only } => {
            MountSpec::Bind { path: path.clone(), target: target.to_string(), read_only: *read_only }
        }
    }));
    let declared = declared.iter().map(|(target, name)| (target.clone(), name.clone()));
    mounts.extend(declared.map(|(target, name)| MountSpec::Volume { name, target }));
    mounts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::settings::Secret;
    use crate::settings::draft::Draft;
    use crate::settings::field::{Cost, Field, FieldPath};

    fn spec(settings: &Settings) -> ContainerSpec {
        let (namespace, app, id) = (Namespace::default(), "shop".parse().unwrap(), AppId("id".into()));
        let owner = Owner { namespace: &namespace, app: &app, id: &id, volumes: &app };
        let secret = || Secret::new("x".repeat(32));
        let generated =
            Generated { secret_key_base: secret(), vapid_public_key: "x".into(), vapid_private_key: secret() };
        let image = ResolvedImage { digest: None, id: "sha256:1".into() };
        let mut spec =
            container_spec(owner, ReleaseNumber(1), settings, &image, Port::HTTP, &generated, &DeclaredVolumes::new());
        // What tells of the settings is no use of them.
        spec.labels.retain(|key, _| !key.starts_with("once."));
        spec
    }

    /// A setting that is taken and then ignored is worse than none.
    #[test]
    fn each_setting_that_costs_a_swap_is_in_the_container() {
        let wishes = |base: Option<&Settings>, pairs: &[(&str, &str)]| {
            let mut draft = Draft { image: Some("acme/shop:1".parse().unwrap()), ..Draft::default() };
            draft.hosts = vec!["shop.localhost".parse().unwrap()];
            for (path, text) in pairs {
                draft.set(&path.parse().unwrap(), text).unwrap();
            }
            draft.merge(base, None).unwrap()
        };
        let base = wishes(None, &[("smtp-server", "mail.example.com")]);
        let table = [
            ("env.A", "1"),
            ("smtp-server", "post.example.com"),
            ("smtp-port", "2525"),
            ("smtp-username", "ann"),
            ("smtp-password", "word"),
            ("smtp-from", "shop@example.com"),
            ("memory", "512m"),
            ("cpus", "0.5"),
            ("volume", "cache:/cache"),
            ("network", "backend"),
            ("label.team", "red"),
            ("log-max-size", "5m"),
        ];
        for (path, text) in table {
            assert!(spec(&wishes(Some(&base), &[(path, text)])) != spec(&base), "{path} makes no difference");
        }
        // The image is named by its ID, and the port is where requests are sent.
        let tried: BTreeSet<&str> =
            table.iter().map(|(path, _)| path.parse::<FieldPath>().unwrap().field.key()).collect();
        let elsewhere = [Field::Image, Field::Port];
        let all = Field::ALL.iter().filter(|f| f.cost() == Cost::Swap && !elsewhere.contains(f));
        assert_eq!(tried, all.map(|f| f.key()).collect::<BTreeSet<_>>());
    }
}
