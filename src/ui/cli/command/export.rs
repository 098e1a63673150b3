//! `export`: apps as files that need no once.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::json;

use super::Answer;
use crate::args::{ExportArgs, ExportFormat};
use crate::session::{Session, no_such_app};
use once_app::ledger::AppRecord;
use once_app::{Problem, export};

pub(crate) async fn export(session: &mut Session<'_>, args: &ExportArgs) -> Answer {
    let at = session.installation().await?;
    let proxy = at.proxy().await?;
    let masked = match &proxy {
        Some(proxy) => proxy.snapshot().await?.apps,
        None => Vec::new(),
    };
    let live: Vec<AppRecord> = masked.into_iter().filter(|r| r.is_live() && r.serving.is_some()).collect();
    let wanted = |r: &&AppRecord| match &args.app {
        None => true,
        Some(text) => {
            let hosts = r.settings().map(|s| s.hosts.as_slice()).unwrap_or_default();
            text.parse().is_ok_and(|name| r.is_called(&name)) || hosts.iter().any(|host| host.as_str() == text)
        }
    };
    let mut records = Vec::new();
    for record in live.iter().filter(wanted) {
        let Some(proxy) = &proxy else { continue };
        records.extend(proxy.record(&record.name).await?);
    }
    if let Some(app) = args.app.as_ref().filter(|_| records.is_empty()) {
        return Err(no_such_app(app, &at, &live));
    }
    let text = match args.format {
        ExportFormat::Docker => export::script(&at.namespace, &records, args.port),
        ExportFormat::Toml => toml::to_string_pretty(&export::document(&records)).map_err(|error| {
            Problem::new(once_app::event::Outcome::Internal, "not-written", "the document could not be made")
                .because(&error)
        })?,
    };
    if let Some(path) = &args.secrets {
        write(path, export::secrets(&at.namespace, &records).expose())?;
        session.out.say(&format!("secrets written to {}, readable by you alone", path.display()));
    }
    if session.out.is_json() {
        let format = match args.format {
            ExportFormat::Docker => "docker",
            ExportFormat::Toml => "toml",
        };
        let apps: Vec<_> = records.iter().map(|record| record.name.as_str()).collect();
        session.out.object(&json!({ "format": format, "apps": apps, "text": text }));
    } else {
        session.out.data(text.trim_end());
    }
    Ok(0)
}

/// Never over a file that is there: its mode might be another.
fn write(path: &std::path::Path, text: &str) -> Result<(), Problem> {
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let message = format!("the secrets could not be written to {}", path.display());
        Problem::rejected("not-written", message).because(&error).hint("name a file that is not there yet")
    })
}
