//! The plan is told before anything happens, with the steps there will be.

use super::certificates::acme::certifiable;
use super::next_release::Decided;
use crate::ledger::AppRecord;
use crate::model::problem::Problem;
use crate::model::undelivered::Untold;
use crate::plan::diff::Action;
use crate::ports::proxy::Proxy;
use crate::progress::event::{Event, Step};
use crate::progress::journal::Journal;
use crate::request::change::Deploy;
use crate::settings::{Settings, Swap};

/// What a swap is for: it decides about its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Deploy,
    Canary,
    /// It is not watched.
    Rollback,
}

impl Kind {
    pub(crate) fn of(deploy: &Deploy) -> Self {
        if deploy.canary.is_some() { Self::Canary } else { Self::Deploy }
    }
}

pub(crate) async fn announce(
    journal: &Journal,
    record: Option<&AppRecord>,
    decided: &Decided,
    kind: Kind,
    proxy: Option<&dyn Proxy>,
) -> Result<(), Problem> {
    let certificates = match decided.view.action {
        Action::Nothing | Action::Record => false,
        Action::Route | Action::Swap | Action::Create => !certifiable(proxy, &decided.settings).await?.is_empty(),
    };
    let steps = match decided.view.action {
        _ if kind == Kind::Canary => canary_steps(&decided.settings),
        Action::Nothing => vec![],
        Action::Route if certificates => vec![Step::Lock, Step::Certificate, Step::Proof],
        Action::Record | Action::Route => vec![Step::Lock],
        Action::Swap | Action::Create => steps(record, &decided.settings, certificates, kind),
    };
    journal.write(Event::Planned {
        plan: decided.view.clone(),
        host: decided.settings.primary_host().to_string(),
        from: record.and_then(|r| r.serving),
        steps,
    });
    Ok(())
}

fn steps(record: Option<&AppRecord>, settings: &Settings, certificates: bool, kind: Kind) -> Vec<Step> {
    let replaces = record.is_some_and(|r| r.serving.is_some() && r.state.runs());
    let hands_over = replaces && settings.swap == Swap::Handover;
    let certificate = certificates.then_some(Step::Certificate);
    let mut steps = vec![Step::Lock, Step::Pull];
    steps.extend(settings.release_command.as_ref().map(|_| Step::ReleaseCommand));
    if hands_over {
        steps.extend(certificate);
        steps.push(Step::Hold);
    }
    steps.extend([Step::Start, Step::Healthy]);
    steps.extend(certificate.filter(|_| !hands_over));
    steps.push(Step::Switch);
    steps.extend(certificates.then_some(Step::Proof));
    if replaces && kind != Kind::Rollback && !settings.watch_time.is_zero() {
        steps.push(Step::Watch);
    }
    if replaces && settings.swap == Swap::Overlap {
        steps.push(Step::Drain);
    }
    steps.push(Step::Retire);
    steps
}

fn canary_steps(settings: &Settings) -> Vec<Step> {
    let command = settings.release_command.as_ref().map(|_| Step::ReleaseCommand);
    let before = [Step::Lock, Step::Pull].into_iter().chain(command);
    before.chain([Step::Start, Step::Healthy, Step::Switch]).collect()
}

/// Whoever counts on the web hook learns here, too, that it is deaf: how this change fares with it is known only later.
pub(crate) fn warn_about_webhook(journal: &Journal, untold: Option<&Untold>) {
    if let Some(untold) = untold {
        let way = "`once proxy configure --webhook @FILE` gives another one";
        journal.warn("webhook-untold", format!("{untold}; {way}"));
    }
}
