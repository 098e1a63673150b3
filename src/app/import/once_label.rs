//! Apps of ONCE: settings in the label `once` of the container, generated secrets in that of its volume.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::found::{Made, Sighting};
use crate::ledger::Generated;
use crate::model::problem::Problem;
use crate::model::units::Port;
use crate::settings::{AutoUpdate, Secret, Smtp, Tls};

/// The label ONCE puts on everything.
const LABEL: &str = "once";

/// What the label of a container holds.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct AppLabel {
    name: String,
    host: String,
    #[serde(rename = "disableTLS")]
    disable_tls: bool,
    smtp: MailLabel,
    auto_update: bool,
    backup: BackupLabel,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct MailLabel {
    server: String,
    /// A text, or a number.
    port: MailPort,
    username: String,
    password: String,
    from: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MailPort {
    Text(String),
    Number(u16),
}

impl Default for MailPort {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct BackupLabel {
    path: String,
    auto_backup: bool,
}

/// What the label of a volume holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumeLabel {
    secret_key_base: String,
    vapid_public_key: String,
    vapid_private_key: String,
}

/// Variables ONCE makes of its settings.
const IMPLIED: [&str; 10] = [
    "SECRET_KEY_BASE",
    "VAPID_PUBLIC_KEY",
    "VAPID_PRIVATE_KEY",
    "DISABLE_SSL",
    "NUM_CPUS",
    "SMTP_ADDRESS",
    "SMTP_PORT",
    "SMTP_USERNAME",
    "SMTP_PASSWORD",
    "MAILER_FROM_ADDRESS",
];

/// Whether a container is an app of ONCE's, as far as its label can be read.
pub(super) fn is_app(labels: &BTreeMap<String, String>) -> bool {
    let label = labels.get(LABEL).and_then(|text| serde_json::from_str::<AppLabel>(text).ok());
    label.is_some_and(|label| !label.name.is_empty())
}

/// Whether a container is ONCE's and none of its apps: its proxy.
pub(super) fn is_proxy(labels: &BTreeMap<String, String>) -> bool {
    labels.contains_key(LABEL) && !is_app(labels)
}

/// What ONCE says of a container of its own; `None`: it is not ONCE's.
pub(super) fn made(seen: Sighting<'_>) -> Result<Option<Made>, Problem> {
    let Some(text) = seen.origin.labels.get(LABEL) else { return Ok(None) };
    let label: AppLabel = serde_json::from_str(text).map_err(|_| {
        // The text holds passwords, and so may what the parser says of it.
        let message = format!("the label `once` of `{}` cannot be read", seen.origin.name.escape_debug());
        Problem::rejected("unreadable-label", message)
            .hint("`--name` and `--host` with `once deploy` make an app of its image")
    })?;
    if label.name.is_empty() {
        let message = format!("the container `{}` is ONCE's, and no app", seen.origin.name.escape_debug());
        return Err(Problem::rejected("not-an-app", message));
    }
    // `campfire.3f2a91`: the name of the image, and hex digits that tell two of them apart.
    let name = label.name.split('.').next().unwrap_or_default().to_owned();
    let smtp = (!label.smtp.server.is_empty()).then(|| Smtp {
        server: label.smtp.server,
        port: mail_port(&label.smtp.port),
        username: Some(label.smtp.username).filter(|text| !text.is_empty()),
        password: Some(label.smtp.password).filter(|text| !text.is_empty()).map(Secret::new),
        from: Some(label.smtp.from).filter(|text| !text.is_empty()),
    });
    let mut remarks = vec![
        "ONCE's background service goes on updating it: `once background uninstall` with ONCE's own command ends that"
            .to_owned(),
        "ONCE's proxy goes on sending it requests until `once proxy takeover`".to_owned(),
    ];
    let mut left = Vec::new();
    if label.backup.auto_backup {
        left.push(format!("its daily backups to {}: they end with ONCE's background service", label.backup.path));
    }
    let generated = secrets(seen);
    if generated.is_none() {
        remarks
            .push("its generated secrets are neither with its volume nor in its environment: it gets new ones".into());
    }
    Ok(Some(Made {
        tool: "ONCE",
        name: Some(name),
        hosts: vec![label.host].into_iter().filter(|host| !host.is_empty()).collect(),
        tls: Some(if label.disable_tls { Tls::Off } else { Tls::Auto }),
        smtp,
        auto_update: if label.auto_update { AutoUpdate::On } else { AutoUpdate::Off },
        port: Some(Port::HTTP.get()),
        health_path: Some("/up".to_owned()),
        generated,
        implied: IMPLIED.to_vec(),
        remarks,
        left,
        ..Made::default()
    }))
}

/// 587 where nothing is said.
fn mail_port(said: &MailPort) -> Port {
    let number = match said {
        MailPort::Number(number) => Some(*number),
        MailPort::Text(text) => text.parse().ok(),
    };
    number.and_then(Port::new).or_else(|| Port::new(587)).unwrap_or(Port::HTTP)
}

/// Those of the volume's label; else those the container got.
fn secrets(seen: Sighting<'_>) -> Option<Generated> {
    let label = seen.data.and_then(|volume| volume.labels.get(LABEL));
    let label = label.and_then(|text| serde_json::from_str::<VolumeLabel>(text).ok());
    let env: BTreeMap<&str, &str> = seen.origin.env.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let of = |key: &str| env.get(key).map(|value| (*value).to_owned());
    let label = label.or_else(|| {
        Some(VolumeLabel {
            secret_key_base: of("SECRET_KEY_BASE")?,
            vapid_public_key: of("VAPID_PUBLIC_KEY")?,
            vapid_private_key: of("VAPID_PRIVATE_KEY")?,
        })
    })?;
    Some(Generated {
        secret_key_base: Secret::new(label.secret_key_base),
        vapid_public_key: label.vapid_public_key,
        vapid_private_key: Secret::new(label.vapid_private_key),
    })
}
