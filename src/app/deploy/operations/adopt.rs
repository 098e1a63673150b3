//! Taking back what runs already: an app whose record was lost, and what dead processes left behind.

use super::take_over;
use crate::deploy::context::Context;
use crate::doctor::rebuild::{Rebuilt, Remains, rebuild};
use crate::host::installation::Installation;
use crate::import::{Adoptable, adoptable};
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::plan::naming::{names, volume_name};
use crate::ports::engine::{Container, Role, Volume};
use crate::progress::event::{Event, Outcome, Step};
use crate::progress::journal::Journal;
use crate::request::change::{AdoptWish, Ask};
use crate::settings::label;

/// The app a container belongs to: by the note of its names, else by the labels of its newest container; or by what is
/// read off one of others.
pub(crate) async fn whose(
    installation: &Installation,
    records: &[AppRecord],
    container: &str,
    wish: &AdoptWish,
) -> Result<AppName, Problem> {
    let found = find_container(installation, container).await?;
    if let Some(record) = owner(records, &found) {
        return Ok(record.name.clone());
    }
    let Some(identity) = &found.identity else {
        return Ok(take_over::look(installation, &found.id, wish, records).await?.takeover.name);
    };
    let containers = installation.engine.containers(&installation.namespace).await?;
    let volumes = installation.engine.volumes(&installation.namespace).await?;
    let names = identity.id.as_ref().and_then(|id| names(id, &containers, &volumes));
    names.map(|names| names.name).ok_or_else(|| {
        let message = format!("the container {} carries no app's name", container.escape_debug());
        Problem::rejected("not-an-app", message)
    })
}

/// The app that has this container of others taken over.
fn owner<'a>(records: &'a [AppRecord], container: &Container) -> Option<&'a AppRecord> {
    records.iter().find(|r| r.is_live() && container.identity.is_none() && r.has_adopted(&container.name))
}

/// What comes of one container when several are adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// The container.
    pub container: String,
    /// Who made it, for people.
    pub maker: &'static str,
    /// What its app is called; or why there will be none.
    pub app: Result<AppName, Problem>,
}

/// What comes of adopting all that can be adopted without being named: each gets a name that neither an app nor one
/// before it has, and is refused what one of these has. Nothing is done.
///
/// # Errors
/// The engine or the proxy does not answer.
pub async fn plan_adoptions(installation: &Installation) -> Result<Vec<Adoption>, Problem> {
    let containers = installation.engine.all_containers().await?;
    let mut records = match installation.proxy().await? {
        Some(proxy) => proxy.snapshot().await?.apps,
        None => Vec::new(),
    };
    let mut planned = Vec::new();
    for (number, Adoptable { container, maker }) in
        adoptable(&containers, &installation.namespace, &records).into_iter().enumerate()
    {
        let app = match promise(installation, &records, &container, number).await {
            Ok((name, record)) => {
                records.extend(record);
                Ok(name)
            }
            Err(problem) if problem.outcome == Outcome::Environment => return Err(problem),
            Err(problem) => Err(problem),
        };
        planned.push(Adoption { container, maker, app });
    }
    Ok(planned)
}

/// The app's name, and where it is new the record it would get.
async fn promise(
    installation: &Installation,
    records: &[AppRecord],
    container: &str,
    number: usize,
) -> Result<(AppName, Option<AppRecord>), Problem> {
    let found = find_container(installation, container).await?;
    let wish = AdoptWish::default();
    if found.identity.is_some() {
        return Ok((whose(installation, records, container, &wish).await?, None));
    }
    let found = take_over::look(installation, &found.id, &wish, records).await?;
    found.guard(installation, records).await?;
    Ok((found.takeover.name.clone(), Some(found.promise(installation, number))))
}

/// Tells what would be taken over; nothing is done.
pub(crate) async fn preview(
    installation: &Installation,
    journal: &Journal,
    records: &[AppRecord],
    container: &str,
    wish: &AdoptWish,
) -> Result<Outcome, Problem> {
    let found = find_container(installation, container).await?;
    if found.identity.is_none() && owner(records, &found).is_none() {
        let found = take_over::look(installation, &found.id, wish, records).await?;
        found.guard(installation, records).await?;
        found.announce(journal);
    }
    Ok(Outcome::Unchanged)
}

/// A container that can be adopted, by its name or the beginning of its id.
///
/// # Errors
/// There is none, or it is no app's. Or the engine does not answer.
pub async fn find_container(installation: &Installation, container: &str) -> Result<Container, Problem> {
    let all = installation.engine.all_containers().await?;
    let shown = container.escape_debug();
    let Some(found) =
        all.into_iter().find(|c| c.name == container || (container.len() >= 12 && c.id.starts_with(container)))
    else {
        return Err(Problem::rejected("no-such-container", format!("there is no container `{shown}` on this engine"))
            .hint("`once doctor` names those that no app knows, `docker ps` all"));
    };
    match &found.identity {
        Some(identity) if identity.namespace != installation.namespace => {
            let other = &identity.namespace;
            Err(Problem::rejected("other-namespace", format!("the container `{shown}` is of the namespace `{other}`"))
                .hint(format!("`once --namespace {other} adopt {shown}`")))
        }
        Some(identity) if identity.role != Role::Web => {
            Err(Problem::rejected("not-an-app", format!("the container `{shown}` is no app's: it cannot be adopted")))
        }
        _ => Ok(found),
    }
}

/// Makes the record again. The containers are only looked at.
pub(crate) async fn adopt(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let Ask::Adopt { container, wish } = &context.job.ask else { return Ok(Outcome::Unchanged) };
    let chosen = find_container(context.installation, container).await?;
    if chosen.identity.is_none() {
        if context.record().await?.is_some_and(|record| record.has_adopted(&chosen.name)) {
            let serving = context.record().await?.and_then(|record| record.serving);
            context.report.serving = serving;
            return Ok(Outcome::Unchanged);
        }
        // Its name was chosen before the lock of that name was taken.
        let wish = AdoptWish { name: Some(context.name.clone()), ..(**wish).clone() };
        let found = take_over::look(context.installation, &chosen.id, &wish, &[]).await?;
        return Box::pin(take_over::take_over(context, found)).await;
    }
    let id = chosen.identity.as_ref().and_then(|i| i.id.clone());
    if let Some(record) = context.proxy.record(&context.name).await?.filter(AppRecord::is_live) {
        if Some(&record.id) == id.as_ref() && record.release_of(&chosen.name).is_some() {
            return Ok(Outcome::Unchanged);
        }
        let message = format!("the name {} belongs to another app, which the ledger knows", record.name);
        return Err(Problem::new(Outcome::Refused, "name-taken", message)
            .hint(format!("`docker inspect {}` shows its labels; `once show {}` the app", chosen.name, record.name)));
    }
    let engine = &*context.installation.engine;
    let mut remains = Vec::new();
    let containers = engine.containers(&context.installation.namespace).await?;
    for container in containers.iter().cloned() {
        let same = container.identity.as_ref().is_some_and(|i| i.role == Role::Web && i.id == id);
        let Some(detail) = (if same { engine.container(&container.id).await? } else { None }) else { continue };
        let image = engine.image(&detail.image_id).await?;
        let settings = label::read(&container.labels);
        remains.push(Remains { container, detail, image, settings });
    }
    let volumes = engine.volumes(&context.installation.namespace).await?;
    let fresh = context.installation.entropy.secrets();
    let now = context.installation.clock.now();
    let mut rebuilt = rebuild(remains, &context.job.op, &context.job.by, now, fresh).map_err(|error| {
        Problem::new(Outcome::Failed, "cannot-rebuild", "no record can be made of what is left").because(&error)
    })?;
    give_names(context, &mut rebuilt, &containers, &volumes).await?;
    for text in rebuilt.lost {
        context.journal.warn("lost", text);
    }
    let create = Transaction::Create { record: Box::new(rebuilt.record) };
    let applied = context.journal.step(Step::Switch, async {
        let applied = context.proxy.apply(context.lease.fence(), create).await?;
        let text = match applied.record.as_ref().and_then(|r| r.serving) {
            Some(serving) => format!("requests go to release {serving}, which was running"),
            None => "nothing of it serves".to_owned(),
        };
        Ok::<_, Problem>((applied, text))
    });
    let applied = applied.await?;
    context.report.serving = applied.record.as_ref().and_then(|r| r.serving);
    Ok(Outcome::Created)
}

/// The names it went by when the ledger was lost, as far as anything tells.
async fn give_names(
    context: &Context<'_>,
    rebuilt: &mut Rebuilt,
    containers: &[Container],
    volumes: &[Volume],
) -> Result<(), Problem> {
    let record = &mut rebuilt.record;
    let Some(names) = names(&record.id, containers, volumes) else { return Ok(()) };
    let others = context.proxy.snapshot().await?.apps;
    let free = |alias: &AppName| !others.iter().any(|r| r.is_live() && r.id != record.id && r.is_called(alias));
    record.aliases = names.aliases.into_iter().filter(free).collect();
    record.name = names.name;
    let volume_name = volume_name(&context.installation.namespace, &record.id, volumes);
    record.volume_name = volume_name.filter(|name| *name != record.name);
    if !names.noted && !record.aliases.is_empty() {
        let list: Vec<&str> = record.aliases.iter().map(AppName::as_str).collect();
        let (list, name) = (list.join(", "), &record.name);
        rebuilt.lost.push(format!(
            "what was made under {list} is now of {name}: whether these names had been dropped is not known, they are its aliases"
        ));
    }
    Ok(())
}

/// What was left behind has been mended when this is called; what no release needs goes now.
pub(crate) async fn tidy(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let Some(record) = context.record().await? else {
        return Err(Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)));
    };
    let mut removed = Vec::new();
    for container in context.containers(&record).await?.into_iter().filter(|c| !record.needs(&c.name)) {
        context.take_away(&record, &container.id).await?;
        removed.push(container.name);
    }
    if removed.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    context.journal.write(Event::Tidied { text: format!("removed what no release needs: {}", removed.join(", ")) });
    Ok(Outcome::Updated)
}
