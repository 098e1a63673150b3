//! An app as the list and the detail show it: its record, container and traffic brought together.

use jiff::Timestamp;

use crate::app::engine::Container;
use crate::app::ledger::{AppRecord, RunState};
use crate::app::proxy::AppTraffic;
use crate::app::{AppName, CertificateView, OpId, ProxyPorts, Release, ReleaseStatus, Settings, address, percent};

use super::super::format;

/// What a row of the list stands for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RowKey {
    /// An app.
    App(AppName),
    /// A first deploy: there is no app yet.
    Birth(OpId),
    /// A container of this namespace that belongs to no app, by id.
    Orphan(String),
}

/// An app.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AppView {
    /// What the host remembers; secrets are masked.
    pub record: AppRecord,
    /// The serving release's container; `None`: the engine has none.
    pub container: Option<Container>,
    /// What the proxy counted.
    pub traffic: AppTraffic,
    /// The certificates of its hostnames, where there are any or are to be.
    pub certificates: Vec<CertificateView>,
}

/// How an app stands, in one glyph, one word and one colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Decides glyph and colour.
    pub state: State,
    /// For people; empty: all is well.
    pub word: String,
}

/// How an app stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It serves.
    Serving,
    /// It serves, and errors are among its answers.
    Failing,
    /// It is being changed.
    Busy,
    /// It is meant not to run.
    Stopped,
    /// It is meant to serve and does not.
    Down,
}

/// Seconds of traffic that decide whether an app is failing now.
const RECENT: usize = 30;

impl AppView {
    /// Both sides of a canary, in words: which release, and how it does. Empty without one.
    pub fn sides(&self) -> Vec<(&'static str, String)> {
        let Some(canary) = &self.record.canary else { return Vec::new() };
        let side = |release: &Release| {
            let of = self.traffic.releases.iter().find(|r| r.release == release.number);
            let seen = of.and_then(|r| r.compared.clone()).unwrap_or_default();
            let latency = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), format::millis);
            format!(
                "release {}, {}, {:.1}% errors, p50 {}, p95 {}, p99 {}",
                release.number,
                format::many(seen.requests, "request"),
                percent(seen.errors, seen.requests),
                latency(seen.p50_ms),
                latency(seen.p95_ms),
                latency(seen.p99_ms),
            )
        };
        let serving = self.record.serving_release().map(|release| ("serving", side(release)));
        let canary = format!("{} at {}", side(&canary.release), canary.rule);
        serving.into_iter().chain([("canary", canary)]).collect()
    }

    /// The name it goes by.
    pub(crate) fn name(&self) -> &AppName {
        &self.record.name
    }

    /// The serving release.
    pub(crate) fn release(&self) -> Option<&Release> {
        self.record.serving_release()
    }

    /// What holds.
    pub(crate) fn settings(&self) -> Option<&Settings> {
        self.record.settings()
    }

    /// The primary hostname, or the name of an app that has never served.
    pub(crate) fn host(&self) -> String {
        self.settings().map_or_else(|| self.record.name.to_string(), |s| s.primary_host().to_string())
    }

    /// Where people reach it, as a URL.
    pub(crate) fn address(&self, ports: ProxyPorts, now: Timestamp) -> Option<String> {
        Some(address(self.settings()?, &self.certificates, ports, now))
    }

    /// Share of 5xx among the last half minute's requests; `None`: there were no requests.
    pub(crate) fn error_share(&self) -> Option<f64> {
        let sum = |series: &[u32]| series.iter().rev().take(RECENT).map(|n| u64::from(*n)).sum::<u64>();
        let requests = sum(&self.traffic.per_second);
        (requests > 0).then(|| sum(&self.traffic.errors_per_second) as f64 / requests as f64)
    }

    /// The newest attempt that failed after what serves now was made.
    pub(crate) fn failure(&self) -> Option<(&Release, &str)> {
        self.record.releases.last().and_then(|r| match &r.status {
            ReleaseStatus::Failed { why } => Some((r, why.as_str())),
            _ => None,
        })
    }

    /// How it stands, leaving out changes under way. `seen`: the engine's list of containers is as of now.
    pub(crate) fn standing(&self, seen: bool) -> Standing {
        let standing = |state, word: &str| Standing { state, word: word.into() };
        if self.record.state == RunState::Stopped {
            return standing(State::Stopped, "stopped");
        }
        let on_purpose = match &self.record.state {
            RunState::Maintenance(_) => Some("maintenance"),
            RunState::Paused { .. } => Some("paused"),
            RunState::Running | RunState::Stopped => None,
        };
        if self.record.serving.is_none() {
            return standing(State::Down, "no healthy release");
        }
        match &self.container {
            None if seen => standing(State::Down, "its container is gone"),
            Some(c) if c.state == "restarting" => standing(State::Down, "keeps restarting"),
            Some(c) if !c.running => standing(State::Down, "its container has ended"),
            _ => match self.error_share() {
                Some(share) if share >= 0.01 => {
                    Standing { state: State::Failing, word: format!("{:.0}% errors", share * 100.0) }
                }
                _ => on_purpose.map_or_else(|| standing(State::Serving, ""), |word| standing(State::Stopped, word)),
            },
        }
    }
}
