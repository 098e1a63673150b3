//! Lock, observe, merge, plan, act (CLI.md, "Deploying").

use std::sync::Arc;

use tokio::sync::watch;

use super::announce::{Kind, announce, warn_about_webhook};
use super::certificates::acme::{asks_anyway, warn_about_version, warn_about_wildcards};
use super::context::Context;
use super::next_release::{Decided, Wish};
use super::operations::canary;
use super::operations::{adopt, maintenance, release_ownership, rename, rollback, start_stop};
use super::planning::{Planned, Site, plan_deploy};
use super::report::Report;
use super::stop::Stop;
use crate::host::installation::Installation;
use crate::ledger::{AppRecord, RunState, Transaction};
use crate::model::name::AppId;
use crate::model::problem::Problem;
use crate::plan::diff::Action;
use crate::ports::proxy::Proxy;
use crate::progress::event::{Outcome, Visitors};
use crate::progress::journal::Journal;
use crate::request::change::{Ask, Deploy, Job};
use crate::request::target::{existing, target};

pub(crate) async fn perform(
    job: &Job,
    installation: &Installation,
    journal: &Journal,
    found: &watch::Sender<Option<Arc<dyn Proxy>>>,
    log: &mut Option<Arc<dyn Proxy>>,
    stop: &Stop,
    report: &mut Report,
) -> Result<Outcome, Problem> {
    let proxy = match &job.ask {
        // What will not begin makes no proxy.
        _ if stop.withdraw.is_cancelled() => installation.proxy().await?,
        Ask::Deploy(deploy) if deploy.dry_run => installation.proxy().await?,
        Ask::Deploy(deploy) if deploy.upgrade_proxy || deploy.existing.is_none() => {
            Some(installation.ensure_proxy().await?)
        }
        Ask::Adopt { wish, .. } if wish.dry_run => installation.proxy().await?,
        Ask::Adopt { .. } => Some(installation.ensure_proxy().await?),
        _ => installation.proxy().await?,
    };
    let records = match &proxy {
        Some(proxy) => {
            let snapshot = proxy.snapshot().await?;
            if !job.ask.upgrades_proxy() {
                warn_about_version(journal, &snapshot.info.version);
            }
            if !job.ask.is_dry() {
                warn_about_webhook(journal, snapshot.info.untold.as_ref());
            }
            snapshot.apps
        }
        None => Vec::new(),
    };
    log.clone_from(&proxy);
    let name = match &job.ask {
        Ask::Deploy(deploy) => target(&records, deploy)?.name().clone(),
        Ask::Rollback { app, .. } => start_stop::removable(&records, app)?,
        Ask::Start { app }
        | Ask::Stop { app }
        | Ask::Restart { app }
        | Ask::Canary { app, .. }
        | Ask::Promote { app }
        | Ask::Abort { app }
        | Ask::Tidy { app }
        | Ask::Maintenance { app, .. }
        | Ask::Pause { app, .. }
        | Ask::Resume { app }
        | Ask::GiveBack { app, .. }
        | Ask::Remove { app, data: false } => existing(&records, app)?.name.clone(),
        Ask::Remove { app, data: true } => start_stop::removable(&records, app)?,
        Ask::Rename { app, .. } => existing(&records, app)?.name.clone(),
        Ask::DropAlias { alias, .. } => rename::owner_of(&records, alias)?.name.clone(),
        Ask::Adopt { container, wish } => adopt::whose(installation, &records, container, wish).await?,
    };
    journal.about(&name);
    // Said also by a change that never gets the lock: what served before serves on. What is to be adopted may be refused
    // because another app has the name.
    let is_it = |r: &&AppRecord| r.name == name && r.is_live() && !matches!(job.ask, Ask::Adopt { .. });
    let known = records.iter().find(is_it);
    report.serving = known.and_then(|r| r.serving);
    report.visitors = known.and_then(Visitors::of);
    report.canary = known.and_then(|r| r.canary.as_deref()).map(Into::into);
    if let Ask::Deploy(deploy) = &job.ask
        && deploy.dry_run
    {
        let site = Site { installation, journal, proxy: proxy.as_deref(), records: &records, name: &name };
        return dry_run(site, deploy).await;
    }
    if let Ask::Adopt { container, wish } = &job.ask
        && wish.dry_run
    {
        return adopt::preview(installation, journal, &records, container, wish).await;
    }
    if let Ask::GiveBack { dry_run: true, .. } = &job.ask {
        return release_ownership::preview(installation, journal, &records, &name).await;
    }
    if let Ask::Rename { to, .. } = &job.ask
        && to != &name
    {
        installation.check_new_name(to).await?;
    }
    if job.ask.is_dry() {
        return rename::preview(&installation.namespace, journal, &records, &name, &job.ask);
    }
    let Some(proxy) = proxy else {
        return Err(Problem::rejected("no-such-app", format!("there is no app `{name}`")));
    };
    if job.ask.upgrades_proxy() {
        // The app is known by now: whatever comes of it, what serves is told.
        installation.upgrade_proxy(&*proxy, &job.by).await?;
    }
    found.send_replace(Some(Arc::clone(&proxy)));
    let mut context = Context::lock(installation, journal, stop, job, report, proxy, name).await?;
    let result = act(&mut context).await;
    context.say_where().await;
    context.after(&result).await;
    // Given back here and not by a drop, so that whoever runs the next command finds it free.
    if let Err(error) = context.lease.release().await {
        tracing::debug!("the lock was not given back, it runs out by itself: {error}");
    }
    result
}

async fn act(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    context.mend().await?;
    match &context.job.ask {
        Ask::Deploy(deploy) => Box::pin(deploy_locked(context, deploy)).await,
        Ask::Rollback { to, .. } => rollback::rollback(context, *to).await,
        Ask::Restart { .. } => {
            // A stopped app starts; one that is paused or under maintenance stays that.
            let start = context.record().await?.is_some_and(|record| !record.state.runs());
            let wish = Deploy { force: true, start, ..Deploy::default() };
            Box::pin(deploy_locked(context, &wish)).await
        }
        Ask::Canary { rule, .. } => canary::share(context, rule).await,
        Ask::Promote { .. } => canary::promote(context).await,
        Ask::Abort { .. } => canary::abort(context).await,
        Ask::Start { .. } => start_stop::start(context).await,
        Ask::Stop { .. } => start_stop::stop(context).await,
        Ask::Tidy { .. } => adopt::tidy(context).await,
        Ask::Adopt { .. } => adopt::adopt(context).await,
        Ask::GiveBack { .. } => release_ownership::give_back(context).await,
        Ask::Rename { .. } | Ask::DropAlias { .. } => rename::rename(context).await,
        Ask::Maintenance { notice, .. } => maintenance::maintain(context, notice.as_ref()).await,
        Ask::Pause { max_wait, .. } => maintenance::pause(context, *max_wait).await,
        Ask::Resume { .. } => maintenance::resume(context).await,
        Ask::Remove { data, .. } => start_stop::remove(context, *data).await,
    }
}

async fn dry_run(site: Site<'_>, deploy: &Deploy) -> Result<Outcome, Problem> {
    let record = match site.proxy {
        Some(proxy) => proxy.record(site.name).await?.filter(AppRecord::is_live),
        None => None,
    };
    let planned = plan_deploy(site, record.as_ref(), deploy).await?;
    announce(site.journal, record.as_ref(), &planned.decided, Kind::of(deploy), site.proxy).await?;
    Ok(Outcome::Unchanged)
}

async fn deploy_locked(context: &mut Context<'_>, deploy: &Deploy) -> Result<Outcome, Problem> {
    let records = context.proxy.snapshot().await?.apps;
    let record = context.record().await?;
    context.report.serving = record.as_ref().and_then(|r| r.serving);
    let planned = {
        let site = Site {
            installation: context.installation,
            journal: context.journal,
            proxy: Some(&*context.proxy),
            records: &records,
            name: &context.name,
        };
        context.until_stopped(plan_deploy(site, record.as_ref(), deploy)).await?
    };
    let Planned { decided, certificate } = planned;
    context.certificate = certificate;
    announce(context.journal, record.as_ref(), &decided, Kind::of(deploy), Some(&*context.proxy)).await?;
    if context.variables.is_none() && context.before(record.as_ref(), &decided).await? {
        // What was planned rests on an app that is another one now.
        return Box::pin(deploy_locked(context, deploy)).await;
    }
    context.report.reached = Some(decided.settings.clone());
    warn_about_wildcards(context.journal, &decided.settings);

    let created = record.as_ref().is_none_or(|r| r.serving.is_none());
    let mut record = match record {
        Some(record) => record,
        None => create(context).await?,
    };
    if let Some(number) = deploy.sequence {
        let applied = context.apply(Transaction::Sequence { app: record.id.clone(), number }).await?;
        record = applied.record.unwrap_or(record);
    }
    if let Some(rule) = &deploy.canary {
        return Box::pin(canary::deploy(context, record, decided, rule, deploy)).await;
    }
    let state = if deploy.start { RunState::Running } else { record.state.clone() };
    let app = record.id.clone();
    match decided.view.action {
        Action::Nothing if state == record.state && record.canary.is_none() => {
            if asks_anyway(deploy) {
                context.obtain_certificates(&decided.settings).await?;
            }
            return Ok(Outcome::Unchanged);
        }
        Action::Nothing | Action::Record | Action::Route => {
            let changed = in_place(context, app, decided, deploy.revision.clone()).await?;
            let ended = end_canary(context, &record).await?;
            if state != record.state {
                return start_stop::start(context).await;
            }
            // A certificate was to be had, and then was not.
            if !changed && !ended {
                return Ok(Outcome::Unchanged);
            }
        }
        Action::Swap | Action::Create => {
            let wish = Wish {
                settings: decided.settings,
                resolved: decided.resolved,
                state,
                revision: deploy.revision.clone(),
                rollback_to: None,
                kept_container: None,
                keep_canary: matches!(context.job.ask, Ask::Restart { .. }),
                canary: None,
            };
            Box::pin(context.swap(record, wish)).await?;
        }
    }
    Ok(if created { Outcome::Created } else { Outcome::Updated })
}

/// What needs no other container; whether anything is other than before.
async fn in_place(
    context: &mut Context<'_>,
    app: AppId,
    decided: Decided,
    revision: Option<String>,
) -> Result<bool, Problem> {
    let Decided { settings, view, .. } = decided;
    let action = view.action;
    let mut changed = context.install_certificate().await?;
    if action == Action::Route {
        // A new name's certificate comes first, so that its visitors are never refused a handshake.
        changed |= context.obtain_certificates(&settings).await?;
    }
    if view.changes_settings() {
        context.apply(Transaction::Amend { app, settings: Box::new(settings.clone()), revision }).await?;
        changed = true;
    }
    if action == Action::Route {
        context.prove_certificates(&settings).await;
    }
    Ok(changed)
}

/// A canary is resolved by the next deploy of its app: what was tried out rests on settings that hold no longer.
async fn end_canary(context: &mut Context<'_>, record: &AppRecord) -> Result<bool, Problem> {
    let Some(canary) = &record.canary else { return Ok(false) };
    let number = canary.release.number;
    context.end_canary(record, canary, format!("{} changed the app", context.job.by.command)).await?;
    context.journal.warn("canary-ended", format!("the canary, release {number}, ended with this change"));
    Ok(true)
}

async fn create(context: &mut Context<'_>) -> Result<AppRecord, Problem> {
    let entropy = &context.installation.entropy;
    let now = context.installation.clock.now();
    let record = AppRecord::new(AppId(entropy.id()), context.name.clone(), entropy.secrets(), now);
    let applied = context.apply(Transaction::Create { record: Box::new(record.clone()) }).await?;
    Ok(applied.record.unwrap_or(record))
}
