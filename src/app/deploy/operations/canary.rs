//! Trying a release out on some of the requests: begin, change the share, promote, abort.

use crate::deploy::context::Context;
use crate::deploy::next_release::Decided;
use crate::deploy::next_release::Wish;
use crate::deploy::swap::candidate::Candidate;
use crate::deploy::swap::traffic::Teller;
use crate::ledger::{AppRecord, Transaction};
use crate::model::canary::{Canary, CanaryRule};
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::plan::diff::Action;
use crate::plan::diff::Change;
use crate::progress::event::{Outcome, Step};
use crate::request::change::Deploy;
use crate::settings::Swap;
use crate::settings::field::Cost;

/// Whether an app can have a canary with these settings at all; asked before anything is made.
pub(crate) fn guard(record: Option<&AppRecord>, decided: &Decided) -> Result<(), Problem> {
    let serving = record.and_then(AppRecord::serving_release);
    let (Some(record), Some(serving)) = (record, serving) else {
        return Err(Problem::rejected("nothing-serves", "a canary needs a release that serves beside it")
            .hint("deploy the app without `--canary` first"));
    };
    if serving.settings.swap == Swap::Handover || decided.settings.swap == Swap::Handover {
        let why = match serving.settings.swap {
            Swap::Handover => {
                format!("{} is set to `swap handover`: two of its releases must never run at once", record.name)
            }
            Swap::Overlap => format!("two releases of {} must never run on its volumes at once", record.name),
        };
        let message = format!("{why}, and a canary is a second one");
        return Err(Problem::new(Outcome::Refused, "canary-handover", message)
            .hint("deploy it without `--canary`: requests wait while one release hands over to the other")
            .hint("if two may share its volumes, `--swap overlap` says so"));
    }
    if !record.state.runs() {
        let message = format!("{} is stopped: there are no requests to try a release out on", record.name);
        return Err(
            Problem::new(Outcome::Refused, "stopped", message).hint(format!("`once start {}` first", record.name))
        );
    }
    Ok(())
}

/// What `deploy --canary` does, as a plan: another release is tried out, or the one that is gets other requests.
///
/// # Errors
/// There is nothing to try out: the serving release is as asked.
pub(crate) fn plan(
    record: Option<&AppRecord>,
    decided: &mut Decided,
    rule: &CanaryRule,
    force: bool,
) -> Result<(), Problem> {
    let view = &mut decided.view;
    let canary = record.and_then(|r| r.canary.as_deref());
    if let Some(canary) = canary
        && !force
        && canary.release.settings == decided.settings
        && canary.release.image.is_same(&decided.resolved.image)
    {
        view.changes = moved(&canary.rule, rule).into_iter().collect();
        view.action = if view.changes.is_empty() { Action::Nothing } else { Action::Route };
    } else if view.action == Action::Nothing {
        let name = record.map(|r| r.name.to_string()).unwrap_or_default();
        let message = format!("{name} serves just this already: there is nothing to try out");
        return Err(Problem::rejected("nothing-to-try", message)
            .hint("name another image or setting, or say `--force` to try the same one out"));
    } else {
        view.action = Action::Swap;
        let replaced = canary.map(|c| format!("the canary, release {}, gives way to this one", c.release.number));
        view.remarks.extend(replaced);
    }
    view.canary = Some(rule.clone());
    Ok(())
}

/// `deploy --canary`: a release beside the serving one. The same again changes nothing; another rule alone moves the
/// requests and nothing else.
pub(crate) async fn deploy(
    context: &mut Context<'_>,
    record: AppRecord,
    decided: Decided,
    rule: &CanaryRule,
    deploy: &Deploy,
) -> Result<Outcome, Problem> {
    if decided.view.action != Action::Swap
        && let Some(canary) = &record.canary
    {
        context.report.release = Some(canary.release.number);
        return move_requests(context, &record, canary, rule).await;
    }
    let wish = Wish {
        settings: decided.settings,
        resolved: decided.resolved,
        state: record.state.clone(),
        revision: deploy.revision.clone(),
        rollback_to: None,
        kept_container: None,
        keep_canary: false,
        canary: Some(rule.clone()),
    };
    Box::pin(context.swap(record, wish)).await?;
    Ok(Outcome::Updated)
}

/// The difference another rule makes; `None`: it is the same.
fn moved(from: &CanaryRule, to: &CanaryRule) -> Option<Change> {
    let (before, after) = (Some(from.to_string()), Some(to.to_string()));
    (from != to).then(|| Change { field: "canary".to_owned(), from: before, to: after, cost: Cost::Route })
}

/// `once canary APP --share`.
pub(crate) async fn share(context: &mut Context<'_>, rule: &CanaryRule) -> Result<Outcome, Problem> {
    let (record, canary) = required(context).await?;
    if canary.rule != *rule && context.variables.is_none() && context.before_canary(&record, &canary, "share").await? {
        // What was asked for rests on an app that is another one now.
        return Box::pin(share(context, rule)).await;
    }
    move_requests(context, &record, &canary, rule).await
}

async fn move_requests(
    context: &mut Context<'_>,
    record: &AppRecord,
    canary: &Canary,
    rule: &CanaryRule,
) -> Result<Outcome, Problem> {
    if canary.rule == *rule {
        return Ok(Outcome::Unchanged);
    }
    context.apply(Transaction::Share { app: record.id.clone(), rule: rule.clone() }).await?;
    Ok(Outcome::Updated)
}

/// The canary serves, the release before it is watched against, drained and retired as after any switch.
pub(crate) async fn promote(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let (record, canary) = required(context).await?;
    if context.variables.is_none() && context.before_canary(&record, &canary, "promote").await? {
        return Box::pin(promote(context)).await;
    }
    let release = canary.release;
    context.report.release = Some(release.number);
    context.report.reached = Some(release.settings.clone());
    // A dead candidate would take everybody down with it.
    let healthy = async { context.answers(&release).await.map(|()| ((), "it answers".to_owned())) };
    context.journal.step(Step::Healthy, context.until_stopped(healthy)).await?;
    let (proxy, journal) = (std::sync::Arc::clone(&context.proxy), context.journal);
    let teller = Teller::new(&*proxy, journal, &record.id, record.serving);
    teller.during(Box::pin(context.promote_watched(&record, release))).await?;
    Ok(Outcome::Updated)
}

/// The canary goes; the serving release gets all requests again.
pub(crate) async fn abort(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let (record, canary) = required(context).await?;
    context.without_asking(&record, &canary, "abort");
    context.report.release = Some(canary.release.number);
    let why = format!("the canary was aborted by {}", context.job.by.user);
    context.end_canary(&record, &canary, why).await?;
    Ok(Outcome::Updated)
}

async fn required(context: &Context<'_>) -> Result<(AppRecord, Canary), Problem> {
    let record = context
        .record()
        .await?
        .ok_or_else(|| Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)))?;
    match record.canary.clone() {
        Some(canary) => Ok((record, *canary)),
        None => Err(Problem::rejected("no-canary", format!("{} has no canary", record.name)).hint(format!(
            "`once deploy IMAGE --name {} --canary 10%` tries a release out on some of the requests",
            record.name
        ))),
    }
}

impl Context<'_> {
    async fn promote_watched(&mut self, record: &AppRecord, release: Release) -> Result<(), Problem> {
        let number = release.number;
        let candidate = Candidate { container: release.container.clone(), release, exposed: Vec::new() };
        let transaction = Transaction::Promote {
            app: record.id.clone(),
            op: self.job.op.clone(),
            by: self.job.by.clone(),
            at: self.installation.clock.now(),
        };
        let baseline = self.baseline(record, &candidate.release, true).await;
        self.commit(record, number, transaction, format!("all requests go to release {number}")).await?;
        self.conclude(record, &candidate, &record.state, baseline).await
    }

    /// The commit point of a canary.
    pub(crate) async fn begin_canary(
        &mut self,
        record: &AppRecord,
        candidate: &Candidate,
        rule: &CanaryRule,
    ) -> Result<(), Problem> {
        let transaction = Transaction::Canary {
            app: record.id.clone(),
            release: Box::new(candidate.release.clone()),
            rule: rule.clone(),
            at: self.installation.clock.now(),
        };
        let number = candidate.release.number;
        let text = format!("{} go to release {number}", rule.requests());
        self.until_stopped(async { Ok(()) }).await?;
        self.install_certificate().await?;
        let journal = self.journal;
        let commit = async { self.insist(transaction).await.map(|_| ((), text)).map_err(Problem::from) };
        journal.step(Step::Switch, commit).await
    }

    /// Takes the canary off the route, lets what it has under way finish, and removes its container. A change that is
    /// killed in between is finished by the next command.
    pub(crate) async fn end_canary(&mut self, record: &AppRecord, canary: &Canary, why: String) -> Result<(), Problem> {
        let serving = record.serving.map(|r| r.to_string()).unwrap_or_default();
        let transaction = Transaction::Abort {
            app: record.id.clone(),
            op: self.job.op.clone(),
            by: self.job.by.clone(),
            at: self.installation.clock.now(),
            why,
        };
        let journal = self.journal;
        let commit = async {
            let done = format!("release {serving} gets all requests again");
            self.insist(transaction).await.map(|_| ((), done)).map_err(Problem::from)
        };
        journal.step(Step::Switch, commit).await?;
        let release = &canary.release;
        let drain = async { self.drain(record, release, false).await.map(|text| ((), text)) };
        if let Err(problem) = journal.step(Step::Drain, drain).await {
            journal.warn("drain-failed", format!("release {} was not drained: {problem}", release.number));
        }
        let retire = async {
            self.put_away(release).await?;
            self.settle(record).await?;
            Ok::<_, Problem>(((), format!("release {} was removed", release.number)))
        };
        if let Err(problem) = journal.step(Step::Retire, retire).await {
            journal.warn("retire-failed", format!("the canary was not put away, the next command does it: {problem}"));
        }
        Ok(())
    }

    /// Stops a container, with its time to finish. One that is gone is fine.
    pub(crate) async fn put_away(&self, release: &Release) -> Result<(), Problem> {
        let engine = &*self.installation.engine;
        if engine.container(&release.container).await?.is_some() {
            engine.stop(&release.container, release.settings.stop_timeout.duration()).await?;
        }
        Ok(())
    }

    /// After a switch that ended a canary: what it had under way finishes, then it is stopped.
    pub(crate) async fn retire_canary(&mut self, before: &AppRecord) {
        let Some(canary) = &before.canary else { return };
        let release = &canary.release;
        let work = async {
            self.drain(before, release, false).await?;
            self.put_away(release).await
        };
        match work.await {
            Ok(()) => {
                let text = format!("the canary, release {}, ended with this change", release.number);
                self.journal.warn("canary-ended", text);
            }
            Err(problem) => {
                let text = format!("the canary, release {}, was not put away: {problem}", release.number);
                self.journal.warn("retire-failed", text);
            }
        }
    }
}
