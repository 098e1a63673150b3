//! `deploy`, `plan` and `set`: a wish becomes a job.

use once_app::{Action, Ask, Deploy, Draft, Problem};

use super::{Answer, FINDINGS};
use crate::args::{Behaviour, DeployArgs, PlanArgs, SetArgs, SettingsArgs};
use crate::certificate;
use crate::change;
use crate::session::{Session, selector};
use crate::settings::draft;

pub(crate) async fn deploy(session: &mut Session<'_>, args: &DeployArgs) -> Answer {
    let draft = draft(args.image.as_deref(), &[], &args.settings)?;
    let canary = args.canary.as_deref().map(super::canary::rule).transpose()?;
    let wish = wish(draft, &args.settings, &args.behaviour)?;
    let wish = Deploy { name: args.name.clone(), canary, dry_run: args.dry_run, ..wish };
    run(session, wish, &args.behaviour).await
}

pub(crate) async fn plan(session: &mut Session<'_>, args: &PlanArgs) -> Answer {
    let draft = draft(args.image.as_deref(), &[], &args.settings)?;
    let canary = args.canary.as_deref().map(super::canary::rule).transpose()?;
    let wish =
        Deploy { name: args.name.clone(), canary, dry_run: true, ..wish(draft, &args.settings, &args.behaviour)? };
    let ended = change::run(session, Ask::Deploy(Box::new(wish)), args.behaviour.wait.wait).await?;
    let pending = ended.plan.is_some_and(|p| p.action != Action::Nothing);
    match ended.finished.outcome.exit_code() {
        0 if args.detailed_exitcode && pending => Ok(FINDINGS),
        code => Ok(code),
    }
}

pub(crate) async fn set(session: &mut Session<'_>, args: &SetArgs) -> Answer {
    let draft = draft(None, &args.variables, &args.settings)?;
    let wish = Deploy {
        existing: Some(selector(&args.app)),
        dry_run: args.dry_run,
        ..wish(draft, &args.settings, &args.behaviour)?
    };
    run(session, wish, &args.behaviour).await
}

fn wish(mut draft: Draft, settings: &SettingsArgs, behaviour: &Behaviour) -> Result<Deploy, Problem> {
    let certificate = certificate::read(settings, &mut draft)?;
    Ok(Deploy {
        draft,
        certificate,
        revision: behaviour.revision.clone(),
        sequence: behaviour.sequence,
        pull: behaviour.pull.into(),
        force: behaviour.force,
        start: behaviour.start,
        upgrade_proxy: behaviour.upgrade_proxy,
        require_tls: behaviour.require_tls,
        beside: behaviour.beside.clone(),
        change_image: behaviour.change_image,
        ..Deploy::default()
    })
}

async fn run(session: &mut Session<'_>, mut wish: Deploy, behaviour: &Behaviour) -> Answer {
    if !wish.upgrade_proxy && !wish.dry_run {
        wish.upgrade_proxy = super::proxy_upgrade::wanted(session).await?;
    }
    let ended = change::run(session, Ask::Deploy(Box::new(wish)), behaviour.wait.wait).await?;
    Ok(ended.finished.outcome.exit_code())
}
