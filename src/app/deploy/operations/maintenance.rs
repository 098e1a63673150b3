//! Maintenance, pause and resume: what visitors get while the app goes on running.

use super::start_stop::serving;
use crate::deploy::context::Context;
use crate::ledger::{RunState, Transaction};
use crate::model::problem::Problem;
use crate::model::route::Notice;
use crate::model::units::Span;
use crate::progress::event::Outcome;

/// A 503 page, or an end to it.
pub(crate) async fn maintain(context: &mut Context<'_>, notice: Option<&Notice>) -> Result<Outcome, Problem> {
    let (record, _) = serving(context).await?;
    match (&record.state, notice) {
        (RunState::Stopped, _) => Err(stopped(&record.name)),
        (RunState::Maintenance(_), None) => put(context, RunState::Running).await,
        (_, None) => Ok(Outcome::Unchanged),
        (_, Some(notice)) => put(context, RunState::Maintenance(notice.clone())).await,
    }
}

/// Requests wait from now on.
pub(crate) async fn pause(context: &mut Context<'_>, max_wait: Span) -> Result<Outcome, Problem> {
    let (record, _) = serving(context).await?;
    match &record.state {
        RunState::Stopped => Err(stopped(&record.name)),
        RunState::Maintenance(_) => Err(maintained(&record.name)),
        _ => put(context, RunState::Paused { max_wait }).await,
    }
}

/// Requests go on.
pub(crate) async fn resume(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let (record, _) = serving(context).await?;
    match &record.state {
        RunState::Running => Ok(Outcome::Unchanged),
        RunState::Stopped => Err(stopped(&record.name)),
        RunState::Maintenance(_) => Err(maintained(&record.name)),
        RunState::Paused { .. } => put(context, RunState::Running).await,
    }
}

async fn put(context: &mut Context<'_>, state: RunState) -> Result<Outcome, Problem> {
    let (record, release) = serving(context).await?;
    context.report.serving = Some(release.number);
    context.report.reached = Some(release.settings.clone());
    if record.state == state {
        return Ok(Outcome::Unchanged);
    }
    context.apply(Transaction::SetState { app: record.id, state }).await?;
    Ok(Outcome::Updated)
}

fn stopped(name: &crate::model::name::AppName) -> Problem {
    Problem::rejected("app-stopped", format!("{name} is stopped"))
        .hint(format!("`once start {name}` lets it serve again"))
}

fn maintained(name: &crate::model::name::AppName) -> Problem {
    Problem::rejected("app-maintained", format!("{name} is under maintenance"))
        .hint(format!("`once maintenance {name} --off` ends it"))
}
