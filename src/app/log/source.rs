//! Which containers hold the log of an app, now.

use std::sync::Arc;

use jiff::Timestamp;

use crate::host::installation::Installation;
use crate::ledger::AppRecord;
use crate::model::name::{AppId, AppName, ReleaseNumber};
use crate::model::problem::Problem;
use crate::ports::engine::{ContainerDetail, Role};
use crate::ports::proxy::Proxy;
use crate::progress::event::Outcome;

/// Whose log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOf {
    /// An app's, over all of its containers that are there; followed, it goes on with the next release.
    App(AppName),
    /// What an app's containers wrote before the run that serves: in earlier runs of the same container where there are
    /// any, else in the container before.
    Previous(AppName),
    /// One release's.
    Release(AppName, ReleaseNumber),
    /// Of the container of this name, and of the one that takes its place.
    Container(String),
}

/// A container with lines of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub id: String,
    pub release: Option<ReleaseNumber>,
    /// When the present run began, of the container that is gone on with.
    pub started_at: Option<Timestamp>,
    pub running: bool,
    /// Only lines of before then.
    pub until: Option<Timestamp>,
}

/// The containers, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sight {
    pub parts: Vec<Part>,
    /// The one that is gone on with: an index into `parts`.
    pub current: Option<usize>,
    /// There is no such app any more.
    pub gone: bool,
}

impl Sight {
    pub(super) fn current(&self) -> Option<&Part> {
        self.parts.get(self.current?)
    }
}

/// Looks which containers there are, again and again over one connection to the proxy.
pub(super) struct Looker {
    pub at: Installation,
    proxy: Option<Arc<dyn Proxy>>,
    /// The app that was found first: its name may change meanwhile, and be another app's later.
    app: Option<AppId>,
}

impl Looker {
    pub(super) fn new(at: Installation) -> Self {
        Self { at, proxy: None, app: None }
    }

    /// # Errors
    /// Those of engine and proxy; with the outcome `rejected` there is nothing that could be read.
    pub(super) async fn look(&mut self, of: &LogOf) -> Result<Sight, Problem> {
        match of {
            LogOf::App(app) => match self.record(app).await? {
                Some(record) => of_app(&self.at, &record).await,
                None => Ok(Sight { gone: true, ..Sight::default() }),
            },
            LogOf::Previous(app) => {
                let record = self.record(app).await?.ok_or_else(|| no_such_app(app))?;
                previous(&self.at, &record).await
            }
            LogOf::Release(app, number) => {
                let record = self.record(app).await?.ok_or_else(|| no_such_app(app))?;
                let name = container_of(&record, *number)
                    .ok_or_else(|| no_such_release(&record.name, &format!("release {number}")))?;
                let found = self.at.engine.container(&name).await?;
                let detail = found.ok_or_else(|| no_container(&record.name, *number))?;
                Ok(alone(&detail, Some(*number)))
            }
            LogOf::Container(name) => match self.at.engine.container(name).await? {
                Some(detail) => Ok(alone(&detail, None)),
                None => Ok(Sight::default()),
            },
        }
    }

    async fn record(&mut self, app: &AppName) -> Result<Option<AppRecord>, Problem> {
        if self.proxy.is_none() {
            self.proxy = self.at.proxy().await?;
        }
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let found = match &self.app {
            None => proxy.record(app).await,
            Some(id) => match proxy.record(app).await {
                Ok(record) if record.as_ref().is_some_and(|record| record.id == *id) => Ok(record),
                Ok(_) => proxy.snapshot().await.map(|all| all.apps.into_iter().find(|record| record.id == *id)),
                Err(error) => Err(error),
            },
        };
        match found {
            Ok(record) => {
                let record = record.filter(AppRecord::is_live);
                self.app = self.app.take().or_else(|| record.as_ref().map(|record| record.id.clone()));
                Ok(record)
            }
            Err(error) => {
                self.proxy = None;
                Err(error.into())
            }
        }
    }
}

fn alone(detail: &ContainerDetail, release: Option<ReleaseNumber>) -> Sight {
    Sight { parts: vec![part(detail, release)], current: Some(0), gone: false }
}

fn part(detail: &ContainerDetail, release: Option<ReleaseNumber>) -> Part {
    let (id, started_at) = (detail.id.clone(), detail.started_at);
    Part { id, release, started_at, running: detail.running, until: None }
}

/// All containers of an app that have written for visitors: neither a canary's nor one that is only being made.
async fn of_app(at: &Installation, record: &AppRecord) -> Result<Sight, Problem> {
    let canary = record.canary_release().map(|release| release.container.as_str());
    let candidate = record.intent.as_ref().map(|intent| intent.release);
    let mut found: Vec<(Timestamp, Part)> = Vec::new();
    for container in at.engine.containers(&at.namespace).await? {
        let Some(identity) = &container.identity else { continue };
        if identity.role != Role::Web || identity.id.as_ref() != Some(&record.id) {
            continue;
        }
        let release = release_of(record, &container.name).or(identity.release);
        let unborn = release_of(record, &container.name).is_none() && identity.release == candidate;
        if Some(container.name.as_str()) == canary || (unborn && candidate.is_some()) {
            continue;
        }
        let part = Part { id: container.id, release, started_at: None, running: container.running, until: None };
        found.push((container.created_at, part));
    }
    // Containers that somebody else made have no labels of ours.
    for release in record.releases.iter().filter(|release| release.adopted && release.container_kept) {
        let detail = at.engine.container(&release.container).await?;
        found.extend(detail.map(|detail| (release.created_at, part(&detail, Some(release.number)))));
    }
    let serving = match record.serving_release() {
        Some(release) => at.engine.container(&release.container).await?.map(|detail| (release, detail)),
        None => None,
    };
    if let Some((release, detail)) = &serving {
        found.retain(|(_, part)| part.id != detail.id);
        found.push((release.created_at, part(detail, Some(release.number))));
    }
    found.sort_by_key(|(created_at, part)| (part.release, *created_at));
    let parts: Vec<Part> = found.into_iter().map(|(_, part)| part).collect();
    let current = serving.and_then(|(_, detail)| parts.iter().position(|part| part.id == detail.id));
    Ok(Sight { parts, current, gone: false })
}

/// The newest release that is served from a container, for a rollback may have taken over an older one's.
fn release_of(record: &AppRecord, container: &str) -> Option<ReleaseNumber> {
    record.releases.iter().rev().find(|release| release.container == container).map(|release| release.number)
}

/// Either the earlier runs of the serving container, or the container before; the reader finds out which has lines.
async fn previous(at: &Installation, record: &AppRecord) -> Result<Sight, Problem> {
    let all = of_app(at, record).await?;
    let Some(current) = all.current else {
        // Nothing serves: what ran last is the run before.
        let last = all.parts.last().cloned().ok_or_else(|| no_such_release(&record.name, "container before"))?;
        return Ok(Sight { parts: vec![last], current: None, gone: false });
    };
    let mut runs = all.parts[current].clone();
    runs.until = runs.started_at;
    let mut parts: Vec<Part> = current.checked_sub(1).map(|before| all.parts[before].clone()).into_iter().collect();
    parts.push(runs);
    Ok(Sight { parts, current: None, gone: false })
}

fn container_of(record: &AppRecord, number: ReleaseNumber) -> Option<String> {
    let found = record.release(number).or_else(|| record.canary_release().filter(|r| r.number == number));
    found.map(|release| release.container.clone())
}

/// There is nothing that a log could be read of.
pub(super) fn no_log(of: &LogOf, gone: bool) -> Problem {
    match of {
        LogOf::App(app) if gone => no_such_app(app),
        LogOf::App(app) | LogOf::Previous(app) | LogOf::Release(app, _) => {
            Problem::new(Outcome::Rejected, "no-log", format!("{app} has no container, so there is no log"))
                .hint(format!("`once status {app}` shows how it is; `once logs {app} -f` waits for its next container"))
        }
        LogOf::Container(name) => {
            Problem::new(Outcome::Environment, "no-log", format!("there is no container {name}, so there is no log"))
        }
    }
}

fn no_such_app(app: &AppName) -> Problem {
    Problem::rejected("no-such-app", format!("there is no app {app}")).hint("`once list` shows all")
}

fn no_such_release(app: &AppName, what: &str) -> Problem {
    Problem::rejected("no-such-release", format!("{app} has no {what}"))
        .hint(format!("`once releases {app}` shows all"))
}

fn no_container(app: &AppName, number: ReleaseNumber) -> Problem {
    let message = format!("the container of release {number} of {app} is gone, and its log with it");
    Problem::new(Outcome::Rejected, "no-log", message)
        .hint(format!("`once logs {app}` shows what is left of all releases"))
}
