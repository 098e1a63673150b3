//! `show`: everything known about one app.

use crate::args::ShowArgs;
use crate::certificates;
use crate::objects::AppObject;
use crate::output::{STRONG, styled};
use crate::session::{Session, no_such_app};
use once_app::engine::ContainerDetail;
use once_app::ledger::RunState;
use once_app::{AppName, AppView, observe};
use once_app::{Field, MASK, Mount, ReleaseNumber, Settings};
use once_text::{sanitize, words};

use super::Answer;

pub(crate) async fn show(session: &mut Session<'_>, args: &ShowArgs) -> Answer {
    if let Some(release) = args.release {
        return super::release::release(session, &args.app, ReleaseNumber(release)).await;
    }
    let app = args.app.as_str();
    let at = session.installation().await?;
    let inventory = observe(&at).await?;
    let Some(view) = inventory.find(app) else {
        let records: Vec<_> = inventory.apps.iter().map(|a| a.record.clone()).collect();
        return Err(no_such_app(app, &at, &records));
    };
    if session.out.is_json() {
        session.out.object(&AppObject::new(view, at.clock.now()).with_settings(&view.record));
        return Ok(0);
    }
    let locks = inventory.snapshot.iter().flat_map(|s| &s.locks).filter(|l| l.app == view.record.name);
    let mut pairs = identity(view, at.clock.now());
    if let Some(container) = &view.container
        && let Some(detail) = at.engine.container(&container.id).await?
    {
        pairs.extend(restarts(&detail).map(|text| ("restarts", text)));
    }
    for lock in locks {
        let why = lock.message.as_deref().map(|m| format!(": {m}")).unwrap_or_default();
        pairs.push(("locked", format!("by {} on {} (`{}`){why}", lock.by.user, lock.by.host, lock.by.command)));
    }
    let now = at.clock.now();
    pairs.extend(view.certificates.iter().map(|c| ("certificate", certificates::told(c, now))));
    pairs.extend(traffic(view));
    let settings: Vec<_> = view.record.settings().map(settings).unwrap_or_default();
    pairs.extend(settings);
    print(session, &pairs);
    Ok(0)
}

/// Labels and what they say, one a line.
pub(crate) fn print(session: &mut Session<'_>, pairs: &[(&'static str, String)]) {
    let width = pairs.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    for (label, value) in pairs {
        let label = styled(STRONG, &format!("{label:<width$}"));
        session.out.data(&format!("{label}  {}", sanitize::line(value)));
    }
}

fn identity(view: &AppView, now: jiff::Timestamp) -> Vec<(&'static str, String)> {
    let record = &view.record;
    let mut pairs = vec![("name", record.name.to_string())];
    let aliases: Vec<&str> = record.aliases.iter().map(AppName::as_str).collect();
    if !aliases.is_empty() {
        pairs.push(("aliases", aliases.join(" ")));
    }
    pairs.push(("state", view.standing.state.to_string()));
    pairs.extend(view.standing.reason.as_ref().map(|reason| ("reason", reason.to_string())));
    match &record.state {
        RunState::Maintenance(notice) => {
            pairs.extend(notice.message.clone().map(|message| ("message", message)));
            pairs.extend(notice.page.as_ref().map(|page| ("page", format!("an own one of {} characters", page.len()))));
        }
        RunState::Paused { max_wait } => pairs.push(("max wait", max_wait.to_string())),
        RunState::Running | RunState::Stopped => {}
    }
    if let Some(release) = record.serving_release() {
        pairs.push((
            "release",
            format!("{} by {}, {}", release.number, release.by.user, words::ago(release.created_at, now)),
        ));
        pairs.push(("digest", release.image.identity().to_owned()));
        pairs.push(("container", format!("{}, port {}", release.container, release.port)));
        pairs.extend(release.revision.clone().map(|r| ("revision", r)));
    }
    if let Some(canary) = &record.canary {
        let release = &canary.release;
        pairs.push((
            "canary",
            format!(
                "release {}, {} ({}), {}",
                release.number,
                release.settings.image,
                canary.rule,
                words::ago(canary.since, now)
            ),
        ));
    }
    pairs.extend(view.container.as_ref().map(|c| ("engine", c.status.clone())));
    pairs.push(("created", words::ago(record.created_at, now)));
    pairs
}

/// How often the engine had to start it again; `None`: never.
fn restarts(detail: &ContainerDetail) -> Option<String> {
    let why = if detail.out_of_memory { ", the last time for lack of memory" } else { "" };
    (detail.restarts > 0).then(|| format!("{} since it was made{why}", detail.restarts))
}

fn traffic(view: &AppView) -> Vec<(&'static str, String)> {
    let t = &view.traffic;
    let latency = |ms: Option<f64>| ms.map_or_else(|| "-".into(), words::latency);
    let own =
        t.own.filter(|own| *own > 0).map(|own| format!(", {} answered by the proxy itself", words::thousands(own)));
    let requests = words::thousands(t.requests);
    vec![
        (
            "traffic",
            format!("{requests} requests, {} failed{}, {:.1} per second", t.failed, own.unwrap_or_default(), t.rate),
        ),
        ("latency", format!("p50 {}, p95 {}, p99 {}", latency(t.p50_ms), latency(t.p95_ms), latency(t.p99_ms))),
        (
            "visitors",
            format!(
                "{} today (UTC), {} in 24 hours",
                words::thousands(t.visitors_today),
                words::thousands(t.visitors_24h)
            ),
        ),
        ("bytes", format!("{} in, {} out", words::bytes(t.bytes_in), words::bytes(t.bytes_out))),
    ]
}

/// Every setting that says something, by the table of fields.
pub(crate) fn settings(settings: &Settings) -> Vec<(&'static str, String)> {
    Field::ALL.iter().filter_map(|field| Some((field.key(), value(settings, *field)?))).collect()
}

fn value(s: &Settings, field: Field) -> Option<String> {
    let joined = |mut texts: Vec<String>| (!texts.is_empty()).then(|| std::mem::take(&mut texts).join(" "));
    let smtp = s.smtp.as_ref();
    match field {
        Field::Image => Some(s.image.to_string()),
        Field::Host => joined(s.hosts.iter().map(ToString::to_string).collect()),
        Field::PathPrefix => s.path_prefix.as_ref().map(ToString::to_string),
        Field::Tls => Some(s.tls.to_string()),
        Field::Port => s.port.map(|p| p.to_string()),
        Field::HealthPath => Some(s.health_path.to_string()),
        Field::HealthTimeout => Some(s.health_timeout.to_string()),
        Field::DrainTimeout => Some(s.drain_timeout.to_string()),
        Field::StopTimeout => Some(s.stop_timeout.to_string()),
        Field::Swap => Some(s.swap.to_string()),
        Field::ReleaseCommand => s.release_command.clone(),
        Field::Env => joined(s.env.iter().map(|(k, v)| format!("{k}={}", v.shown())).collect()),
        Field::SmtpServer => smtp.map(|m| m.server.clone()),
        Field::SmtpPort => smtp.map(|m| m.port.to_string()),
        Field::SmtpUsername => smtp.and_then(|m| m.username.clone()),
        Field::SmtpPassword => smtp.and_then(|m| m.password.as_ref()).map(|_| MASK.to_owned()),
        Field::SmtpFrom => smtp.and_then(|m| m.from.clone()),
        Field::Memory => s.memory.map(|m| m.to_string()),
        Field::Cpus => s.cpus.map(|c| c.to_string()),
        Field::Volume => joined(Mount::all(&s.volumes).map(|mount| mount.to_string()).collect()),
        Field::Network => joined(s.networks.iter().cloned().collect()),
        Field::Label => joined(s.labels.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        Field::LogMaxSize => Some(s.log_max_size.to_string()),
        Field::KeepContainers => Some(s.retention.containers.to_string()),
        Field::KeepImages => Some(s.retention.images.to_string()),
        Field::AutoUpdate => Some(s.auto_update.to_string()),
        Field::Note => s.note.clone(),
        Field::StreamTimeout => s.stream_timeout.map(|t| t.to_string()),
        Field::WatchTime => (!s.watch_time.is_zero()).then(|| s.watch_time.to_string()),
        Field::BasicAuth => joined(s.web.basic_auth.keys().map(|user| format!("{user}:{MASK}")).collect()),
        Field::AllowIp => joined(s.web.allow_ip.iter().map(ToString::to_string).collect()),
        field => s.web.text(field),
    }
}
