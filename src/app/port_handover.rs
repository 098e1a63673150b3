//! The ports of the host go from somebody else's proxy to ours, and back. Only one can have them, so there is a gap: from
//! theirs being told to stop until ours answers. It is kept short by having all else done before, and it is measured.

use std::time::Duration;

use jiff::Timestamp;

use super::engine::{ContainerDetail, Restart};
use super::event::Outcome;
use super::installation::{Installation, ProxyPorts, Ready};
use super::problem::Problem;
use super::proxy::Proxy;
use super::proxy_config::ProxyDraft;
use super::units::Port;

/// The ports HTTP and HTTPS have inside of other proxies.
const INSIDE: (u16, u16) = (80, 443);

/// What a hand-over would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortPlan {
    /// The container that has the ports now.
    pub holder: String,
    holder_id: String,
    /// Where our proxy is now.
    pub from: ProxyPorts,
    /// Where it will be.
    pub to: ProxyPorts,
    /// Hostnames our proxy serves; requests for others reach nobody any more.
    pub hosts: Vec<String>,
    /// How long their proxy has for requests under way.
    pub grace: Duration,
}

/// The time nobody was answered in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When who had the ports was told to stop.
    pub from: Timestamp,
    /// When who has them now answered.
    pub until: Timestamp,
}

impl Gap {
    /// Its length, milliseconds.
    #[must_use]
    pub fn ms(&self) -> i64 {
        i64::try_from(self.until.duration_since(self.from).as_millis()).unwrap_or(i64::MAX)
    }
}

impl Installation {
    /// Looks at what a hand-over would do; nothing is done.
    ///
    /// # Errors
    /// There is no such container, it has no port to give, or our proxy has no route yet.
    pub async fn plan_ports(&self, holder: &str, grace: Duration) -> Result<PortPlan, Problem> {
        let found = self.holder(holder).await?;
        if !found.running {
            let message = format!("the container {} does not run, so it holds no port", found.name);
            return Err(Problem::rejected("not-running", message)
                .hint("`once proxy configure --http-port 80 --https-port 443` moves our proxy there"));
        }
        let Some(proxy) = self.proxy().await? else {
            return Err(Problem::rejected("no-proxy", "there is no proxy of ours that could take the ports")
                .hint("`ONCE_HTTP_PORT=8080 once adopt CONTAINER` takes the apps over first, beside theirs"));
        };
        let records = proxy.snapshot().await?.apps;
        if let Some(record) = records.iter().find(|r| r.is_live() && r.has_adopted(&found.name)) {
            let name = &record.name;
            let message = format!("the container {} is no proxy: the app {name} runs in it", found.name);
            return Err(Problem::new(Outcome::Refused, "an-app", message)
                .hint(format!("`once restart {name}` swaps it for a container of ours, which frees its ports"))
                .hint("then `once proxy configure --http-port 80 --https-port 443` moves our proxy there"));
        }
        let routes = records.iter().filter_map(super::ledger::AppRecord::route);
        let hosts: Vec<String> = routes.flat_map(|route| route.hosts).map(|host| host.to_string()).collect();
        if hosts.is_empty() {
            let message = "our proxy has no route yet: whoever comes would get nothing";
            return Err(Problem::new(Outcome::Refused, "no-routes", message)
                .hint("`once adopt CONTAINER` takes the apps over first"));
        }
        let from = self.public_ports().await?;
        let outside = |inside: u16| found.ports.get(&inside).copied();
        let only = || found.ports.values().next().copied().filter(|_| found.ports.len() == 1);
        let Some(http) = outside(INSIDE.0).or_else(only) else {
            let message = format!("the container {} publishes no port for HTTP", found.name);
            return Err(Problem::rejected("no-port", message).hint("`docker ps` shows who has which port"));
        };
        let to = ProxyPorts { http, https: outside(INSIDE.1), metrics: from.metrics };
        Ok(PortPlan { holder: found.name, holder_id: found.id, from, to, hosts, grace })
    }

    /// Stops theirs, starts ours on its ports. Where ours does not come up, theirs is started again and ours goes back.
    ///
    /// # Errors
    /// Ours did not come up; the message says whether theirs serves again.
    pub async fn take_ports(&self, plan: &PortPlan) -> Result<Gap, Problem> {
        // Else one that is `always` to run would be back, on our ports, with the next start of the engine.
        self.engine.set_restart(&plan.holder_id, Restart::UnlessStopped).await?;
        let ready = self.without_proxy().await?;
        let from = self.clock.now();
        let moved = async {
            self.engine.stop(&plan.holder_id, plan.grace).await?;
            ready.start(self, plan.to).await
        };
        match moved.await {
            Ok(proxy) => {
                let gap = Gap { from, until: self.clock.now() };
                remember(&*proxy, plan.to).await?;
                Ok(gap)
            }
            Err(problem) => Err(self.put_back(plan, &ready, problem).await),
        }
    }

    /// The way back: ours goes to other ports, theirs is started. Where it does not come up, ours gets its ports again.
    ///
    /// # Errors
    /// Theirs did not come up, or ours did not.
    pub async fn give_ports_back(&self, holder: &str, to: ProxyPorts) -> Result<Gap, Problem> {
        let found = self.holder(holder).await?;
        let before = self.public_ports().await?;
        let from = self.clock.now();
        let ready = self.without_proxy().await?;
        if let Err(error) = self.engine.start(&found.id).await {
            ready.start(self, before).await?;
            return Err(Problem::from(error).hint("our proxy has its ports again"));
        }
        let gap = Gap { from, until: self.clock.now() };
        let proxy = ready.start(self, to).await?;
        remember(&*proxy, to).await?;
        Ok(gap)
    }

    async fn put_back(&self, plan: &PortPlan, ready: &Ready, mut problem: Problem) -> Problem {
        match self.engine.start(&plan.holder_id).await {
            Ok(()) => problem = problem.hint(format!("{} was started again and has its ports", plan.holder)),
            Err(error) => {
                problem.outcome = Outcome::Down;
                problem.causes.push(error.to_string());
                problem = problem.hint(format!("{} did not start again: `docker start {}`", plan.holder, plan.holder));
            }
        }
        if let Err(back) = ready.start(self, plan.from).await {
            problem.causes.push(back.message);
        }
        problem
    }

    async fn holder(&self, name: &str) -> Result<ContainerDetail, Problem> {
        let shown = name.escape_debug();
        let Some(found) = self.engine.container(name).await? else {
            return Err(Problem::rejected("no-such-container", format!("there is no container `{shown}`"))
                .hint("`docker ps` shows who has which port"));
        };
        if found.labels.contains_key("once.role") {
            return Err(Problem::rejected("ours", format!("the container `{shown}` is one of ours"))
                .hint("`once proxy configure --http-port PORT` moves our proxy"));
        }
        Ok(found)
    }
}

async fn remember(proxy: &dyn Proxy, ports: ProxyPorts) -> Result<(), Problem> {
    let draft = ProxyDraft {
        http_port: Port::new(ports.http),
        https_port: ports.https.and_then(Port::new),
        ..ProxyDraft::default()
    };
    proxy.configure(draft).await?;
    Ok(())
}
