//! Making an app of a container of others while it runs on: joined to our network, asked whether it answers, recorded as
//! release 1. The record is the commit point; before it all is undone.

use futures_util::StreamExt as _;

use crate::deploy::context::Context;
use crate::deploy::swap::candidate::Made;
use crate::deploy::swap::healthy::probe_host;
use crate::doctor::rebuild::digest_of;
use crate::host::installation::Installation;
use crate::import::{self, ONCE_DATA, Sighting, Takeover, kamal};
use crate::ledger::{AppRecord, Claim, Ledger, Transaction};
use crate::model::image::ResolvedImage;
use crate::model::name::{AppId, AppName, OpId, ReleaseNumber};
use crate::model::problem::Problem;
use crate::model::release::{Caller, Release, ReleaseStatus};
use crate::model::units::{Port, UrlPath};
use crate::model::volumes::{DeclaredVolumes, OwnedVolume, is_anonymous};
use crate::plan::diff::{Action, Wished, plan};
use crate::plan::guard::{self, Newcomer};
use crate::ports::engine::{EngineError, Restart};
use crate::ports::proxy::{ProbeAnswer, ProbeRequest, ProxyError};
use crate::progress::event::{Event, Outcome, Step};
use crate::progress::journal::Journal;
use crate::request::change::AdoptWish;
use crate::settings::MountSource;

/// How long what runs already may take to answer on each path that is tried.
const ANSWER_MS: u64 = 5_000;

/// The state file of a proxy has a kilobyte a service.
const STATE_MOST: usize = 8 << 20;

/// A container that was looked at, and what is to come of it.
pub(in crate::deploy) struct Found {
    pub(in crate::deploy) takeover: Takeover,
    /// Its name.
    pub(in crate::deploy) container: String,
    id: String,
    image: ResolvedImage,
    /// It was in our network before.
    joined: bool,
}

/// Looks at a container of others. Where the wish names no app, it gets the best name that none of the records has.
pub(in crate::deploy) async fn look(
    installation: &Installation,
    id: &str,
    wish: &AdoptWish,
    records: &[AppRecord],
) -> Result<Found, Problem> {
    let engine = &*installation.engine;
    let absent = || Problem::from(EngineError::Absent { what: format!("container {id}") });
    let origin = engine.origin(id).await?.ok_or_else(absent)?;
    let image = engine.image(&origin.image_id).await?.ok_or_else(|| {
        let message = format!("the image of `{}` is not on the engine any more", origin.name.escape_debug());
        Problem::rejected("image-gone", message).hint("the next deploy could not go on from it")
    })?;
    let data = match origin.mounts.get(ONCE_DATA) {
        Some(crate::settings::MountSource::External { name }) => engine.volume(name).await?,
        _ => None,
    };
    let mut siblings = Vec::new();
    let mut routes = None;
    if let Some(service) = origin.labels.get("service") {
        let all = engine.all_containers().await?;
        let same = |key: &str, labels: &std::collections::BTreeMap<String, String>| {
            labels.get(key).map_or("", String::as_str) == origin.labels.get(key).map_or("", String::as_str)
        };
        let beside = all.iter().filter(|c| c.running && c.id != origin.id && c.labels.get("service") == Some(service));
        siblings = beside
            .filter(|c| same("destination", &c.labels))
            .filter_map(|c| Some((c.name.clone(), c.labels.get("role")?.clone())))
            .collect();
        if let Some(proxy) = all.iter().find(|c| kamal::is_proxy(c)) {
            routes = engine.read_file(&proxy.id, kamal::STATE, STATE_MOST).await?;
        }
    }
    let seen = Sighting {
        namespace: &installation.namespace,
        origin: &origin,
        image: &image,
        data: data.as_ref(),
        routes: routes.as_deref(),
        siblings: &siblings,
    };
    let name = free(installation, import::names(seen, wish)?, records).await?;
    let takeover = import::read(seen, wish, name)?;
    let digest = digest_of(&image, takeover.settings.image.repository());
    Ok(Found {
        container: origin.name.clone(),
        joined: origin.networks.contains(&installation.namespace.network()),
        id: origin.id,
        image: ResolvedImage { digest, id: origin.image_id },
        takeover,
    })
}

/// The first name that nobody has; where there is none, the first, which is then refused with the reason.
async fn free(installation: &Installation, names: Vec<AppName>, records: &[AppRecord]) -> Result<AppName, Problem> {
    for name in &names {
        let taken = records.iter().any(|r| r.is_called(name));
        if !taken && may_be_called(installation, name).await? {
            return Ok(name.clone());
        }
    }
    let nameless = || Problem::rejected("invalid-name", "nothing says its name").hint("give one with `--name`");
    names.into_iter().next().ok_or_else(nameless)
}

async fn may_be_called(installation: &Installation, name: &AppName) -> Result<bool, Problem> {
    match installation.check_new_name(name).await {
        Ok(()) => Ok(true),
        Err(problem) if problem.outcome == Outcome::Refused => Ok(false),
        Err(problem) => Err(problem),
    }
}

impl Found {
    /// The record that it would get: what others that are adopted with it must not take.
    pub(in crate::deploy) fn promise(&self, installation: &Installation, number: usize) -> AppRecord {
        let now = installation.clock.now();
        let generated = installation.entropy.secrets();
        let mut record =
            AppRecord::new(AppId(format!("promised-{number}")), self.takeover.name.clone(), generated, now);
        let by = Caller { user: String::new(), host: String::new(), command: "adopt".to_owned() };
        let release = self.release((OpId(String::new()), by), now, 0);
        record.serving = Some(release.number);
        record.releases.push(release);
        record
    }

    fn release(&self, (op, by): (OpId, Caller), now: jiff::Timestamp, took_ms: u64) -> Release {
        Release {
            number: ReleaseNumber(1),
            op,
            image: self.image.clone(),
            settings: self.takeover.settings.clone(),
            container: self.container.clone(),
            port: self.port(),
            created_at: now,
            by,
            revision: None,
            rollback_to: None,
            status: ReleaseStatus::Serving,
            took_ms,
            container_kept: true,
            adopted: true,
            declared_volumes: DeclaredVolumes::new(),
        }
    }

    fn port(&self) -> Port {
        self.takeover.settings.port.unwrap_or(Port::HTTP)
    }

    /// Name and hostnames must be nobody else's, now or lately.
    pub(in crate::deploy) async fn guard(
        &self,
        installation: &Installation,
        records: &[AppRecord],
    ) -> Result<(), Problem> {
        installation.check_new_name(&self.takeover.name).await?;
        let namespace = &installation.namespace;
        let (name, settings) = (&self.takeover.name, &self.takeover.settings);
        if let Some(record) = records.iter().find(|r| r.is_called(name)) {
            let (what, hint) = match record.is_live() {
                true => ("belongs to another app", format!("`once show {name}` shows it")),
                false => ("belonged to an app whose data is kept", format!("`once remove {name} --data` lets it go")),
            };
            return Err(Problem::new(Outcome::Refused, "name-taken", format!("the name {name} {what}"))
                .hint("give another one with `--name`")
                .hint(hint));
        }
        guard::newcomer(records, Newcomer { namespace, name, settings, beside: &[] })?;
        let nobody = AppId(String::new());
        Ledger::from_records(records.to_vec()).check_claim(&nobody, &Claim::of(settings)).map_err(ProxyError::from)?;
        Ok(())
    }

    /// Tells what is taken over, what is not, and what it costs.
    pub(in crate::deploy) fn announce(&self, journal: &Journal) {
        let settings = &self.takeover.settings;
        let mut view = plan(None, Wished { settings, image: &self.image, port: self.port(), force: false });
        view.action = Action::Create;
        view.remarks.clone_from(&self.takeover.remarks);
        journal.write(Event::Planned {
            plan: view,
            host: settings.primary_host().to_string(),
            from: None,
            steps: vec![Step::Lock, Step::Healthy, Step::Switch],
        });
        for text in &self.takeover.left {
            journal.warn("not-taken-over", format!("not taken over: {text}"));
        }
    }
}

/// Makes the record. The container runs on as it is, whatever comes of it.
pub(in crate::deploy) async fn take_over(context: &mut Context<'_>, mut found: Found) -> Result<Outcome, Problem> {
    let records = context.proxy.snapshot().await?.apps;
    found.guard(context.installation, &records).await?;
    found.announce(context.journal);
    let engine = std::sync::Arc::clone(&context.installation.engine);
    let now = context.installation.clock.now();
    let entropy = &context.installation.entropy;
    let generated = found.takeover.generated.take().unwrap_or_else(|| entropy.secrets());
    let mut record = AppRecord::new(AppId(entropy.id()), context.name.clone(), generated, now);
    let network = context.installation.namespace.network();
    let mut made = Made::default();
    let work = async {
        context.make_volumes(&record, &found.takeover.settings, &DeclaredVolumes::new(), &mut made).await?;
        engine.join_network(&network, &found.id).await?;
        found.takeover.settings.health_path = context.find_answer(&found).await?;
        let whose = (context.job.op.clone(), context.job.by.clone());
        let release = found.release(whose, context.installation.clock.now(), context.took_ms());
        record.next_release = release.number.0 + 1;
        record.serving = Some(release.number);
        own_anonymous(&mut record, &release);
        record.releases.push(release);
        let create = Transaction::Create { record: Box::new(record.clone()) };
        let switch = async {
            context.proxy.apply(context.lease.fence(), create).await?;
            Ok::<_, Problem>(((), format!("requests go to {}, which was running", found.container)))
        };
        context.journal.step(Step::Switch, switch).await
    };
    if let Err(problem) = work.await {
        undo(context, &found, &network, &made).await;
        return Err(problem);
    }
    context.report.serving = record.serving;
    context.report.release = record.serving;
    context.report.reached = Some(found.takeover.settings.clone());
    if let Err(error) = engine.set_restart(&found.id, Restart::UnlessStopped).await {
        context.journal.warn("restart-policy", format!("what the engine does when it ends stays as it was: {error}"));
    }
    Ok(Outcome::Created)
}

/// What it has in volumes without a name: nobody else could find them again. `remove --data` lets them go.
fn own_anonymous(record: &mut AppRecord, release: &Release) {
    for (path, source) in &release.settings.volumes {
        if let MountSource::External { name } = source
            && is_anonymous(name)
        {
            record.own(OwnedVolume { name: name.clone(), path: path.to_string(), release: release.number });
        }
    }
}

async fn undo(context: &Context<'_>, found: &Found, network: &str, made: &Made) {
    let engine = &*context.installation.engine;
    if !found.joined
        && let Err(error) = engine.leave_network(network, &found.id).await
    {
        context.journal.warn("network-left", format!("{} is still in the network {network}: {error}", found.container));
    }
    for volume in &made.volumes {
        if let Err(error) = engine.remove_volume(volume).await {
            context.journal.warn("volume-left", format!("the empty volume {volume} could not be removed: {error}"));
        }
    }
}

impl Context<'_> {
    /// Asks on the way requests will take; the path that answers 2xx.
    async fn find_answer(&self, found: &Found) -> Result<UrlPath, Problem> {
        let work = async {
            let mut told = Vec::new();
            for path in &found.takeover.health_paths {
                let answer = self.ask_on(found, path).await?;
                told.push(format!("GET {path} → {answer}"));
                if matches!(answer, ProbeAnswer::Healthy { .. }) {
                    return Ok((path.clone(), told.join(", ")));
                }
            }
            let message = format!("{} does not answer on port {}: {}", found.container, found.port(), told.join(", "));
            Err(Problem::new(Outcome::Failed, "unhealthy", message)
                .hint("`--health-path` names a path that answers 2xx, `--port` the port that speaks HTTP")
                .hint("nothing was changed: it runs on as it did"))
        };
        let journal = self.journal;
        journal.step(Step::Healthy, self.until_stopped(work)).await
    }

    async fn ask_on(&self, found: &Found, path: &UrlPath) -> Result<ProbeAnswer, Problem> {
        let mut answers = self.proxy.probe(ProbeRequest {
            address: format!("{}:{}", found.container, found.port()),
            path: path.clone(),
            host: probe_host(&found.takeover.settings),
            timeout_ms: ANSWER_MS,
            upstream: found.takeover.settings.web.upstream,
            other_ports: Vec::new(),
        });
        let mut last = ProbeAnswer::NoAddress;
        while let Some(answer) = answers.next().await {
            last = answer?;
            // It has been running for long: a status is its answer, and no other will come.
            if matches!(last, ProbeAnswer::Healthy { .. } | ProbeAnswer::Status { .. }) {
                break;
            }
        }
        Ok(last)
    }
}
