//! `setup`: Docker there, reachable, permitted, recent enough; installed from the distribution with consent.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use crate::args::ConfirmArgs;
use crate::confirm::{Answer as Typed, confirm};
use crate::output::{GOOD, styled};
use crate::report;
use crate::session::Session;
use once_app::Problem;
use once_app::engine::{EngineError, EngineInfo};
use once_app::event::Outcome;

use super::Answer;

/// How long an engine that was just started may take to answer.
const START: Duration = Duration::from_secs(60);

pub(crate) async fn setup(session: &mut Session<'_>, args: &ConfirmArgs) -> Answer {
    let error = match engine(session).await {
        Ok(info) => return well(session, &info, Outcome::Unchanged),
        Err(error) => error,
    };
    let elsewhere = session.global.on.is_some() || std::env::var_os("DOCKER_HOST").is_some_and(|h| !h.is_empty());
    let fixable = matches!(error, EngineError::NoSocket { .. } | EngineError::Unreachable { .. });
    if elsewhere || !fixable {
        return Err(explained(error, elsewhere));
    }
    if !has_dockerd() {
        if !is_debian() {
            return Err(explained(error, elsewhere)
                .hint("this is no Debian or Ubuntu: install Docker as https://docs.docker.com/engine/install/ says"));
        }
        session.out.say("Docker is not installed.");
        let text = "`apt-get install docker.io` installs it from the distribution";
        confirm(session.out, args.yes, text, &Typed::Yes)?;
        install(session).await?;
    }
    if engine(session).await.is_err() {
        let text = "Docker is installed and does not run; it will be started";
        confirm(session.out, args.yes, text, &Typed::Yes)?;
        start(session).await?;
    }
    let info = wait(session).await?;
    well(session, &info, Outcome::Updated)
}

/// What else there is to do: `once setup` itself is what was tried.
fn explained(error: EngineError, elsewhere: bool) -> Problem {
    let mut problem = Problem::from(error);
    problem.hints.retain(|hint| !hint.contains("`once setup`"));
    if elsewhere {
        return problem
            .hint("the engine is named by `--on` or DOCKER_HOST, and only that machine itself can be set up: run `once setup` there");
    }
    match problem.hints.is_empty() {
        true => problem.hint("the engine's own log says more: `journalctl -u docker`, or /var/log/docker.log"),
        false => problem,
    }
}

async fn engine(session: &Session<'_>) -> Result<EngineInfo, EngineError> {
    session.wiring.engine(session.global.on.as_deref()).await?.0.info().await
}

fn well(session: &mut Session<'_>, info: &EngineInfo, outcome: Outcome) -> Answer {
    if session.out.is_json() {
        session.out.object(&report::done(outcome, None));
    }
    let text = format!("Docker {} on {} answers at {} (API {})", info.version, info.name, info.address, info.api);
    session.out.say(&format!("{} {text}", styled(GOOD, "✓")));
    session.out.say("next: `once deploy IMAGE --host HOST`");
    Ok(0)
}

fn has_dockerd() -> bool {
    ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/snap/bin/dockerd"]
        .iter()
        .any(|p| Path::new(p).exists())
}

fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let of = |key: &str| {
        let lines = release.lines().filter_map(move |l| l.strip_prefix(key)?.strip_prefix('='));
        lines.flat_map(|v| v.trim_matches('"').split(' ')).any(|w| matches!(w, "debian" | "ubuntu"))
    };
    of("ID") || of("ID_LIKE")
}

async fn install(session: &mut Session<'_>) -> Result<(), Problem> {
    run(session, "apt-get", &["update"]).await?;
    run(session, "apt-get", &["install", "--yes", "--no-install-recommends", "docker.io"]).await
}

async fn start(session: &mut Session<'_>) -> Result<(), Problem> {
    match Path::new("/run/systemd/system").exists() {
        true => run(session, "systemctl", &["enable", "--now", "docker"]).await,
        false => run(session, "service", &["docker", "start"]).await,
    }
}

async fn wait(session: &Session<'_>) -> Result<EngineInfo, Problem> {
    let deadline = Instant::now() + START;
    loop {
        match engine(session).await {
            Ok(info) => return Ok(info),
            Err(error) if Instant::now() >= deadline => return Err(explained(error, false)),
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

/// Runs a program of the system, by sudo where we are not root. What it says goes to standard error.
async fn run(session: &mut Session<'_>, program: &str, args: &[&str]) -> Result<(), Problem> {
    let root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if root { program } else { "sudo" });
    if !root {
        command.arg(program);
    }
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let text = format!("{program} {}", args.join(" "));
    session.out.say(&format!("$ {text}"));
    let failed = |problem: Problem| problem.hint("run it by hand to see more, then `once setup` again");
    let new = |message: String| Problem::new(Outcome::Environment, "setup-failed", message);
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .await
        .map_err(|error| failed(new(format!("`{text}` cannot be run")).because(&error)))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut problem = new(format!("`{text}` failed ({})", output.status));
    problem.log = said.lines().rev().take(10).map(str::to_owned).collect::<Vec<_>>().into_iter().rev().collect();
    Err(failed(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_setup_is_not_sent_to_setup() {
        let unreachable = |address: &str| EngineError::Unreachable { address: address.into(), source: "x".into() };
        let absent = EngineError::NoSocket { address: "unix:///x".into(), source: "x".into() };
        for (error, elsewhere) in
            [(unreachable("unix:///x"), false), (unreachable("ssh://web-1"), true), (absent, false)]
        {
            let problem = explained(error, elsewhere);
            assert!(!problem.hints.is_empty(), "{problem:?}");
            let sent = problem.hints.iter().any(|hint| hint.contains("`once setup`") && !hint.contains("there"));
            assert!(!sent, "{problem:?}");
        }
    }
}
