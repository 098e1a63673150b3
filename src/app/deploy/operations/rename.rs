//! Another name for an app: its identity, its containers, its data and its history stay as they are.

use crate::deploy::context::Context;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::{AppName, Namespace};
use crate::model::problem::Problem;
use crate::plan::diff::{Action, Change, PlanView};
use crate::plan::naming::{note, notes};
use crate::ports::engine::EngineError;
use crate::progress::event::{Event, Outcome, Step};
use crate::progress::journal::Journal;
use crate::request::change::Ask;
use crate::settings::field::Cost;

/// What an app is to be called.
#[derive(Debug, PartialEq, Eq)]
struct Renaming {
    name: AppName,
    aliases: Vec<AppName>,
}

/// The app that goes by an alias.
pub(crate) fn owner_of<'a>(records: &'a [AppRecord], alias: &AppName) -> Result<&'a AppRecord, Problem> {
    let live = || records.iter().filter(|r| r.is_live());
    if let Some(record) = live().find(|r| r.aliases.contains(alias)) {
        return Ok(record);
    }
    let problem = Problem::rejected("no-such-alias", format!("no app has the alias `{alias}`"));
    Err(if live().any(|r| &r.name == alias) {
        problem.hint(format!("it is an app's own name; `once rename {alias} NEW` gives it another"))
    } else {
        problem.hint("`once list --json` shows the aliases of all apps")
    })
}

fn wished(records: &[AppRecord], record: &AppRecord, ask: &Ask) -> Result<Renaming, Problem> {
    let mut aliases = record.aliases.clone();
    match ask {
        Ask::Rename { to, .. } if to != &record.name => {
            free(records, record, to)?;
            aliases.retain(|alias| alias != to);
            aliases.push(record.name.clone());
            Ok(Renaming { name: to.clone(), aliases })
        }
        Ask::DropAlias { alias, .. } => {
            aliases.retain(|one| one != alias);
            Ok(Renaming { name: record.name.clone(), aliases })
        }
        _ => Ok(Renaming { name: record.name.clone(), aliases }),
    }
}

fn free(records: &[AppRecord], record: &AppRecord, to: &AppName) -> Result<(), Problem> {
    let mut others = records.iter().filter(|r| r.id != record.id && r.is_called(to));
    match others.next() {
        None => Ok(()),
        Some(other) if !other.is_live() => {
            let message = format!("the name {to} belongs to an app that was removed and whose data is kept");
            Err(Problem::rejected("name-kept", message)
                .hint(format!("to let its data go first: `once remove {to} --data`")))
        }
        Some(other) if &other.name == to => {
            Err(Problem::rejected("name-taken", format!("there is an app {to} already"))
                .hint(format!("`once show {to}` shows it; it can be given another name first")))
        }
        Some(other) => Err(Problem::rejected("name-taken", format!("{to} is an alias of the app {}", other.name))
            .hint(format!("`once rename --drop-alias {to}` takes it from that app"))),
    }
}

/// What changes and, as much, what does not.
fn view(namespace: &Namespace, record: &AppRecord, wish: &Renaming) -> PlanView {
    let mut changes = Vec::new();
    let mut change = |field: &str, from: Option<&AppName>, to: Option<&AppName>| {
        let (from, to) = (from.map(ToString::to_string), to.map(ToString::to_string));
        changes.push(Change { field: field.to_owned(), from, to, cost: Cost::Record });
    };
    if wish.name != record.name {
        change("name", Some(&record.name), Some(&wish.name));
    }
    for gone in record.aliases.iter().filter(|a| !wish.aliases.contains(a)) {
        change("alias", Some(gone), None);
    }
    for new in wish.aliases.iter().filter(|a| !record.aliases.contains(a)) {
        change("alias", None, Some(new));
    }
    let action = if changes.is_empty() { Action::Nothing } else { Action::Record };
    PlanView { action, changes, canary: None, remarks: remarks(namespace, record, wish) }
}

fn remarks(namespace: &Namespace, record: &AppRecord, wish: &Renaming) -> Vec<String> {
    if wish.name == record.name {
        return Vec::new();
    }
    let mut told = Vec::new();
    if let Some(release) = record.serving_release() {
        told.push(format!(
            "no container is touched: {} goes on serving; the next deploy makes one named after {}",
            release.container, wish.name
        ));
        let hosts: Vec<String> = release.settings.hosts.iter().map(ToString::to_string).collect();
        told.push(format!("its hostnames stay: {}", hosts.join(", ")));
    }
    told.push(format!("its data stays in the volume {}", namespace.volume(record.volumes_of(), None)));
    told.push("its history, secrets and releases stay".to_owned());
    told.push(format!("`{0}` goes on meaning this app until `once rename --drop-alias {0}`", record.name));
    told
}

fn announce(journal: &Journal, record: &AppRecord, plan: &PlanView) {
    let host = record.settings().map_or_else(|| record.name.to_string(), |s| s.primary_host().to_string());
    let steps = if plan.action == Action::Nothing { vec![] } else { vec![Step::Lock] };
    journal.write(Event::Planned { plan: plan.clone(), host, from: record.serving, steps });
}

/// Tells, and does nothing.
pub(crate) fn preview(
    namespace: &Namespace,
    journal: &Journal,
    records: &[AppRecord],
    name: &AppName,
    ask: &Ask,
) -> Result<Outcome, Problem> {
    if let Some(record) = records.iter().find(|r| r.is_live() && &r.name == name) {
        announce(journal, record, &view(namespace, record, &wished(records, record, ask)?));
    }
    Ok(Outcome::Unchanged)
}

/// Gives the app its names: one transaction, and a note on the engine for the day the ledger is lost.
pub(crate) async fn rename(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let records = context.proxy.snapshot().await?.apps;
    let Some(record) = context.record().await? else {
        return Err(Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)));
    };
    let wish = wished(&records, &record, &context.job.ask)?;
    let plan = view(&context.installation.namespace, &record, &wish);
    announce(context.journal, &record, &plan);
    context.report.serving = record.serving;
    if plan.action == Action::Nothing {
        return Ok(Outcome::Unchanged);
    }
    let Renaming { name, aliases } = wish;
    let applied = context.apply(Transaction::Rename { app: record.id.clone(), name, aliases }).await?;
    let renamed = applied.record.unwrap_or(record);
    context.journal.about(&renamed.name);
    if let Err(error) = write_note(context, &renamed).await {
        let text = format!(
            "the names could not be noted on the engine: if the ledger is lost before the next deploy, \
             the app comes back under the name its containers carry: {error}"
        );
        context.journal.warn("name-not-noted", text);
    }
    Ok(Outcome::Updated)
}

async fn write_note(context: &Context<'_>, record: &AppRecord) -> Result<(), EngineError> {
    let (engine, namespace) = (&*context.installation.engine, &context.installation.namespace);
    let (name, labels) = note(namespace, record);
    engine.ensure_volume(&name, &labels).await?;
    let volumes = engine.volumes(namespace).await?;
    for older in notes(&volumes, &record.id).into_iter().filter(|v| v.name != name) {
        engine.remove_volume(&older.name).await?;
    }
    Ok(())
}
