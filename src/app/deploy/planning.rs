//! What a deploy would do. The plan and the deploy itself both ask here, so that neither refuses what the other lets pass.

use super::certificates::custom;
use super::next_release::Decided;
use super::operations::canary;
use super::preflight;
use super::swap::data;
use crate::host::installation::Installation;
use crate::ledger::{AppRecord, Claim, Ledger};
use crate::model::certificate::CertificateOffer;
use crate::model::hostname::Hostname;
use crate::model::name::{AppId, AppName};
use crate::model::problem::Problem;
use crate::model::units::Port;
use crate::plan::diff::{Action, Change, Current, Wished, plan};
use crate::plan::fingerprint;
use crate::plan::guard::{self, Counted, Newcomer};
use crate::plan::resolve::resolve;
use crate::plan::volumes;
use crate::ports::proxy::{Proxy, ProxyError};
use crate::progress::event::Outcome;
use crate::progress::journal::Journal;
use crate::request::change::Deploy;
use crate::settings::{AutoUpdate, Settings, Swap};

/// Where a deploy is planned, and for which app.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    pub(super) installation: &'a Installation,
    pub(super) journal: &'a Journal,
    /// `None`: there is none yet, so there are no apps either.
    pub(super) proxy: Option<&'a dyn Proxy>,
    /// All apps, those that are kept after their removal among them.
    pub(super) records: &'a [AppRecord],
    pub(super) name: &'a AppName,
}

/// What a deploy will do, and the certificate it will install.
pub(super) struct Planned {
    pub(super) decided: Decided,
    pub(super) certificate: Option<CertificateOffer>,
}

/// Decides what a deploy does. Changes nothing.
///
/// # Errors
/// Whatever can be known now to stand in its way.
pub(super) async fn plan_deploy(
    site: Site<'_>,
    record: Option<&AppRecord>,
    deploy: &Deploy,
) -> Result<Planned, Problem> {
    check_revision(record, deploy)?;
    check_sequence(record, deploy)?;
    if record.is_none() {
        site.installation.check_new_name(site.name).await?;
    }
    let settings = merge(site, record, deploy)?;
    check_image(site.proxy, record, deploy).await?;
    let mut decided = decide(site, record, settings, deploy).await?;
    if let Some(rule) = &deploy.canary {
        canary::guard(record, &decided)?;
        canary::plan(record, &mut decided, rule, deploy.force)?;
    } else if let (Some(given), Some(serving)) = (&deploy.revision, record.and_then(AppRecord::serving_release)) {
        decided.view.add_revision(serving.revision.as_deref(), given);
    }
    if matches!(decided.view.action, Action::Swap | Action::Create) {
        preflight::preflight(&*site.installation.engine, &decided.settings).await?;
    }
    let certificate = match site.proxy {
        Some(proxy) => {
            let (now, serving) = (site.installation.clock.now(), record.and_then(AppRecord::settings));
            custom::weigh(proxy, site.journal, now, deploy, serving, &mut decided).await?
        }
        None => None,
    };
    warn_about_updates(site.journal, deploy);
    Ok(Planned { decided, certificate })
}

/// The setting is recorded, and nothing acts on it yet.
fn warn_about_updates(journal: &Journal, deploy: &Deploy) {
    if deploy.draft.auto_update.is_some_and(|mode| mode != AutoUpdate::Off) {
        let text = "`--auto-update` has no effect in this version: no app is updated by itself, and nobody is notified";
        journal.warn("auto-update-without-effect", text);
    }
}

/// Another image on an app that people use has to be meant.
async fn check_image(proxy: Option<&dyn Proxy>, record: Option<&AppRecord>, deploy: &Deploy) -> Result<(), Problem> {
    let (Some(proxy), Some(record)) = (proxy, record.filter(|r| r.serving.is_some())) else { return Ok(()) };
    if deploy.change_image || deploy.draft.image.is_none() {
        return Ok(());
    }
    let counted =
        Counted { requests: proxy.traffic(&record.id).await?.requests, since: proxy.info().await?.started_at };
    guard::repository(record, &deploy.draft, counted)
}

fn merge(site: Site<'_>, record: Option<&AppRecord>, deploy: &Deploy) -> Result<Settings, Problem> {
    let (records, name, namespace) = (site.records, site.name, &site.installation.namespace);
    let default_host = match &deploy.default_host {
        Some(host) => host.clone(),
        None => local_host(name)?,
    };
    let base = record.and_then(AppRecord::settings);
    let settings = deploy.draft.merge(base, Some(&default_host))?;
    // The ledger decides when it comes to it; a plan, too, says what will be in the way.
    let id = record.map_or_else(|| AppId(String::new()), |record| record.id.clone());
    Ledger::from_records(records.to_vec()).check_claim(&id, &Claim::of(&settings)).map_err(ProxyError::from)?;
    if record.is_none() {
        guard::newcomer(records, Newcomer { namespace, name, settings: &settings, beside: &deploy.beside })?;
    }
    Ok(settings)
}

/// `shop.localhost`, `staging.shop.localhost`: names every resolver sends to this host.
fn local_host(name: &AppName) -> Result<Hostname, Problem> {
    let labels: Vec<&str> = name.as_str().rsplit('.').collect();
    let text = format!("{}.localhost", labels.join("."));
    text.parse().map_err(|reason| Problem::rejected("invalid-host", format!("invalid hostname `{text}`: {reason}")))
}

async fn decide(
    site: Site<'_>,
    record: Option<&AppRecord>,
    mut settings: Settings,
    deploy: &Deploy,
) -> Result<Decided, Problem> {
    let (engine, records) = (&*site.installation.engine, site.records);
    let serving = record.and_then(AppRecord::serving_release);
    let resolved = resolve(engine, deploy.draft.image.as_ref(), serving, deploy.pull, site.journal).await?;
    let intact = match (record, serving) {
        (Some(record), Some(release)) if record.state.runs() => {
            engine.container(&release.container).await?.is_some_and(|c| c.running)
        }
        (Some(_), Some(release)) => engine.container(&release.container).await?.is_some(),
        _ => true,
    };
    let current = match (record, serving) {
        (Some(record), Some(release)) => Some(Current { release, generated: &record.generated, intact }),
        _ => None,
    };
    let image = match resolved.image.id.as_str() {
        "" => None,
        id => engine.image(id).await?,
    };
    if let Some(image) = &image {
        let aliases = record.map(|r| r.aliases.as_slice()).unwrap_or_default();
        guard::image(records, (site.name, aliases), &image.labels, &deploy.beside)?;
    }
    let known = record.or_else(|| records.iter().find(|r| &r.name == site.name));
    let declared = data::planned(site.installation, known, site.name, &settings, image.as_ref()).await?;
    let port = match &image {
        Some(image) => fingerprint::port(&settings, image),
        // Not pulled yet: another image anyway, so the plan is a swap whatever its port.
        None => settings.port.or(serving.map(|r| r.port)).unwrap_or(Port::HTTP),
    };
    let compare =
        |settings: &Settings| plan(current, Wished { settings, image: &resolved.image, port, force: deploy.force });
    let mut view = compare(&settings);
    let took_turns = serving.is_some_and(|release| release.settings.swap == Swap::Handover);
    if view.action >= Action::Swap || took_turns {
        settings.swap = volumes::swap(&settings, &declared);
        view = compare(&settings);
        if view.action >= Action::Swap {
            let gone = data::gone(engine, known, &declared).await?;
            view.remarks.extend(volumes::remarks(&settings, &declared, serving, &gone));
            data::check_owner(site.installation, known, site.name, &settings, &declared).await?;
        }
    }
    let namespace = &site.installation.namespace;
    view.remarks.extend(data::namesakes(engine, namespace, known, site.name, &settings).await?);
    if let Some(image) = &image
        && matches!(view.action, Action::Swap | Action::Create)
    {
        preflight::platform(engine, &settings, &image.os, &image.arch).await?;
    }
    if let (Action::Create, None, Some(image)) = (view.action, settings.port, &image)
        && let [port] = image.exposed[..]
    {
        view.changes.push(Change::port_found(port));
    }
    if record.is_none() {
        view.remarks.extend(known.and_then(|kept| data::left_behind(kept, &settings)));
        view.remarks.extend(guard::same_repository(records, &settings));
    }
    Ok(Decided { view, settings, resolved })
}

fn check_revision(record: Option<&AppRecord>, deploy: &Deploy) -> Result<(), Problem> {
    match (record, deploy.expected_revision) {
        // An attempt that failed, one's own or another's, changed nothing that the form shows.
        (Some(record), Some(expected)) if record.last_change() > expected || record.revision < expected => {
            let message = format!("{} was changed by somebody else since the form was opened", record.name);
            Err(Problem::new(Outcome::Refused, "moved", message).hint("look at the review again"))
        }
        (None, Some(_)) => {
            Err(Problem::new(Outcome::Refused, "moved", "the app was removed since the form was opened"))
        }
        _ => Ok(()),
    }
}

fn check_sequence(record: Option<&AppRecord>, deploy: &Deploy) -> Result<(), Problem> {
    match (record.and_then(|r| r.last_sequence), deploy.sequence) {
        (Some(last), Some(given)) if given < last => {
            let message = format!("sequence {given} is older than {last}, which was accepted before");
            Err(Problem::new(Outcome::Superseded, "superseded", message))
        }
        _ => Ok(()),
    }
}
