//! Back to an earlier release: image and settings, as a new release number.

use crate::deploy::announce::{Kind, announce};
use crate::deploy::context::Context;
use crate::deploy::next_release::Decided;
use crate::deploy::next_release::Wish;
use crate::deploy::swap::data;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::model::release::{Release, ReleaseStatus};
use crate::plan::diff::{Current, Wished, plan};
use crate::plan::resolve::pinned;
use crate::plan::volumes;
use crate::progress::event::Outcome;
use crate::settings::draft::Draft;

/// Goes back to a release, or to the one that served before.
pub(crate) async fn rollback(context: &mut Context<'_>, to: Option<ReleaseNumber>) -> Result<Outcome, Problem> {
    let mut record = context
        .proxy
        .record(&context.name)
        .await?
        .ok_or_else(|| Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)))?;
    let removed = !record.is_live();
    if removed {
        // What served then serves no longer.
        record.serving = None;
    } else if record.serving.is_none() {
        return Err(Problem::rejected("nothing-serves", format!("{} has never served", record.name)));
    } else if to.is_some() && to == record.serving {
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
    if removed {
        let create = Transaction::Create { record: Box::new(record.clone()) };
        record = context.apply(create).await?.record.unwrap_or(record);
    }
    Box::pin(context.swap(record, wish)).await?;
    Ok(if removed { Outcome::Created } else { Outcome::Updated })
}

/// The release that is meant, however old.
async fn find(context: &Context<'_>, record: &AppRecord, to: Option<ReleaseNumber>) -> Result<Release, Problem> {
    let meant = |release: &&Release| match to {
        Some(to) => release.number == to,
        // The newest one that served before the serving one.
        None => {
            record.serving.is_none_or(|serving| release.number < serving)
                && matches!(release.status, ReleaseStatus::Replaced { .. })
        }
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
    data::check_owner(context.installation, known, name, &settings, &declared).await?;
    let gone = data::gone(&*context.installation.engine, known, &declared).await?;
    settings.swap = volumes::swap(&settings, &declared);
    let wished = Wished { settings: &settings, image: &resolved.image, port: release.port, force: true };
    let current = record.serving_release().map(|r| Current { release: r, generated: &record.generated, intact: true });
    let mut view = plan(current, wished);
    if !record.is_live() {
        view.remarks.push(format!("{} was removed, its data kept: it comes back with both", record.name));
    }
    let mut kept =
        "back to release ".to_owned() + &release.number.to_string() + ": image and settings; data stays as it is";
    if settings.release_command.is_some() || record.settings().is_some_and(|s| s.release_command.is_some()) {
        kept.push_str(", and what release commands have done to it (migrations) is not undone");
    }
    view.remarks.push(kept);
    view.remarks.extend(volumes::remarks(&settings, &declared, record.serving_release(), &gone));
    Ok(Decided { view, settings, resolved })
}
