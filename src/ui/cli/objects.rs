//! What `--json` prints for questions. Field names are a promise: additive only; their schemas are in `assets/schema`.

use jiff::Timestamp;
use serde::Serialize;

use super::certificates::CertificateObject;
use once_app::AppView;
use once_app::event::LockView;
use once_app::ledger::AppRecord;
use once_app::proxy::Activity;
use once_app::traffic::Compared;
use once_app::{AppName, CanaryView, Change, Cost, LogBreak, ReleaseNumber, StepState, StepView};
use once_app::{EnvKey, EnvValue, Release, ReleaseStatus, Settings};

/// An app: `list`, `status`, `show`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AppObject {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    id: String,
    /// `running`, `changing`, `stopped`, `maintenance`, `paused`, `failing`, `abandoned change`, `down`, `never served`.
    pub(crate) state: String,
    /// Why, or what else is to be known, as a sentence; `null`: nothing.
    reason: Option<String>,
    /// Whether somebody should look at it.
    pub(crate) finding: bool,
    pub(crate) hosts: Vec<String>,
    image: Option<String>,
    digest: Option<String>,
    pub(crate) release: Option<u64>,
    released_at: Option<Timestamp>,
    source_revision: Option<String>,
    container: Option<String>,
    created_at: Timestamp,
    revision: u64,
    locked: bool,
    requests: u64,
    failed: u64,
    /// Answers of the proxy's own, such as the page of a stopped app; `null`: the proxy is too old to count them apart.
    own_answers: Option<u64>,
    /// Answers of the app's own in the last minute; `null`: as above.
    recent_answers: Option<u64>,
    /// Of these: 5xx.
    recent_errors: Option<u64>,
    requests_per_second: f64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    p99_ms: Option<f64>,
    bytes_in: u64,
    bytes_out: u64,
    visitors_today: u64,
    visitors_24h: u64,
    /// The release that is tried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<CanaryView>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<CertificateObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

impl AppObject {
    pub(crate) fn new(view: &AppView, now: Timestamp) -> Self {
        let record = &view.record;
        let serving = record.serving_release();
        let t = &view.traffic;
        Self {
            name: record.name.to_string(),
            aliases: record.aliases.iter().map(ToString::to_string).collect(),
            id: record.id.to_string(),
            state: view.standing.state.to_string(),
            reason: view.standing.reason.as_ref().map(ToString::to_string),
            finding: view.standing.state.is_finding(),
            hosts: record.settings().map(|s| s.hosts.iter().map(ToString::to_string).collect()).unwrap_or_default(),
            image: serving.map(|r| r.settings.image.to_string()),
            digest: serving.map(|r| r.image.identity().to_owned()),
            release: serving.map(|r| r.number.0),
            released_at: serving.map(|r| r.created_at),
            source_revision: serving.and_then(|r| r.revision.clone()),
            container: serving.map(|r| r.container.clone()),
            created_at: record.created_at,
            revision: record.revision,
            locked: record.manual_lock.is_some(),
            requests: t.requests,
            failed: t.failed,
            own_answers: t.own,
            recent_answers: t.recent.map(|recent| recent.answers),
            recent_errors: t.recent.map(|recent| recent.errors),
            requests_per_second: t.rate,
            p50_ms: t.p50_ms,
            p95_ms: t.p95_ms,
            p99_ms: t.p99_ms,
            bytes_in: t.bytes_in,
            bytes_out: t.bytes_out,
            visitors_today: t.visitors_today,
            visitors_24h: t.visitors_24h,
            canary: record.canary.as_deref().map(Into::into),
            certificates: view.certificates.iter().map(|c| CertificateObject::new(c, now)).collect(),
            settings: None,
        }
    }

    /// With all settings, secrets masked.
    pub(crate) fn with_settings(mut self, record: &AppRecord) -> Self {
        self.settings = record.settings().map(Settings::without_secrets);
        self
    }
}

/// Both sides of a canary: `canary`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CanaryObject {
    app: String,
    pub(crate) release: u64,
    pub(crate) rule: String,
    pub(crate) since: Timestamp,
    /// The serving release first.
    pub(crate) sides: Vec<SideObject>,
}

/// One side of a canary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SideObject {
    pub(crate) release: u64,
    pub(crate) canary: bool,
    pub(crate) state: String,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) error_percent: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

impl CanaryObject {
    /// `None`: there is no canary.
    pub(crate) fn new(view: &AppView) -> Option<Self> {
        let record = &view.record;
        let canary = record.canary.as_ref()?;
        let side = |release: &Release, is_canary: bool| {
            let of = |number: ReleaseNumber| view.traffic.releases.iter().find(|r| r.release == number);
            let seen = of(release.number).and_then(|r| r.compared.clone()).unwrap_or_default();
            let Compared { requests, errors, p50_ms, p95_ms, p99_ms } = seen;
            let container = if is_canary { &view.canary } else { &view.container };
            SideObject {
                release: release.number.0,
                canary: is_canary,
                state: container.as_ref().map_or("gone", |c| c.state.as_str()).to_owned(),
                requests,
                errors,
                error_percent: once_app::percent(errors, requests),
                p50_ms,
                p95_ms,
                p99_ms,
            }
        };
        let serving = record.serving_release().map(|release| side(release, false));
        Some(Self {
            app: record.name.to_string(),
            release: canary.release.number.0,
            rule: canary.rule.to_string(),
            since: canary.since,
            sides: serving.into_iter().chain([side(&canary.release, true)]).collect(),
        })
    }
}

/// The status's word, and why where it failed.
pub(crate) fn status(release: &Release) -> (&'static str, Option<&str>) {
    match &release.status {
        ReleaseStatus::Serving => ("serving", None),
        ReleaseStatus::Canary => ("canary", None),
        ReleaseStatus::Replaced { .. } => ("replaced", None),
        ReleaseStatus::Failed { why } => ("failed", Some(why)),
    }
}

/// A release: `releases`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ReleaseObject {
    app: String,
    release: u64,
    serving: bool,
    status: String,
    why: Option<String>,
    image: String,
    digest: String,
    created_at: Timestamp,
    by: String,
    from: String,
    command: String,
    source_revision: Option<String>,
    rollback_to: Option<u64>,
    took_ms: u64,
    container_kept: bool,
    op: String,
    /// Why, as given with this release or before.
    note: Option<String>,
    settings: Settings,
    /// What its change went through: `show --release`, as far as it is still known.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepObject>>,
}

impl ReleaseObject {
    pub(crate) fn new(record: &AppRecord, release: &Release) -> Self {
        let (status, why) = status(release);
        Self {
            app: record.name.to_string(),
            release: release.number.0,
            serving: record.serving == Some(release.number),
            status: status.to_owned(),
            why: why.map(str::to_owned),
            image: release.settings.image.to_string(),
            digest: release.image.identity().to_owned(),
            created_at: release.created_at,
            by: release.by.user.clone(),
            from: release.by.host.clone(),
            command: release.by.command.clone(),
            source_revision: release.revision.clone(),
            rollback_to: release.rollback_to.map(|r| r.0),
            took_ms: release.took_ms,
            container_kept: release.container_kept,
            op: release.op.to_string(),
            note: release.settings.note.clone(),
            settings: release.settings.without_secrets(),
            steps: None,
        }
    }

    /// With what its change went through.
    pub(crate) fn with_steps(mut self, steps: Vec<StepObject>) -> Self {
        self.steps = Some(steps);
        self
    }
}

/// A step of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StepObject {
    step: String,
    /// `pending`, `running`, `skipped`, `done`, `failed`.
    state: &'static str,
    detail: String,
    took_ms: Option<u64>,
}

impl StepObject {
    pub(crate) fn new(view: &StepView) -> Self {
        let state = match view.state {
            StepState::Pending => "pending",
            StepState::Running => "running",
            StepState::Skipped => "skipped",
            StepState::Done => "done",
            StepState::Failed => "failed",
        };
        Self { step: view.step.to_string(), state, detail: view.detail.clone(), took_ms: view.took_ms }
    }
}

impl std::fmt::Display for StepObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.step, self.state)?;
        if let Some(took) = self.took_ms {
            write!(f, ", {}", once_text::words::took(took))?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// A difference of two releases: `diff`. Secrets are masked on both sides; that they differ is what the line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DiffObject {
    app: String,
    from: u64,
    to: u64,
    field: String,
    before: Option<String>,
    after: Option<String>,
    /// `record`, `route`, `swap`.
    cost: Cost,
}

impl DiffObject {
    pub(crate) fn new(app: &AppName, from: ReleaseNumber, to: ReleaseNumber, change: &Change) -> Self {
        let Change { field, from: before, to: after, cost } = change.clone();
        Self { app: app.to_string(), from: from.0, to: to.0, field, before, after, cost }
    }
}

/// A variable: `env`. A secret's value is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct EnvObject {
    key: String,
    value: String,
    secret: bool,
}

impl EnvObject {
    pub(crate) fn new(key: &EnvKey, value: &EnvValue) -> Self {
        Self { key: key.to_string(), value: value.shown().to_owned(), secret: value.secret }
    }
}

/// A lock: `locks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LockObject {
    app: String,
    by: String,
    from: String,
    command: String,
    since: Timestamp,
    op: Option<String>,
    message: Option<String>,
    on_purpose: bool,
}

impl LockObject {
    pub(crate) fn new(lock: &LockView) -> Self {
        Self {
            app: lock.app.to_string(),
            by: lock.by.user.clone(),
            from: lock.by.host.clone(),
            command: lock.by.command.clone(),
            since: lock.since,
            op: lock.op.as_ref().map(ToString::to_string),
            message: lock.message.clone(),
            on_purpose: lock.op.is_none(),
        }
    }
}

/// An entry of the audit log: `activity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ActivityObject {
    at: Timestamp,
    app: Option<String>,
    by: String,
    from: String,
    command: String,
    outcome: String,
    text: String,
    op: Option<String>,
}

impl ActivityObject {
    pub(crate) fn new(entry: &Activity) -> Self {
        Self {
            at: entry.at,
            app: entry.app.as_ref().map(ToString::to_string),
            by: entry.by.user.clone(),
            from: entry.by.host.clone(),
            command: entry.by.command.clone(),
            outcome: entry.outcome.clone(),
            text: entry.text.clone(),
            op: entry.op.as_ref().map(ToString::to_string),
        }
    }
}

/// A line of a log: `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LogObject<'a> {
    pub(crate) app: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) at: Option<Timestamp>,
    pub(crate) stream: &'static str,
    pub(crate) text: &'a str,
    pub(crate) release: Option<u64>,
}

/// A break in a followed log: `logs -f`. It has the fields of a line, so that what reads lines can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LogBreakObject<'a> {
    app: &'a str,
    kind: &'static str,
    at: Timestamp,
    stream: Option<&'static str>,
    text: String,
    release: Option<u64>,
    why: &'static str,
    from: Option<u64>,
    to: Option<u64>,
}

impl<'a> LogBreakObject<'a> {
    pub(crate) fn new(app: &'a str, between: &LogBreak) -> Self {
        let to = between.to.map(|release| release.0);
        Self {
            app,
            kind: "break",
            at: between.at,
            stream: None,
            text: between.to_string(),
            release: to,
            why: between.why.word(),
            from: between.from.map(|release| release.0),
            to,
        }
    }
}

/// Where a hostname leads: `proxy routes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RouteObject {
    pub(crate) host: String,
    pub(crate) path_prefix: Option<String>,
    pub(crate) app: String,
    pub(crate) release: u64,
    pub(crate) address: String,
    pub(crate) serving: bool,
    /// `serving`, `stopped`, `maintenance`, `paused`.
    pub(crate) state: &'static str,
}
