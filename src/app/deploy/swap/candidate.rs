//! A candidate: a release on its way, with everything that has to be undone if it does not get there.

use super::data;
use crate::deploy::context::Context;
use crate::deploy::next_release::Wish;
use crate::deploy::preflight::{platform, preflight};
use crate::ledger::{AppRecord, Claim, Transaction};
use crate::model::name::ReleaseNumber;
use crate::model::problem::Problem;
use crate::model::release::{Release, ReleaseStatus};
use crate::model::volumes::DeclaredVolumes;
use crate::plan::fingerprint;
use crate::plan::guard;
use crate::plan::resolve::{self};
use crate::ports::engine::EngineError;
use crate::progress::event::{Event, Outcome, Step};
use crate::request::change::Ask;
use crate::settings::{MountSource, Settings};

/// What was made on the way, in the order it is undone.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) container: Option<String>,
    pub(crate) volumes: Vec<String>,
}

/// A release whose container exists but does not serve.
pub(crate) struct Candidate {
    pub(crate) release: Release,
    /// The engine's id of its container.
    pub(crate) container: String,
    /// Ports its image exposes, to look at when the routed one refuses.
    pub(crate) exposed: Vec<u16>,
}

impl Context<'_> {
    /// Reserves a release number: durable, under the lock, burnt on failure.
    pub(crate) async fn begin(&mut self, record: &AppRecord, wish: &Wish) -> Result<ReleaseNumber, Problem> {
        let applied = self
            .apply(Transaction::Begin {
                app: record.id.clone(),
                op: self.job.op.clone(),
                by: self.job.by.clone(),
                at: self.installation.clock.now(),
                swap: wish.settings.swap,
                claim: Claim::of(&wish.settings),
            })
            .await?;
        let number = applied.release.unwrap_or(ReleaseNumber(record.next_release));
        self.report.release = Some(number);
        self.journal.write(Event::Numbered { release: number });
        Ok(number)
    }

    /// Image, volumes and container, without starting it. What was made is noted in `made` as it comes.
    pub(crate) async fn prepare(
        &mut self,
        record: &AppRecord,
        number: ReleaseNumber,
        wish: &Wish,
        made: &mut Made,
    ) -> Result<Candidate, Problem> {
        let engine = &*self.installation.engine;
        preflight(engine, &wish.settings).await?;
        let pulling = resolve::pull(engine, &wish.resolved, self.journal);
        let image = self.journal.step(Step::Pull, self.until_stopped(pulling)).await?;
        let inspected = engine.image(&image.id).await?.ok_or_else(|| {
            Problem::new(Outcome::Environment, "image-gone", format!("the image {} went away", wish.settings.image))
                .hint("somebody removed it meanwhile; the same command again fetches it")
        })?;
        platform(engine, &wish.settings, &inspected.os, &inspected.arch).await?;
        if let Ask::Deploy(deploy) = &self.job.ask
            && wish.resolved.pull.is_some()
        {
            // Nobody could look at it before it was here.
            let records = self.proxy.snapshot().await?.apps;
            guard::image(&records, (&record.name, &record.aliases), &inspected.labels, &deploy.beside)?;
        }
        let port = fingerprint::port(&wish.settings, &inspected);
        let declared =
            data::declared(self.installation, Some(record), record.volumes_of(), &wish.settings, &inspected).await?;
        let settings = self.settle_swap(record, wish, &declared)?;
        self.make_volumes(record, &settings, &declared, made).await?;
        let revision = wish.revision.clone().or_else(|| inspected.labels.get(REVISION_LABEL).cloned());
        let mut release = Release {
            number,
            op: self.job.op.clone(),
            image,
            settings,
            container: String::new(),
            port,
            created_at: self.installation.clock.now(),
            by: self.job.by.clone(),
            revision,
            rollback_to: wish.rollback_to,
            status: ReleaseStatus::Serving,
            took_ms: 0,
            container_kept: true,
            adopted: false,
            declared_volumes: declared,
        };
        let kept = match &wish.kept_container {
            Some(name) => engine.container(name).await?.filter(|c| data::has_volumes(c, &release.declared_volumes)),
            None => None,
        };
        let container = match kept {
            Some(kept) => {
                release.container.clone_from(&kept.name);
                // A rollback to the container of others goes on with it: it has none of our labels still.
                release.adopted = record.has_adopted(&kept.name);
                kept.name
            }
            None => {
                let (name, id) = self.create_container(record, &release, &inspected.user, made).await?;
                release.container = name;
                id
            }
        };
        Ok(Candidate { release, container, exposed: inspected.exposed })
    }

    pub(in crate::deploy) async fn make_volumes(
        &self,
        record: &AppRecord,
        settings: &Settings,
        declared: &DeclaredVolumes,
        made: &mut Made,
    ) -> Result<(), Problem> {
        let owner = self.owner(record);
        let engine = &*self.installation.engine;
        for text in data::gone(engine, Some(record), declared).await?.into_values() {
            self.journal.warn("volume-gone", text);
        }
        for name in data::to_make(owner, settings, declared) {
            if let Some(volume) = engine.volume(&name).await? {
                data::of_another_app(&volume, &record.id)?;
                continue;
            }
            // Noted before it is asked for: an answer that gets lost may have been a yes.
            made.volumes.push(name.clone());
            if !engine.ensure_volume(&name, &owner.labels("data")).await? {
                made.volumes.pop();
            }
        }
        Ok(())
    }

    /// The container's name and id.
    async fn create_container(
        &self,
        record: &AppRecord,
        release: &Release,
        user: &str,
        made: &mut Made,
    ) -> Result<(String, String), Problem> {
        let spec = fingerprint::container_spec(
            self.owner(record),
            release.number,
            &release.settings,
            &release.image,
            release.port,
            &record.generated,
            &release.declared_volumes,
        );
        // Noted before it is asked for: an answer that gets lost may have been a yes.
        made.container = Some(spec.name.clone());
        match self.installation.engine.create(&spec).await {
            Ok(id) => {
                made.container = Some(id.clone());
                self.give_volumes(&id, &spec, user, made).await;
                Ok((spec.name, id))
            }
            Err(error) => {
                if matches!(error, EngineError::Conflict { .. }) {
                    // Somebody else's.
                    made.container = None;
                }
                let failed = matches!(error, EngineError::Failed { .. });
                let problem = Problem::from(error);
                Err(if failed && has_binds(&release.settings) {
                    problem.hint("do the host paths of its volumes exist?")
                } else {
                    problem
                })
            }
        }
    }

    /// Undoes what was made before the switch. What cannot be undone now is left to the next command, and said.
    pub(crate) async fn abandon(
        &mut self,
        record: &AppRecord,
        number: ReleaseNumber,
        made: Made,
        failed: Option<Release>,
        problem: &Problem,
    ) {
        if let Some(id) = &made.container
            && let Err(error) = self.take_away(record, id).await
        {
            self.journal.warn("candidate-left", format!("release {number}'s container could not be removed: {error}"));
            return;
        }
        if record.releases.is_empty() {
            let kept = self.remove_unused(record, made.volumes, failed.as_ref()).await;
            if !kept.is_empty() {
                // The record stays too: a volume without one would be taken for another app's.
                let name = &record.name;
                let text = format!(
                    "{} may hold what {name} wrote, and stays: the next deploy of {name} goes on with it, `once remove \
                     {name} --data` lets it go",
                    kept.join(", ")
                );
                self.journal.warn("volume-left", text);
                self.put_back(record, failed, problem).await;
                return;
            }
            if let Err(error) = self.insist(Transaction::Forget { app: record.id.clone() }).await {
                self.journal.warn("record-left", format!("the record of the failed app could not be removed: {error}"));
            }
            return;
        }
        self.put_back(record, failed, problem).await;
    }

    /// The change is over, and what it made is remembered as failed; an app that has nothing to serve is put away.
    async fn put_back(&mut self, record: &AppRecord, failed: Option<Release>, problem: &Problem) {
        let status = ReleaseStatus::Failed { why: problem.message.clone() };
        let took_ms = self.took_ms();
        let release = failed.map(|r| Box::new(Release { status, took_ms, container_kept: false, ..r }));
        let undo = Transaction::Abandon { app: record.id.clone(), op: self.job.op.clone(), release };
        if let Err(error) = self.insist(undo).await {
            self.journal.warn("intent-left", format!("the failed change is still recorded as under way: {error}"));
        }
        if record.serving.is_none() {
            // An app that was brought back with its kept data goes back to where it was.
            let at = self.installation.clock.now();
            if let Err(error) = self.insist(Transaction::Remove { app: record.id.clone(), at }).await {
                self.journal
                    .warn("record-left", format!("the app that was brought back could not be put away: {error}"));
            }
        }
    }
}

/// Where builders put the source revision, by the OCI's image specification.
const REVISION_LABEL: &str = "org.opencontainers.image.revision";

fn has_binds(settings: &Settings) -> bool {
    settings.volumes.values().any(|source| matches!(source, MountSource::Host { .. }))
}
