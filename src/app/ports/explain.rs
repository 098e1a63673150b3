//! What the errors of the ports mean for people: outcome, code, and what to do next.

use super::engine::EngineError;
use super::proxy::ProxyError;
use crate::ledger::Refusal;
use crate::model::problem::Problem;
use crate::progress::event::Outcome;
use crate::settings::draft::FieldError;

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let problem = |code: &str| {
            let mut problem = Self::new(Outcome::Environment, code, error.to_string());
            if let Some(source) = std::error::Error::source(&error) {
                problem = problem.because(source);
            }
            problem
        };
        match &error {
            EngineError::NoSocket { .. } => problem("engine-absent")
                .hint("is Docker installed and running? `once setup` checks, and installs it with your consent")
                .hint("another engine is named by `--on ssh://user@host`, DOCKER_HOST or a Docker context"),
            EngineError::NoPermission { .. } => problem("engine-permission")
                .hint("run it with sudo, or add this user to the group `docker` and log in again"),
            EngineError::Unreachable { address, .. } => match address.strip_prefix("ssh://") {
                Some(host) => problem("engine-unreachable").hint(format!(
                    "`ssh ssh://{host} docker version` shows whether the machine and its engine can be reached"
                )),
                None => problem("engine-unreachable")
                    .hint("`systemctl status docker` shows whether it runs; `once setup` starts it where it does not"),
            },
            EngineError::HostKey { address, .. } => {
                let host = address.strip_prefix("ssh://").unwrap_or(address);
                let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
                let name = match name.rsplit_once(':') {
                    Some((name, port)) => format!("'[{name}]:{port}'"),
                    None => name.to_owned(),
                };
                Self { retryable: false, ..problem("engine-host-key") }
                    .hint(format!(
                        "`ssh ssh://{host}` shows its fingerprint and asks once; compare it with the machine's own"
                    ))
                    .hint(format!("if the machine was installed anew: `ssh-keygen -R {name}`, then the same"))
            }
            EngineError::TimedOut { .. } => {
                problem("engine-timeout").hint("is the host under heavy load, or its disk full?")
            }
            EngineError::TooOld { .. } => Self { retryable: false, ..problem("engine-too-old") }
                .hint("upgrade Docker; Debian 12 and later have a version that is new enough"),
            EngineError::BadAddress { .. } => Self { retryable: false, ..problem("engine-address") }
                .hint("look at DOCKER_HOST, DOCKER_CONTEXT and `docker context ls`"),
            EngineError::PortTaken { port, .. } => Self { retryable: false, ..problem("port-taken") }
                .hint(format!("`ss -ltnp 'sport = :{port}'` names the program"))
                .hint("another port is set by ONCE_HTTP_PORT, or ONCE_HTTPS_PORT for HTTPS"),
            EngineError::Unauthorised { image, message, login } => {
                let used = login.as_ref().map_or_else(
                    || "no login for this registry was found in the Docker config".to_owned(),
                    |login| format!("the login of {login} was used"),
                );
                let mut p = Self { retryable: false, ..problem("registry-unauthorised") };
                p.causes.push(used);
                p.causes.push(message.clone());
                p.hint(format!("`docker login {}`", registry_of(image)))
            }
            EngineError::NoSuchImage { message, .. } => {
                let mut p = Self { retryable: false, ..problem("no-such-image") };
                p.causes.push(message.clone());
                p.hint("is the name and tag spelled right, and was it pushed?")
            }
            EngineError::NoCommand { .. } => Self { retryable: false, ..problem("no-command") }
                .hint("its Dockerfile has to end with a `CMD` or an `ENTRYPOINT` that starts the app"),
            EngineError::RegistryUnreachable { message, .. } => {
                let mut p = problem("registry-unreachable");
                p.causes.push(message.clone());
                p.hint("is the registry's name spelled right, and can the engine's machine reach it?")
            }
            EngineError::DiskFull { message } => {
                let mut p = problem("disk-full");
                p.causes.push(message.clone());
                p.hint("`docker system df` shows what takes the space; `docker image prune` frees unused images")
            }
            EngineError::Unsupported { .. } => Self { retryable: false, ..problem("unsupported") },
            EngineError::Absent { .. } => problem("engine-absent-object")
                .hint("somebody removed it meanwhile; the same command again looks at what there is now"),
            EngineError::Busy { .. } => {
                problem("engine-busy").hint("it goes on although whoever asked has left; try again in a few minutes")
            }
            EngineError::Conflict { .. } => problem("engine-conflict")
                .hint("`docker ps -a` shows what has the name or uses the thing; then run the command again"),
            EngineError::Failed { .. } => problem("engine-failed")
                .hint("the engine's own log says more: `journalctl -u docker`, or where your system keeps it"),
        }
    }
}

/// The registry's host in a reference, for `docker login`; empty for Docker Hub.
fn registry_of(image: &str) -> String {
    image
        .parse::<crate::model::image::ImageRef>()
        .ok()
        .and_then(|i| i.registry().map(str::to_owned))
        .unwrap_or_default()
}

impl From<ProxyError> for Problem {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::Locked { holder } => {
                let how = if holder.op.is_some() { "being changed" } else { "locked" };
                let why = holder.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
                let message = format!("{} is {how} by {} on {}{why}", holder.app, holder.by.user, holder.by.host);
                let mut problem = Self::new(Outcome::Locked, "locked", message);
                problem.causes.push(format!(
                    "`{}` since {}",
                    holder.by.command,
                    holder.since.strftime("%Y-%m-%d %H:%M:%SZ")
                ));
                match holder.op {
                    Some(_) => problem.hint(format!("`once watch {}` shows it; `--wait` waits longer", holder.app)),
                    None => problem.hint(format!("`once unlock {}` lifts it", holder.app)),
                }
            }
            ProxyError::Refused(refusal) => refusal.into(),
            ProxyError::Certificate(_) => Self::rejected("bad-certificate", error.to_string())
                .hint("`openssl x509 -noout -text -in FILE` shows what a certificate holds"),
            ProxyError::Unreachable { .. } => Self::new(Outcome::Environment, "proxy-unreachable", error.to_string())
                .hint("`once proxy status` and `once proxy logs` say more"),
            ProxyError::Version { theirs, ours } => {
                let hint = if theirs < ours {
                    "`once proxy upgrade --replace` replaces the proxy by this version; apps are unreachable for about a second"
                } else {
                    "this command is older than the proxy: upgrade it"
                };
                Self { retryable: false, ..Self::new(Outcome::Environment, "proxy-version", error.to_string()) }
                    .hint(hint)
            }
            ProxyError::LockLost => {
                Self { retryable: true, ..Self::new(Outcome::Failed, "lock-lost", error.to_string()) }
                    .hint("the connection to the proxy was cut for too long, or it ended; run the command again")
            }
            ProxyError::Moved => Self::new(Outcome::Environment, "proxy-moving", error.to_string())
                .hint("it takes a second; run the command again"),
            ProxyError::UpgradeRefused { .. } => {
                Self { retryable: false, ..Self::new(Outcome::Failed, "upgrade-refused", error.to_string()) }
                    .hint("the proxy serves on as before; `once proxy logs` says more")
            }
            ProxyError::Interrupted { .. } | ProxyError::Storage { .. } | ProxyError::Failed { .. } => {
                Self::new(Outcome::Environment, "proxy-failed", error.to_string())
                    .hint("`once proxy status` and `once proxy logs` say more; the same command again is safe")
            }
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match &refusal {
            Refusal::HostTaken { host, owner } => Self::new(Outcome::Refused, "host-taken", message)
                .hint(format!("to change that app: `once deploy --name {owner} …`"))
                .hint(format!("if it is to go by another name: `once rename {owner} NEW`"))
                .hint(format!(
                    "to free the name: `once deploy --name {owner} --drop-host {host}` or `once remove {owner}`"
                )),
            Refusal::DefaultTaken { owner } => Self::new(Outcome::Refused, "default-taken", message)
                .hint(format!("to change that: `once set {owner} --default-app off`")),
            Refusal::NameTaken { .. } => {
                Self::new(Outcome::Refused, "name-taken", message).hint("choose another with `--name`")
            }
            Refusal::Outdated { .. } | Refusal::NotYours { .. } => Self::new(Outcome::Failed, "outdated", message)
                .hint("another deploy of the app came later; run the command again if it is still wanted"),
            Refusal::Absent { .. } => Self::new(Outcome::Failed, "app-gone", message).hint("it was removed meanwhile"),
            Refusal::Unsound { .. } => Self::new(Outcome::Internal, "unsound", message),
            Refusal::NoCanary { .. } => {
                Self::rejected("no-canary", message).hint("it was promoted or aborted meanwhile")
            }
            Refusal::NothingServes { .. } => Self::rejected("nothing-serves", message),
        }
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::rejected("invalid-setting", error.to_string())
    }
}

impl From<Vec<FieldError>> for Problem {
    fn from(errors: Vec<FieldError>) -> Self {
        let mut errors = errors.into_iter();
        let mut problem: Self =
            errors.next().map_or_else(|| Self::rejected("invalid-setting", "invalid settings"), Into::into);
        problem.causes.extend(errors.map(|e| e.to_string()));
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::release::Caller;
    use crate::progress::event::LockView;

    #[test]
    fn a_lock_tells_its_time_to_the_second() {
        let by = Caller { user: "ada".into(), host: "laptop".into(), command: "lock".into() };
        let since = "2026-12-01T03:33:38.508101266Z".parse().unwrap();
        let holder = LockView { app: "shop".parse().unwrap(), by, since, op: None, message: None };
        let problem = Problem::from(ProxyError::Locked { holder: Box::new(holder) });
        assert_eq!(problem.causes, ["`lock` since 2026-12-01 03:33:38Z"]);
    }
}
