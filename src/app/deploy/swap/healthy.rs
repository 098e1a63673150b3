//! Waits until a candidate answers, and says why where it does not.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt;

use super::candidate::Candidate;
use super::log_hints;
use crate::deploy::context::Context;
use crate::model::hostname::Hostname;
use crate::model::problem::Problem;
use crate::model::release::Release;
use crate::model::units::UrlPath;
use crate::ports::engine::{ContainerDetail, Engine, LogQuery};
use crate::ports::proxy::{ProbeAnswer, ProbeRequest};
use crate::progress::event::{Event, Outcome, Step};
use crate::settings::Settings;

/// Lines of a failed candidate's log that go into the error.
const LOG_LINES: usize = 25;

/// How often a candidate is looked at for having ended; a probe is no use to a container that is gone.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How often a candidate that was started again is looked at for its next end: 2 s.
const RESTARTED_LOOKS: u32 = 10;

/// How long the log may take to be read after the candidate has ended.
const LOG_TIMEOUT: Duration = Duration::from_secs(3);

/// How long `/` may take to answer where the health path does not do, milliseconds.
const ROOT_TIMEOUT_MS: u64 = 1_000;

/// The code where it answers, but not with a 2xx.
const STATUS: &str = "unhealthy-status";

impl Context<'_> {
    /// Probes the candidate over the network that will carry the traffic, tells what it says meanwhile, and notices
    /// when it ends.
    pub(crate) async fn wait_healthy(&self, candidate: &Candidate) -> Result<(), Problem> {
        let engine = &*self.installation.engine;
        let logs = self.tell_log(&candidate.container);
        let probe = async {
            tokio::select! {
                answer = self.probe(candidate) => answer,
                problem = ended(engine, candidate) => Err(problem),
            }
        };
        let work = async {
            tokio::select! {
                result = probe => result.map(|detail| ((), detail)),
                never = logs => match never {},
            }
        };
        let result = self.journal.step(Step::Healthy, work).await;
        match result {
            Ok(()) => Ok(()),
            Err(mut problem) => {
                problem.log = last_lines(engine, &candidate.container).await;
                let listens = problem.outcome == Outcome::Failed && problem.code == STATUS;
                let advice = log_hints::hints(&problem.log, listens);
                problem.hints.splice(0..0, advice.into_iter().map(str::to_owned));
                Err(problem)
            }
        }
    }

    /// The answers in words, equal neighbours told once.
    async fn probe(&self, candidate: &Candidate) -> Result<String, Problem> {
        let settings = &candidate.release.settings;
        let mut told: Vec<String> = Vec::new();
        let mut last = ProbeAnswer::NoAddress;
        let mut answers = self.proxy.probe(ProbeRequest {
            address: candidate.release.address(),
            path: settings.health_path.clone(),
            host: probe_host(settings),
            timeout_ms: settings.health_timeout.duration().as_millis() as u64,
            other_ports: candidate.exposed.clone(),
            upstream: settings.web.upstream,
        });
        while let Some(answer) = answers.next().await {
            last = answer?;
            let text = last.to_string();
            if told.last() != Some(&text) {
                told.push(text);
                // Long stories are told from their end.
                let from = told.len().saturating_sub(6);
                let story = format!("GET {} → {}", settings.health_path, told[from..].join(", "));
                self.journal.progress(Step::Healthy, story.clone(), None);
                if matches!(last, ProbeAnswer::Healthy { .. }) {
                    return Ok(story);
                }
            } else if matches!(last, ProbeAnswer::Healthy { .. }) {
                break;
            }
        }
        match last {
            ProbeAnswer::Healthy { status, .. } => Ok(format!("GET {} → {status}", settings.health_path)),
            answer => {
                let mut problem = unhealthy(candidate, &answer);
                if let Some(hint) = self.root_answers(candidate, &answer).await {
                    problem.hints.insert(0, hint);
                }
                Err(problem)
            }
        }
    }

    /// Where the health path got another status than 2xx: whether `/` would do. As with ports, what works is said.
    async fn root_answers(&self, candidate: &Candidate, answer: &ProbeAnswer) -> Option<String> {
        let settings = &candidate.release.settings;
        let root: UrlPath = "/".parse().ok().filter(|root| *root != settings.health_path)?;
        if !matches!(answer, ProbeAnswer::Status { .. }) {
            return None;
        }
        let mut answers = self.proxy.probe(ProbeRequest {
            address: candidate.release.address(),
            path: root,
            host: probe_host(settings),
            timeout_ms: ROOT_TIMEOUT_MS,
            other_ports: Vec::new(),
            upstream: settings.web.upstream,
        });
        while let Some(Ok(answer)) = answers.next().await {
            if let ProbeAnswer::Healthy { status, .. } = answer {
                return Some(format!("GET / does answer {status}: `--health-path /` asks there"));
            }
        }
        None
    }

    /// Passes on what the candidate writes; never ends.
    async fn tell_log(&self, container: &str) -> std::convert::Infallible {
        let query = LogQuery { follow: true, tail: Some(50), since: None };
        let mut lines = self.installation.engine.logs(container, query);
        while let Some(Ok(line)) = lines.next().await {
            self.journal.write(Event::Log { line: line.text });
        }
        std::future::pending().await
    }
}

/// A wildcard is no name to ask for: its parent is.
pub(crate) fn probe_host(settings: &Settings) -> Hostname {
    let host = settings.primary_host();
    host.as_str().strip_prefix("*.").and_then(|parent| parent.parse().ok()).unwrap_or_else(|| host.clone())
}

fn unhealthy(candidate: &Candidate, answer: &ProbeAnswer) -> Problem {
    let release = &candidate.release;
    let (path, port) = (&release.settings.health_path, release.port);
    let within = format!("within {}", release.settings.health_timeout);
    let failed = |code: &str, message: String| Problem::new(Outcome::Failed, code, message);
    match answer {
        ProbeAnswer::Refused { open_ports } if !open_ports.is_empty() => {
            let ports: Vec<String> = open_ports.iter().map(ToString::to_string).collect();
            let message =
                format!("nothing listens on port {port} of the new container; port {} does answer", ports.join(", "));
            failed("unhealthy-port", message).hint(format!("`--port {}` routes to it", ports[0]))
        }
        ProbeAnswer::Refused { .. } => {
            failed("unhealthy-refused", format!("nothing listens on port {port} of the new container {within}"))
                .hint("does the app listen on 0.0.0.0, and not on 127.0.0.1 alone?")
                .hint("`--port` names another port, `--health-timeout` waits longer")
        }
        ProbeAnswer::Status { status, location: Some(to) } => {
            let message = format!("GET {path} answered {status} (a redirect to {to}) where a 2xx was expected");
            failed("unhealthy-redirect", message).hint(format!(
                "let the app answer {path} without a redirect, or name another path with `--health-path`"
            ))
        }
        ProbeAnswer::Status { status, .. } => {
            failed(STATUS, format!("GET {path} answered {status} where a 2xx was expected, {within}"))
                .hint("the app's log says more; `--health-path` names another path")
        }
        ProbeAnswer::NoAddress => {
            failed("unhealthy-no-address", format!("the new container had no address on the network {within}"))
        }
        ProbeAnswer::TimedOut => failed("unhealthy-timeout", format!("GET {path} got no answer {within}"))
            .hint("`--health-timeout` waits longer"),
        ProbeAnswer::Broken { message } => {
            failed("unhealthy-broken", format!("GET {path} got an answer that is no HTTP: {message}"))
        }
        ProbeAnswer::Healthy { status, .. } => failed("unhealthy", format!("GET {path} answered {status}")),
    }
}

/// Looks until the container has ended. The engine's own wait does not return for one that it starts again; and while
/// it runs again nobody knows how it ended before, so its next end is waited for, for a while.
async fn ended(engine: &dyn Engine, candidate: &Candidate) -> Problem {
    let mut again = 0;
    loop {
        match engine.container(&candidate.container).await {
            Ok(Some(detail)) if !detail.running || detail.restarting || again >= RESTARTED_LOOKS => {
                return exited(candidate, &detail);
            }
            Ok(Some(detail)) => again += u32::from(detail.restarts > 0),
            Ok(None) => return Problem::new(Outcome::Failed, "container-gone", "somebody removed the new container"),
            Err(error) => return error.into(),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks until a release that served before has ended and the engine does not start it again. Whether it answers is not
/// for the engine to say, so nothing comes of a look that failed.
pub(crate) async fn ended_for_good(engine: &dyn Engine, release: &Release) -> Problem {
    let number = release.number;
    loop {
        match engine.container(&release.container).await {
            Ok(Some(detail)) if !detail.running && !detail.restarting => {
                let code = detail.exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"));
                let mut problem = Problem::new(
                    Outcome::Failed,
                    "exited",
                    format!("the container of release {number} has ended{code}"),
                );
                problem.log = last_lines(engine, &release.container).await;
                return problem;
            }
            Ok(None) => {
                let message = format!("the container of release {number} is gone");
                return Problem::new(Outcome::Failed, "container-gone", message);
            }
            Ok(Some(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn exited(candidate: &Candidate, detail: &ContainerDetail) -> Problem {
    if detail.out_of_memory {
        let limit = candidate.release.settings.memory.map_or_else(|| "no limit".to_owned(), |m| format!("limit {m}"));
        return Problem::new(
            Outcome::Failed,
            "out-of-memory",
            format!("the new container ran out of memory ({limit})"),
        )
        .hint("`--memory` gives it more");
    }
    let code = detail.exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"));
    Problem::new(Outcome::Failed, "exited", format!("the new container ended{code} before it was healthy"))
}

pub(crate) async fn last_lines(engine: &dyn Engine, container: &str) -> Vec<String> {
    let query = LogQuery { follow: false, tail: Some(LOG_LINES as u64), since: None };
    let mut lines = VecDeque::new();
    let mut stream = engine.logs(container, query);
    let read = async {
        while let Some(Ok(line)) = stream.next().await {
            lines.push_back(line.text);
        }
    };
    tokio::time::timeout(LOG_TIMEOUT, read).await.ok();
    lines.into()
}
