//! Start, stop, remove.

use crate::deploy::context::Context;
use crate::ledger::{AppRecord, RunState, Transaction};
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::model::release::ReleaseStatus;
use crate::ports::engine::{EngineError, Role, Volume};
use crate::progress::event::{Outcome, Step, Visitors};
use crate::request::change::Selector;
use crate::request::target::existing;

/// Serves again. An app that runs already is left alone.
pub(crate) async fn start(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let (record, release) = serving(context).await?;
    let engine = &*context.installation.engine;
    let runs = engine.container(&release.container).await?.map(|c| c.running);
    context.report.serving = Some(release.number);
    context.report.reached = Some(release.settings.clone());
    if record.state == RunState::Running && runs == Some(true) {
        return Ok(Outcome::Unchanged);
    }
    if runs.is_none() {
        let message = format!("the container of release {} is gone", release.number);
        return Err(Problem::new(Outcome::Failed, "container-gone", message)
            .hint(format!("`once restart {}` makes a new one of the same image and settings", record.name)));
    }
    let begun = async {
        engine.start(&release.container).await?;
        Ok::<_, Problem>(((), release.container.clone()))
    };
    context.journal.step(Step::Start, context.until_stopped(begun)).await?;
    let healthy = async { context.answers(&release).await.map(|()| ((), "it answers".to_owned())) };
    let healthy = context.journal.step(Step::Healthy, context.until_stopped(healthy)).await;
    if let Err(problem) = healthy {
        if record.state == RunState::Stopped {
            engine.stop(&release.container, release.settings.stop_timeout.duration()).await.ok();
        }
        return Err(problem);
    }
    context.apply(Transaction::SetState { app: record.id, state: RunState::Running }).await?;
    Ok(Outcome::Updated)
}

/// Stops; visitors see a 503 page, and requests under way finish first.
pub(crate) async fn stop(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let (record, release) = serving(context).await?;
    let engine = &*context.installation.engine;
    let runs = engine.container(&release.container).await?.is_some_and(|c| c.running);
    if record.state == RunState::Stopped && !runs {
        return Ok(Outcome::Unchanged);
    }
    if let Some(canary) = &record.canary {
        context.end_canary(&record, canary, "the app was stopped".to_owned()).await?;
    }
    context.apply(Transaction::SetState { app: record.id.clone(), state: RunState::Stopped }).await?;
    let drain = async { context.drain(&record, &release, false).await.map(|text| ((), text)) };
    if let Err(problem) = context.journal.step(Step::Drain, drain).await {
        context.journal.warn("drain-failed", problem.to_string());
    }
    let stop = async {
        context.installation.engine.stop(&release.container, release.settings.stop_timeout.duration()).await?;
        Ok::<_, Problem>(((), format!("release {} stopped", release.number)))
    };
    context.journal.step(Step::Retire, stop).await?;
    Ok(Outcome::Updated)
}

/// Removes the app; its data stays unless asked.
pub(crate) async fn remove(context: &mut Context<'_>, data: bool) -> Result<Outcome, Problem> {
    let record = context.proxy.record(&context.name).await?;
    let Some(record) = record.filter(|r| data || r.is_live()) else {
        return Err(Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)));
    };
    let record = context.own_volumes(record).await?;
    let has_served = record.releases.iter().any(|r| !matches!(r.status, ReleaseStatus::Failed { .. }));
    // The route goes first: from here on visitors get "not here", not errors.
    let gone = Transaction::Remove { app: record.id.clone(), at: context.installation.clock.now() };
    if record.is_live() && record.serving.is_some() {
        context.apply(gone).await?;
    }
    let journal = context.journal;
    let stop = async {
        let mut count = 0;
        for container in context.containers(&record).await? {
            let grace = record.settings().map(|s| s.stop_timeout.duration()).unwrap_or_default();
            context.installation.engine.stop(&container.id, grace).await?;
            context.take_away(&record, &container.id).await?;
            count += 1;
        }
        Ok::<_, Problem>(((), format!("{count} containers removed")))
    };
    journal.step(Step::Retire, stop).await?;
    let kept = match (data, has_served) {
        (true, _) => remove_volumes(context, &record).await.map(|()| Vec::new())?,
        (false, true) => data_volumes(context, &record).await?,
        // Its first deploy failed, but it may have written something by then.
        (false, false) => {
            let volumes = data_volumes(context, &record).await?;
            context.remove_unused(&record, volumes, record.releases.last().cloned().as_ref()).await
        }
    };
    if data || !has_served && kept.is_empty() {
        context.apply(Transaction::Forget { app: record.id }).await?;
    } else if record.serving.is_none() {
        context.apply(Transaction::Remove { app: record.id, at: context.installation.clock.now() }).await?;
    }
    context.report.serving = None;
    context.report.visitors = Some(Visitors::Removed { kept });
    Ok(Outcome::Updated)
}

/// Volumes of the app that carry its labels, and those it has beside.
async fn data_volumes(context: &Context<'_>, record: &AppRecord) -> Result<Vec<String>, Problem> {
    let volumes = context.installation.engine.volumes(&context.installation.namespace).await?;
    let own =
        |v: &&Volume| v.identity.as_ref().is_some_and(|i| i.role == Role::Data && i.id.as_ref() == Some(&record.id));
    let mut names: Vec<String> = volumes.iter().filter(own).map(|v| v.name.clone()).collect();
    let now = context.proxy.record(&record.name).await?.filter(|now| now.id == record.id);
    names.extend(now.iter().flat_map(|now| &now.owned_volumes).map(|volume| volume.name.clone()));
    Ok(names)
}

async fn remove_volumes(context: &Context<'_>, record: &AppRecord) -> Result<(), Problem> {
    let engine = &*context.installation.engine;
    for volume in engine.volumes(&context.installation.namespace).await? {
        if volume.identity.as_ref().is_some_and(|i| i.id.as_ref() == Some(&record.id)) {
            engine.remove_volume(&volume.name).await?;
        }
    }
    // What its containers left behind was written down when they went.
    let now = context.proxy.record(&record.name).await?.filter(|now| now.id == record.id);
    for volume in &now.as_ref().unwrap_or(record).owned_volumes {
        match engine.remove_volume(&volume.name).await {
            Ok(()) => {}
            Err(EngineError::Conflict { .. }) => {
                let text = format!("the volume {} is in use by a container of others, and stays", volume.name);
                context.journal.warn("volume-in-use", text);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// An app that is live, or was removed and has its data kept.
pub(crate) fn removable(records: &[AppRecord], selector: &Selector) -> Result<AppName, Problem> {
    existing(records, selector).map(|r| r.name.clone()).or_else(|problem| {
        let kept = records.iter().find(|r| r.name.as_str() == selector.0);
        kept.map(|r| r.name.clone()).ok_or(problem)
    })
}

pub(in crate::deploy) async fn serving(
    context: &Context<'_>,
) -> Result<(AppRecord, crate::model::release::Release), Problem> {
    let record = context
        .record()
        .await?
        .ok_or_else(|| Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)))?;
    let release = record
        .serving_release()
        .cloned()
        .ok_or_else(|| Problem::rejected("nothing-serves", format!("{} has never served", record.name)))?;
    Ok((record, release))
}
