//! One run of the command: its flags, its streams, and the way to the engine and the proxy.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use once_app::engine::{Engine, EngineError};
use once_app::event::Outcome;
use once_app::ledger::AppRecord;
use once_app::proxy::{Proxy, Snapshot};
use once_app::{
    Ask, Caller, Clock, Entropy, Installation, Job, NoHooks, OpId, Problem, ProxyLink, Secret, Selector, note,
};
use once_job::hooks;
use once_job::runner::Place;
use once_text::words;

use super::args::Global;
use super::output::Output;

/// What was asked for of the console.
pub struct ConsoleStart {
    /// The flags of every command.
    pub global: Global,
    /// What it runs on.
    pub wiring: &'static dyn Wiring,
    /// Where changes are made.
    pub place: Place,
    /// The port apps are reached on until the server tells another.
    pub http_port: u16,
    /// 16 random hex digits.
    pub seed: String,
    /// Who asks.
    pub by: Caller,
    /// Nothing can be changed.
    pub read_only: bool,
    /// ASCII glyphs only.
    pub ascii: bool,
    /// How long it waits after Esc for the rest of a key.
    pub escape_wait: Duration,
}

/// The concrete parts the command runs on: the binary wires them, for the command may know neither engine nor proxy.
#[async_trait]
pub trait Wiring: Send + Sync {
    /// Connects to the engine at an address; `None`: `DOCKER_HOST`, the context, the usual socket.
    async fn engine(&self, address: Option<&str>) -> Result<(Arc<dyn Engine>, Arc<dyn ProxyLink>), EngineError>;
    /// The time.
    fn clock(&self) -> Arc<dyn Clock>;
    /// Randomness.
    fn entropy(&self) -> Arc<dyn Entropy>;
    /// Shows the console until it is left.
    async fn console(&self, start: ConsoleStart) -> Result<(), Problem>;
}

/// What every subcommand gets.
pub(crate) struct Session<'a> {
    pub(crate) global: &'a Global,
    /// For ever, because the console's tasks connect again and again.
    pub(crate) wiring: &'static dyn Wiring,
    pub(crate) out: &'a mut Output,
    /// The subcommand's word, for locks and the audit log.
    pub(crate) command: &'static str,
}

impl Session<'_> {
    /// The namespace on the engine that the flags name.
    pub(crate) async fn installation(&self) -> Result<Installation, Problem> {
        installation(self.global, self.wiring).await
    }

    /// The proxy with its state, where there is one.
    pub(crate) async fn proxy(&self, at: &Installation) -> Result<Option<(Arc<dyn Proxy>, Snapshot)>, Problem> {
        let Some(proxy) = at.proxy().await? else { return Ok(None) };
        let snapshot = proxy.snapshot().await?;
        Ok(Some((proxy, snapshot)))
    }

    /// The app that is meant, or why there is none.
    pub(crate) async fn app(
        &self,
        at: &Installation,
        app: &str,
    ) -> Result<(Arc<dyn Proxy>, Snapshot, AppRecord), Problem> {
        let Some((proxy, snapshot)) = self.proxy(at).await? else { return Err(no_such_app(app, at, &[])) };
        let record = find(&snapshot.apps, app).cloned().ok_or_else(|| no_such_app(app, at, &snapshot.apps))?;
        Ok((proxy, snapshot, record))
    }

    /// The app that is to be changed. That there is none is refused as a change is: the audit log tells.
    pub(crate) async fn app_to_change(
        &self,
        at: &Installation,
        app: &str,
    ) -> Result<(Arc<dyn Proxy>, Snapshot, AppRecord), Problem> {
        match self.app(at, app).await {
            Err(problem) => Err(self.refused(at, problem).await),
            found => found,
        }
    }

    /// Writes to the audit log that a change was refused before it began. What went wrong is told in any case.
    pub(crate) async fn refused(&self, at: &Installation, problem: Problem) -> Problem {
        let text = format!("{}: {}", self.command, problem.message);
        let noted = async {
            match at.proxy().await? {
                Some(proxy) => note(at, &*proxy, self.caller(), None, problem.outcome, text).await,
                None => Ok(()),
            }
        };
        if let Err(error) = noted.await {
            tracing::debug!("the audit log was not written: {error}");
        }
        problem
    }

    /// A change to ask for.
    pub(crate) fn job(&self, ask: Ask, wait_seconds: u64) -> Job {
        let (op, by, wait_ms) = (self.new_op(), self.caller(), wait_seconds.saturating_mul(1000));
        let lease = std::env::var(hooks::LEASE).ok().filter(|token| !token.is_empty());
        Job { op, by, ask, wait_ms, part_of: lease.map(Secret::new) }
    }

    /// A new change's identity.
    pub(crate) fn new_op(&self) -> OpId {
        OpId(self.wiring.entropy().id())
    }

    /// Who asks.
    pub(crate) fn caller(&self) -> Caller {
        caller(self.command)
    }

    /// Where the detached process is to run.
    pub(crate) fn place(&self) -> Place {
        Place {
            namespace: self.global.namespace.clone(),
            on: self.global.on.clone(),
            expect_engine: self.global.expect_engine.clone(),
            verbose: self.global.verbose,
        }
    }
}

/// The namespace on the engine that the flags name.
///
/// # Errors
/// When the engine cannot be reached or is another one than expected, or a port of the environment is none.
pub async fn installation(global: &Global, wiring: &dyn Wiring) -> Result<Installation, Problem> {
    let (http_port, https_port) = (http_port()?, port_of("ONCE_HTTPS_PORT")?);
    let (engine, link) = wiring.engine(global.on.as_deref()).await?;
    expect_engine(&*engine, global.expect_engine.as_deref()).await?;
    Ok(Installation {
        namespace: global.namespace.clone(),
        engine,
        link,
        clock: wiring.clock(),
        entropy: wiring.entropy(),
        http_port,
        https_port,
        metrics_port: None,
        hooks: Arc::new(NoHooks),
    })
}

/// The guard against the wrong host: a pipeline names the engine it means.
async fn expect_engine(engine: &dyn Engine, expected: Option<&str>) -> Result<(), Problem> {
    let Some(expected) = expected.filter(|id| !id.is_empty()) else { return Ok(()) };
    let found = engine.info().await?;
    if found.id == expected {
        return Ok(());
    }
    let message = format!("the engine at {} is {} with the ID {}", found.address, found.name, found.id);
    Err(Problem::new(Outcome::Refused, "wrong-engine", message)
        .hint(format!("`{}` was expected; `--on` or DOCKER_HOST name another engine", expected.escape_debug()))
        .hint(format!("if this is the one: `--expect-engine {}`", found.id)))
}

/// `ONCE_HTTP_PORT`, where it is set.
pub(crate) fn http_port() -> Result<Option<u16>, Problem> {
    port_of("ONCE_HTTP_PORT")
}

fn port_of(variable: &str) -> Result<Option<u16>, Problem> {
    let Some(text) = std::env::var_os(variable) else { return Ok(None) };
    let text = text.to_string_lossy();
    text.parse::<once_app::Port>().map(|port| Some(port.get())).map_err(|reason| {
        Problem::rejected("bad-environment", format!("{variable} is `{}`: {reason}", text.escape_debug()))
    })
}

/// A live app by name, else by alias, else by hostname.
pub(crate) fn find<'a>(apps: &'a [AppRecord], text: &str) -> Option<&'a AppRecord> {
    let live = || apps.iter().filter(|a| a.is_live());
    let host = text.trim_end_matches('.').to_ascii_lowercase();
    let answers = |a: &&AppRecord| a.settings().is_some_and(|s| s.hosts.iter().any(|h| h.as_str() == host));
    let called = |a: &&AppRecord| a.aliases.iter().any(|alias| alias.as_str() == text);
    live().find(|a| a.name.as_str() == text).or_else(|| live().find(called)).or_else(|| live().find(answers))
}

/// There is no such app here; where "here" is, and what was probably meant.
pub(crate) fn no_such_app(text: &str, at: &Installation, apps: &[AppRecord]) -> Problem {
    let shown = text.escape_debug();
    let message = format!("there is no app `{shown}` in the namespace `{}`", at.namespace);
    let told = Problem::rejected("no-such-app", message);
    let live: Vec<_> = apps.iter().filter(|a| a.is_live()).collect();
    let hosts = live.iter().filter_map(|a| a.settings()).flat_map(|s| &s.hosts).map(once_app::Hostname::as_str);
    let told = match words::nearest(text, live.iter().map(|a| a.name.as_str()).chain(hosts)) {
        Some(near) => told.hint(format!("did you mean `{near}`?")),
        None => told,
    };
    told.hint("`once list` shows all apps; `--namespace` and `--on` name another place")
}

pub(crate) fn selector(text: &str) -> Selector {
    Selector(text.to_owned())
}

/// Login name or the CI system's actor, machine, subcommand.
pub(crate) fn caller(command: &str) -> Caller {
    let names = ["GITHUB_ACTOR", "GITLAB_USER_LOGIN", "SUDO_USER", "USER", "LOGNAME"];
    let named = names.iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let user = named.unwrap_or_else(|| match rustix::process::getuid() {
        uid if uid.is_root() => "root".to_owned(),
        uid => format!("uid {}", uid.as_raw()),
    });
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Caller { user, host, command: command.to_owned() }
}
