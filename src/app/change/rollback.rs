//! Back to an earlier release: image and settings, as a new release number.

use super::announce::{Kind, announce};
use super::candidate::Wish;
use super::context::Context;
use super::data;
use super::operate::serving;
use super::planning::Decided;
use crate::app::draft::Draft;
use crate::app::event::Outcome;
use crate::app::ledger::AppRecord;
use crate::app::name::ReleaseNumber;
use crate::app::plan::{Current, Wished, plan};
use crate::app::problem::Problem;
use crate::app::release::{Release, ReleaseStatus};
use crate::app::resolve::pinned;
use crate::app::volumes;

/// Goes back to a release, or to the one that served before.
pub(crate) async fn rollback(context: &mut Context<'_>, to: Option<ReleaseNumber>) -> Result<Outcome, Problem> {
    let (record, serving) = serving(context).await?;
    if to == Some(serving.number) {
        return Ok(Outcome::Unchanged);
    }
    let release = find(context, &record, to).await?;
    let decided = decide(context, &record, &release).await?;
    announce(context.journal, Some(&record), &decided, Kind::Rollback, Some(&*context.proxy)).await?;
    if context.variables.is_none() && context.before(Some(&record), &decided).await? {
        // What was planned rests on an app that is another one now.
        return Box::pin(rollback(context, to)).await;
    }
    context.report.reached = Some(decided.settings.clone());
    let kept_container = match release.container_kept {
        true => context.installation.engine.container(&release.container).await?.map(|c| c.name),
        false => None,
    };
    let wish = Wish {
        settings: decided.settings,
        resolved: decided.resolved,
        state: record.state.clone(),
        revision: release.revision,
        rollback_to: Some(release.number),
        kept_container,
        keep_canary: false,
        canary: None,
    };
    Box::pin(context.swap(record, wish)).await?;
    Ok(Outcome::Updated)
}

/// The release that is meant, however old.
async fn find(context: &Context<'_>, record: &AppRecord, to: Option<ReleaseNumber>) -> Result<Release, Problem> {
    let meant = |release: &&Release| match to {
        Some(to) => release.number == to,
        // The newest one that served before the serving one.
        None => Some(release.number) < record.serving && matches!(release.status, ReleaseStatus::Replaced { .. }),
    };
    if let Some(release) = record.releases.iter().rev().find(meant) {
        return Ok(release.clone());
    }
    let older = context.proxy.history(&record.id).await?;
    if let Some(release) = older.iter().find(meant) {
        return Ok(release.clone());
    }
    Err(match to {
        Some(to) => Problem::rejected("no-such-release", format!("{} has no release {to}", record.name))
            .hint(format!("`once releases {}` lists them", record.name)),
        None => {
            let message = format!("{} has no release before the serving one", record.name);
            Problem::rejected("nothing-to-roll-back-to", message)
        }
    })
}

async fn decide(context: &Context<'_>, record: &AppRecord, release: &Release) -> Result<Decided, Problem> {
    let mut settings = Draft::exactly(&release.settings).merge(None, None)?;
    let resolved = pinned(&*context.installation.engine, release).await?;
    let image = context.installation.engine.image(&resolved.image.id).await?;
    let (name, known) = (record.volumes_of(), Some(record));
    let declared = data::planned(context.installation, known, name, &settings, image.as_ref()).await?;
    settings.swap = volumes::swap(&settings, &declared);
    let wished = Wished { settings: &settings, image: &resolved.image, port: release.port, force: true };
    let current = record.serving_release().map(|r| Current { release: r, generated: &record.generated, intact: true });
    let mut view = plan(current, wished);
    let mut kept =
        "back to release ".to_owned() + &release.number.to_string() + ": image and settings; data stays as it is";
    if settings.release_command.is_some() || record.settings().is_some_and(|s| s.release_command.is_some()) {
        kept.push_str(", and what release commands have done to it (migrations) is not undone");
    }
    view.remarks.push(kept);
    view.remarks.extend(volumes::remarks(&settings, &declared, record.serving_release()));
    Ok(Decided { view, settings, resolved })
}
