//! An app as files that need no once: a plain script of `docker run`, and a document of its settings. Secrets are left
//! out; a file of their own takes them where that is asked for. Pure.

use std::fmt::Write as _;

use serde::Serialize;

use crate::ledger::AppRecord;
use crate::model::name::{AppName, Namespace};
use crate::model::release::Release;
use crate::plan::fingerprint::{Owner, container_spec, is_secret};
use crate::ports::engine::MountSpec;
use crate::settings::{Secret, Settings};

/// The version of the document. It goes up when a field changes its meaning; fields are only added otherwise.
pub const FORMAT: u32 = 1;

/// What stands in the document where a secret would.
const LEFT_OUT: &str = "@secret";

/// Apps as a document.
#[derive(Debug, Serialize)]
pub struct Exported {
    format: u32,
    apps: std::collections::BTreeMap<AppName, ExportedApp>,
}

#[derive(Debug, Serialize)]
struct ExportedApp {
    /// The manifest digest, or the ID of an image that is nowhere else.
    image_digest: String,
    container_port: u16,
    release: u64,
    settings: Settings,
}

/// The document of these apps; those that have never served are left out.
#[must_use]
pub fn document(records: &[AppRecord]) -> Exported {
    let app = |record: &AppRecord| {
        let release = record.serving_release()?;
        Some((
            record.name.clone(),
            ExportedApp {
                image_digest: release.image.identity().to_owned(),
                container_port: release.port.get(),
                release: release.number.0,
                settings: without_secrets(&release.settings),
            },
        ))
    };
    Exported { format: FORMAT, apps: records.iter().filter_map(app).collect() }
}

fn without_secrets(settings: &Settings) -> Settings {
    let mut shown = settings.clone();
    let left_out = || Secret::new(LEFT_OUT.to_owned());
    for value in shown.env.values_mut().filter(|value| value.secret) {
        value.value = left_out();
    }
    for password in shown.web.basic_auth.values_mut() {
        *password = left_out();
    }
    if let Some(password) = shown.smtp.as_mut().and_then(|smtp| smtp.password.as_mut()) {
        *password = left_out();
    }
    shown
}

/// A script that runs these apps with Docker alone, each on a port of its own from `port` on. Secrets are taken from
/// the environment, or from the file its first argument names.
#[must_use]
pub fn script(namespace: &Namespace, records: &[AppRecord], port: u16) -> String {
    let mut text = String::from(
        "#!/bin/sh\n# Runs apps with Docker alone: sh SCRIPT [FILE-WITH-SECRETS]\n\
         # Without the file their secrets are taken from the environment.\nset -eu\n\
         if [ $# -gt 0 ]; then . \"$(dirname -- \"$1\")/$(basename -- \"$1\")\"; fi\n",
    );
    let served = records.iter().filter_map(|record| Some((record, record.serving_release()?)));
    for (at, (record, release)) in served.enumerate() {
        let port = port.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
        run(&mut text, namespace, record, release, port);
    }
    text
}

fn run(text: &mut String, namespace: &Namespace, record: &AppRecord, release: &Release, port: u16) {
    let spec = spec(namespace, record, release);
    let name = record.name.as_str();
    let host = release.settings.primary_host();
    let _ = writeln!(text, "\n# {name}, release {}: http://127.0.0.1:{port} as {host}", release.number);
    let secret = |key: &str| is_secret(&release.settings, key);
    let mut words = vec![format!("docker run --detach --name {}", quoted(name))];
    words.push(format!("--restart unless-stopped --init --stop-timeout {}", spec.stop_timeout));
    words.push("--security-opt no-new-privileges".to_owned());
    words.push(format!("--log-opt max-size={} --log-opt max-file=3", spec.log_max_size));
    words.push(format!("--publish 127.0.0.1:{port}:{}", release.port));
    if let Some(bytes) = spec.memory {
        words.push(format!("--memory {bytes} --memory-swap {bytes}"));
    }
    if let Some(nanos) = spec.nano_cpus {
        words.push(format!("--cpus {}", nanos as f64 / 1e9));
    }
    for mount in &spec.mounts {
        words.push(match mount {
            MountSpec::Volume { name, target } => format!("--volume {}", quoted(&format!("{name}:{target}"))),
            MountSpec::Bind { path, target, read_only } => {
                format!("--volume {}", quoted(&format!("{path}:{target}{}", if *read_only { ":ro" } else { "" })))
            }
        });
    }
    let networks = &release.settings.networks;
    words.extend(networks.iter().take(1).map(|network| format!("--network {}", quoted(network))));
    for (key, value) in &spec.env {
        if secret(key) {
            let variable = variable(&record.name, key);
            let _ = writeln!(text, ": \"${{{variable}:?the secret {key} of {name}: set {variable}}}\"");
            // Handed on by its name, so that no list of processes shows it.
            words.insert(0, format!("{key}=\"${variable}\""));
            words.push(format!("--env {key}"));
        } else {
            words.push(format!("--env {}", quoted(&format!("{key}={value}"))));
        }
    }
    let repository = release.settings.image.repository();
    let image = match &release.image.digest {
        Some(digest) => format!("{repository}@{digest}"),
        // It is on this engine only: another one needs `docker save` and `docker load`.
        None => release.settings.image.to_string(),
    };
    words.push(quoted(&image));
    let _ = writeln!(text, "{}", words.join(" \\\n  "));
    for network in networks.iter().skip(1) {
        let _ = writeln!(text, "docker network connect {} {}", quoted(network), quoted(name));
    }
}

/// The secrets of these apps, as the script reads them.
#[must_use]
pub fn secrets(namespace: &Namespace, records: &[AppRecord]) -> Secret {
    let mut text = String::new();
    for record in records {
        let Some(release) = record.serving_release() else { continue };
        for (key, value) in spec(namespace, record, release).env {
            if is_secret(&release.settings, &key) {
                let _ = writeln!(text, "{}={}", variable(&record.name, &key), quoted(&value));
            }
        }
    }
    Secret::new(text)
}

fn spec(namespace: &Namespace, record: &AppRecord, release: &Release) -> crate::ports::engine::ContainerSpec {
    let owner = Owner::of(namespace, record);
    container_spec(
        owner,
        release.number,
        &release.settings,
        &release.image,
        release.port,
        &record.generated,
        &release.declared_volumes,
    )
}

/// Two apps may have a secret of the same name.
fn variable(app: &AppName, key: &str) -> String {
    format!("{}_{key}", app.as_str().to_uppercase().replace(['-', '.'], "_"))
}

/// A word no shell takes apart.
fn quoted(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':' | b'@' | b'=' | b',');
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
