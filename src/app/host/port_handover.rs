//! The ports of the host go from somebody else's proxy to ours, and back. Only one can have them, so there is a gap: from
//! theirs being told to stop until ours answers. It is kept short by having all else done before: certificates are taken
//! over and the container is made. How long ours takes to come up is tried beforehand, and the gap itself is measured.

mod certificates;
mod rehearsal;

use std::time::Duration;

use jiff::Timestamp;

use self::certificates::Kept;
use super::installation::{Installation, ProxyPorts, Ready};
use super::proxy_config::ProxyDraft;
use crate::model::certificate::served;
use crate::model::hostname::Hostname;
use crate::model::problem::Problem;
use crate::model::units::Port;
use crate::ports::engine::{ContainerDetail, Restart};
use crate::ports::proxy::{Proxy, Snapshot};
use crate::progress::event::Outcome;
use crate::settings::Tls;

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
    kept: Kept,
}

impl PortPlan {
    /// Names whose certificates are taken over with the ports.
    pub fn taken_over(&self) -> impl Iterator<Item = &Hostname> {
        self.kept.offers.iter().flat_map(|offer| &offer.names)
    }

    /// Names that are to have a certificate and have none: handshakes for them fail until one was obtained, which begins
    /// once our proxy has the ports.
    #[must_use]
    pub fn lacking(&self) -> &[Hostname] {
        &self.kept.lacking
    }

    /// Whether their account at the authority is gone on with.
    #[must_use]
    pub fn has_account(&self) -> bool {
        self.kept.account.is_some()
    }
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
        let Snapshot { apps: records, certificates, .. } = proxy.snapshot().await?;
        if let Some(record) = records.iter().find(|r| r.is_live() && r.has_adopted(&found.name)) {
            let name = &record.name;
            let message = format!("the container {} is no proxy: the app {name} runs in it", found.name);
            return Err(Problem::new(Outcome::Refused, "an-app", message)
                .hint(format!("`once restart {name}` swaps it for a container of ours, which frees its ports"))
                .hint("then `once proxy configure --http-port 80 --https-port 443` moves our proxy there"));
        }
        let routes = records.iter().filter_map(crate::ledger::AppRecord::route);
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
        let now = self.clock.now();
        let has = |host: &&Hostname| served(host, &certificates).is_some_and(|facts| now < facts.not_after);
        let settings = records.iter().filter(|r| r.is_live()).filter_map(crate::ledger::AppRecord::settings);
        let secure = settings.filter(|settings| settings.tls == Tls::Auto).flat_map(|settings| &settings.hosts);
        let public = secure.filter(|host| !host.is_local() && !host.is_wildcard());
        let wanted: Vec<Hostname> = public.filter(|host| to.https.is_some() && !has(host)).cloned().collect();
        let kept = certificates::kept(&*self.engine, &*proxy, &found.id, wanted).await?;
        Ok(PortPlan { holder: found.name, holder_id: found.id, from, to, hosts, grace, kept })
    }

    /// Stops theirs, starts ours on its ports. Where ours does not come up, theirs is started again and ours goes back.
    ///
    /// # Errors
    /// Ours did not come up; the message says whether theirs serves again.
    pub async fn take_ports(&self, plan: &PortPlan) -> Result<Gap, Problem> {
        // Else one that is `always` to run would be back, on our ports, with the next start of the engine.
        self.engine.set_restart(&plan.holder_id, Restart::UnlessStopped).await?;
        self.take_certificates(&plan.kept).await?;
        let ready = self.without_proxy().await?;
        let made = match ready.make(self, plan.to).await {
            Ok(made) => made,
            Err(problem) => {
                ready.start(self, plan.from).await?;
                return Err(problem.hint("our proxy is where it was, and theirs was not stopped"));
            }
        };
        let from = self.clock.now();
        let moved = async {
            self.engine.stop(&plan.holder_id, plan.grace).await?;
            made.start(self).await
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

    /// Before the gap, so that no handshake fails behind it.
    async fn take_certificates(&self, kept: &Kept) -> Result<(), Problem> {
        if kept.offers.is_empty() {
            return Ok(());
        }
        let Some(proxy) = self.proxy().await? else { return Ok(()) };
        for offer in &kept.offers {
            proxy.install_certificate(offer.clone()).await?;
        }
        if let Some(account) = &kept.account
            && let Err(error) = proxy.offer_account(account.clone()).await
        {
            // Another one is made when the first certificate is renewed.
            tracing::warn!(%error, "their account at the authority was not taken over");
        }
        Ok(())
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
        // Ours was made for the ports that theirs has again.
        if let Err(back) = ready.remove(self).await {
            problem.causes.push(back.to_string());
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
