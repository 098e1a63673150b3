//! The way back from adopting: the container an app was taken over from is nobody's app any more and runs, and whatever of
//! ours served in its place goes. Whoever sent it requests before does so again.

use std::sync::Arc;

use crate::deploy::context::Context;
use crate::host::installation::Installation;
use crate::ledger::{AppRecord, Transaction};
use crate::model::name::AppName;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::plan::diff::{Action, PlanView};
use crate::plan::volumes;
use crate::ports::engine::{ContainerDetail, Engine, Role, Volume};
use crate::progress::event::{Event, Outcome, Step};
use crate::progress::journal::Journal;
use crate::settings::Swap;

/// What there is to go back to.
struct Way<'a> {
    /// The release that is the container of others.
    release: &'a Release,
    container: ContainerDetail,
    /// Another release serves in its place.
    replaced: bool,
}

impl<'a> Way<'a> {
    async fn of(engine: &dyn Engine, record: &'a AppRecord) -> Result<Self, Problem> {
        let name = &record.name;
        let Some(release) = record.releases.iter().rev().find(|r| r.adopted) else {
            return Err(Problem::rejected(
                "not-adopted",
                format!("{name} was not taken over from anybody's container"),
            )
            .hint(format!("`once export {name}` writes it as a script of `docker run`"))
            .hint(format!("`once remove {name}` removes it, and its data stays")));
        };
        let Some(container) = engine.container(&release.container).await? else {
            let message = format!("the container {} that {name} was taken over from is gone", release.container);
            return Err(Problem::rejected("container-gone", message)
                .hint(format!("`once export {name}` writes it as a script of `docker run`")));
        };
        Ok(Self { release, container, replaced: record.serving != Some(release.number) })
    }

    /// Whether both may run at the same time.
    fn overlaps(&self, record: &AppRecord) -> bool {
        let swap = |release: &Release| volumes::swap(&release.settings, &release.declared_volumes);
        record.serving_release().map(swap).is_none_or(|swap| swap == Swap::Overlap)
    }

    fn announce(&self, journal: &Journal, installation: &Installation, record: &AppRecord) {
        let (theirs, name) = (&self.container.name, &record.name);
        let mut remarks = vec![match self.replaced {
            false => format!("the container {theirs} runs on as it is; {name} is no app any more"),
            true => format!("the container {theirs} is started again; the containers of {name} go"),
        }];
        let hosts: Vec<String> =
            record.settings().map(|s| s.hosts.iter().map(ToString::to_string).collect()).unwrap_or_default();
        remarks.push(format!(
            "our proxy knows {} no longer: who led requests to {theirs} before has to",
            hosts.join(", ")
        ));
        if self.replaced {
            let from = self.release.number;
            remarks
                .push(format!("what was deployed since release {from} is undone: its image and settings were others"));
            if !self.overlaps(record) {
                remarks.push("nobody is answered between the end of ours and its start".to_owned());
            }
        }
        remarks.push("its volumes stay where they are".to_owned());
        remarks.push("if our proxy has the ports of theirs: `once proxy handback CONTAINER` first".to_owned());
        remarks.push(format!(
            "it leaves the network {}; the engine goes on starting it again",
            installation.namespace.network()
        ));
        remarks.push(format!("to have it again: `once adopt {theirs}`"));
        journal.write(Event::Planned {
            plan: PlanView { action: Action::Record, changes: Vec::new(), canary: None, remarks },
            host: hosts.into_iter().next().unwrap_or_default(),
            from: record.serving,
            steps: if self.replaced { vec![Step::Lock, Step::Start, Step::Retire] } else { vec![Step::Lock] },
        });
    }
}

/// Tells, and does nothing.
pub(crate) async fn preview(
    installation: &Installation,
    journal: &Journal,
    records: &[AppRecord],
    name: &AppName,
) -> Result<Outcome, Problem> {
    if let Some(record) = records.iter().find(|r| r.is_live() && &r.name == name) {
        Way::of(&*installation.engine, record).await?.announce(journal, installation, record);
    }
    Ok(Outcome::Unchanged)
}

/// Lets the app go.
pub(crate) async fn give_back(context: &mut Context<'_>) -> Result<Outcome, Problem> {
    let Some(record) = context.record().await? else {
        return Err(Problem::rejected("no-such-app", format!("there is no app `{}`", context.name)));
    };
    let engine = Arc::clone(&context.installation.engine);
    let way = Way::of(&*engine, &record).await?;
    way.announce(context.journal, context.installation, &record);
    context.report.serving = record.serving;
    let serving = record.serving_release().filter(|_| way.replaced);
    if !way.container.running {
        let ours = serving.filter(|_| !way.overlaps(&record));
        start(context, &*engine, &way, ours).await?;
    }
    // From here on it is not undone: theirs runs, and whatever is left of ours the next command finds by its labels.
    context.apply(Transaction::Remove { app: record.id.clone(), at: context.installation.clock.now() }).await?;
    let journal = context.journal;
    let retire = async {
        let mut count = 0;
        for ours in context.containers(&record).await?.into_iter().filter(|c| c.id != way.container.id) {
            let grace = record.settings().map(|s| s.stop_timeout.duration()).unwrap_or_default();
            engine.stop(&ours.id, grace).await?;
            context.take_away(&record, &ours.id).await?;
            count += 1;
        }
        Ok::<_, Problem>(((), format!("{count} containers of ours removed")))
    };
    journal.step(Step::Retire, retire).await?;
    let network = context.installation.namespace.network();
    if way.container.networks.len() > 1 || way.replaced {
        engine.leave_network(&network, &way.container.id).await?;
    }
    let theirs: Vec<String> = way.container.volumes.values().cloned().collect();
    if record.owned_volumes.iter().any(|volume| theirs.contains(&volume.name)) {
        context.apply(Transaction::Disown { app: record.id.clone(), volumes: theirs }).await?;
    }
    forget(context, &*engine, &record, way.replaced).await?;
    context.report.serving = None;
    Ok(Outcome::Updated)
}

/// Starts theirs; ours are stopped first where the two must never run at once, and serve again if theirs does not start.
async fn start(
    context: &Context<'_>,
    engine: &dyn Engine,
    way: &Way<'_>,
    first: Option<&Release>,
) -> Result<(), Problem> {
    let work = async {
        if let Some(ours) = first {
            engine.stop(&ours.container, ours.settings.stop_timeout.duration()).await?;
        }
        let started = engine.start(&way.container.id).await;
        if let (Err(_), Some(ours)) = (&started, first) {
            engine.start(&ours.container).await?;
        }
        started?;
        Ok::<_, Problem>(((), way.container.name.clone()))
    };
    context.journal.step(Step::Start, context.until_stopped(work)).await
}

/// The record goes, so that its name and hostnames are free, unless a volume of ours may hold what the app wrote since.
async fn forget(
    context: &mut Context<'_>,
    engine: &dyn Engine,
    record: &AppRecord,
    replaced: bool,
) -> Result<(), Problem> {
    let namespace = &context.installation.namespace;
    let volumes = engine.volumes(namespace).await?;
    let own = volumes.iter().filter(|v| v.identity.as_ref().is_some_and(|i| i.id.as_ref() == Some(&record.id)));
    let own: Vec<_> = own.collect();
    let is_data = |v: &&&Volume| v.identity.as_ref().is_some_and(|i| i.role == Role::Data);
    if replaced && own.iter().any(|v| is_data(&v)) {
        let names: Vec<&str> = own.iter().filter(is_data).map(|v| v.name.as_str()).collect();
        let text = format!(
            "{} may hold what {} wrote meanwhile, and stays: `once remove {} --data` lets it go",
            names.join(", "),
            record.name,
            record.name
        );
        context.journal.warn("data-kept", text);
        return Ok(());
    }
    // A release of ours may have run for a while before its watch went back.
    let data: Vec<String> = own.iter().filter(is_data).map(|v| v.name.clone()).collect();
    let last = record.releases.iter().rev().find(|r| !r.adopted).cloned();
    let kept = context.remove_unused(record, data, last.as_ref()).await;
    if !kept.is_empty() {
        let (names, name) = (kept.join(", "), &record.name);
        let text = format!("{names} may hold what {name} wrote, and stays: `once remove {name} --data` lets it go");
        context.journal.warn("data-kept", text);
        return Ok(());
    }
    for note in own.iter().filter(|v| !is_data(v)) {
        engine.remove_volume(&note.name).await?;
    }
    context.apply(Transaction::Forget { app: record.id.clone() }).await?;
    Ok(())
}
