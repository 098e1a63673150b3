//! One namespace on one engine, with everything a use case needs to reach it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::proxy_config::ProxyDraft;
use super::proxy_name::name_taken;
use crate::model::name::Namespace;
use crate::model::problem::Problem;
use crate::model::units::Port;
use crate::plan::fingerprint::namespace_labels;
use crate::ports::clock::{Clock, Entropy};
use crate::ports::engine::{ContainerDetail, ContainerSpec, Engine, EngineError, MountSpec, OwnImage, Restart};
use crate::ports::hook::Hooks;
use crate::ports::proxy::{Proxy, ProxyError};
use crate::progress::event::Outcome;

/// Opens the proxy's control channel: directly over the socket in its volume where that is allowed, else through an
/// `exec` in its container.
#[async_trait]
pub trait ProxyLink: Send + Sync {
    /// Connects to the proxy whose container and volume have this name; the container is running. One try, no waiting.
    async fn connect(&self, name: &str) -> Result<Arc<dyn Proxy>, ProxyError>;
}

/// One namespace on one engine.
#[derive(Clone)]
pub struct Installation {
    /// Which.
    pub namespace: Namespace,
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The way to the proxy.
    pub link: Arc<dyn ProxyLink>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Port of the host for HTTP where the proxy has to be made: `ONCE_HTTP_PORT`; `None`: the remembered one, else 80.
    pub http_port: Option<u16>,
    /// Port of the host for HTTPS, in the same way: `ONCE_HTTPS_PORT`; `None`: the remembered one, else 443 beside 80.
    pub https_port: Option<u16>,
    /// Port of the host's loopback that Prometheus is to find the proxy's traffic on; `None`: no such port.
    pub metrics_port: Option<u16>,
    /// What a deploy runs on this machine before and after.
    pub hooks: Arc<dyn Hooks>,
}

/// The ports of the host that lead to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyPorts {
    /// For HTTP.
    pub http: u16,
    /// For HTTPS; `None`: nothing leads there.
    pub https: Option<u16>,
    /// For Prometheus, on the loopback address only; `None`: nothing leads there.
    pub metrics: Option<u16>,
}

impl std::fmt::Display for ProxyPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.https {
            Some(https) => write!(f, "{} and {https}", self.http),
            None => write!(f, "{}", self.http),
        }
    }
}

/// The port of the host for HTTP where nothing else is said.
pub const HTTP_PORT: u16 = 80;

/// The port of the host for HTTPS where nothing else is said, and HTTP is at its usual port too: a proxy beside another
/// one has to be told.
pub const HTTPS_PORT: u16 = 443;

/// Where the proxy listens inside of its container, so that it needs no capability.
pub const PROXY_HTTP: u16 = 8080;

/// The same, for HTTPS.
pub const PROXY_HTTPS: u16 = 8443;

/// The variable by which the proxy in its container knows the host's port for HTTPS.
pub const PROXY_HTTPS_PORT: &str = "ONCE_PUBLIC_HTTPS_PORT";
/// Where the proxy tells Prometheus of its traffic inside of its container, to its own machine only.
pub const PROXY_METRICS: u16 = 9180;

/// Where the proxy keeps the host's memory inside of its container.
pub const PROXY_STATE: &str = "/state";

/// How long a proxy that was just started may take to answer. It takes milliseconds; a host under load takes longer.
const PROXY_START: Duration = Duration::from_secs(30);

/// How long a worker may take to be there again.
const WORKER_START: Duration = Duration::from_secs(2);

/// Memory bound of the proxy: far above what it needs, far below what would hurt the apps.
const PROXY_MEMORY: u64 = 512 << 20;

/// Threads and processes of the proxy: far above what it needs, far below what would hurt the apps.
const PROXY_PIDS: u32 = 4096;

/// The user the proxy runs as: nobody's, by convention of images without users.
const PROXY_USER: u32 = 65532;

impl Installation {
    /// The running proxy; `None`: this namespace has no proxy container, so it has no apps either. One that was
    /// stopped is started.
    ///
    /// # Errors
    /// The engine or the proxy does not answer.
    pub async fn proxy(&self) -> Result<Option<Arc<dyn Proxy>>, Problem> {
        let Some(container) = self.proxy_container().await? else { return Ok(None) };
        if !container.running {
            self.engine.start(&container.id).await?;
        }
        self.connect(&container.name).await.map(Some)
    }

    /// The running proxy, made where there is none: network, image, volume, container.
    ///
    /// # Errors
    /// The engine does not do its part, or the port is taken; what was half made is taken away again.
    pub async fn ensure_proxy(&self) -> Result<Arc<dyn Proxy>, Problem> {
        if let Some(proxy) = self.proxy().await? {
            return Ok(proxy);
        }
        let name = self.make_proxy().await?;
        let proxy = self.connect(&name).await?;
        self.remember_ports(proxy).await
    }

    /// Ports that were said are remembered; those that are remembered hold where none are said.
    async fn remember_ports(&self, proxy: Arc<dyn Proxy>) -> Result<Arc<dyn Proxy>, Problem> {
        let kept = proxy.config().await?;
        let (kept_http, kept_https) = (kept.http_port.map(Port::get), kept.https_port.map(Port::get));
        let news = |said: Option<u16>, kept| said.filter(|said| Some(*said) != kept).and_then(Port::new);
        let draft = ProxyDraft {
            http_port: news(self.http_port, kept_http),
            https_port: news(self.https_port, kept_https),
            ..ProxyDraft::default()
        };
        if draft.http_port.is_some() || draft.https_port.is_some() {
            proxy.configure(draft).await?;
        }
        let now = self.public_ports().await?;
        let http = self.http_port.or(kept_http).unwrap_or(now.http);
        let https = self.https_port.or(kept_https).or(now.https);
        let wished = ProxyPorts { http, https, metrics: kept.metrics_port.map(Port::get) };
        if wished == now { Ok(proxy) } else { self.move_proxy(wished).await }
    }

    /// Puts the proxy on other ports of the host: its container is replaced by an equal one. Requests fail for the
    /// moment it takes.
    ///
    /// # Errors
    /// A port is taken, or the engine does not do its part; the proxy is back on its ports then.
    pub async fn move_proxy(&self, to: ProxyPorts) -> Result<Arc<dyn Proxy>, Problem> {
        let Some(old) = self.proxy_detail().await? else {
            let moved = self.on(to);
            let name = moved.make_proxy().await?;
            return moved.connect(&name).await;
        };
        let before = published(&old.ports);
        let ready = self.without_proxy().await?;
        match ready.start(self, to).await {
            Ok(proxy) => Ok(proxy),
            Err(problem) => {
                ready.start(self, before).await?;
                Err(problem)
            }
        }
    }

    /// Takes the proxy's container away; what it takes to start an equal one.
    pub(crate) async fn without_proxy(&self) -> Result<Ready, Problem> {
        let Some(old) = self.proxy_detail().await? else {
            return Err(Problem::new(Outcome::Environment, "no-proxy", "the proxy's container went away"));
        };
        let labels = namespace_labels(&self.namespace).into_iter().chain([
            ("once.role".to_owned(), "proxy".to_owned()),
            ("once.version".to_owned(), old.labels.get("once.version").cloned().unwrap_or_default()),
        ]);
        let ready = Ready::new(old.name.clone(), old.image_id.clone(), labels.collect());
        self.engine.stop(&old.id, Duration::from_secs(15)).await?;
        self.engine.remove(&old.id).await?;
        Ok(ready)
    }

    /// Replaces the proxy's container by one of this binary, unless it is already. Its volume, and so its memory,
    /// stays; requests fail for the moment it takes. [`Installation::upgrade_proxy`] has no such moment.
    ///
    /// # Errors
    /// As [`Installation::ensure_proxy`].
    pub async fn replace_proxy(&self) -> Result<Arc<dyn Proxy>, Problem> {
        let Some(old) = self.proxy_detail().await? else {
            return self.ensure_proxy().await;
        };
        let image = self.proxy_image().await?;
        self.engine.load_own(&image).await?;
        let ours = self.engine.image(&image.tag).await?;
        if ours.is_some_and(|ours| ours.id == old.image_id) {
            return self.ensure_proxy().await;
        }
        // The new one is to be reached where the old one was, whatever this caller's environment says.
        let http_port = old.ports.get(&PROXY_HTTP).copied().or(self.http_port);
        let https_port = old.ports.get(&PROXY_HTTPS).copied().or(self.https_port);
        let metrics_port = old.ports.get(&PROXY_METRICS).copied();
        self.engine.stop(&old.id, Duration::from_secs(15)).await?;
        self.engine.remove(&old.id).await?;
        Self { http_port, https_port, metrics_port, ..self.clone() }.ensure_proxy().await
    }

    /// The host's ports that lead to the proxy; those it would get where there is none.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn public_ports(&self) -> Result<ProxyPorts, Problem> {
        let container = self.proxy_detail().await?;
        Ok(container.map_or_else(|| self.wished_ports(), |container| published(&container.ports)))
    }

    fn on(&self, ports: ProxyPorts) -> Self {
        Self { http_port: Some(ports.http), https_port: ports.https, metrics_port: ports.metrics, ..self.clone() }
    }

    fn wished_ports(&self) -> ProxyPorts {
        let http = self.http_port.unwrap_or(HTTP_PORT);
        let https = self.https_port.or((http == HTTP_PORT).then_some(HTTPS_PORT));
        ProxyPorts { http, https, metrics: self.metrics_port }
    }

    /// The proxy's container, looked at closely; `None`: there is none.
    async fn proxy_detail(&self) -> Result<Option<ContainerDetail>, Problem> {
        match self.proxy_container().await? {
            Some(found) => Ok(self.engine.container(&found.id).await?),
            None => Ok(None),
        }
    }

    /// Makes it; its name.
    async fn make_proxy(&self) -> Result<String, Problem> {
        let name = self.name_for_proxy().await?;
        let mut labels = namespace_labels(&self.namespace);
        self.engine.ensure_network(&self.namespace.network(), &labels).await?;
        labels.insert("once.role".into(), "proxy".into());
        self.engine.ensure_volume(&name, &labels).await?;
        let image = self.proxy_image().await?;
        self.engine.load_own(&image).await?;
        labels.insert("once.version".into(), env!("CARGO_PKG_VERSION").into());
        self.start_proxy(&Ready { name: name.clone(), image: image.tag, labels }).await?;
        Ok(name)
    }

    async fn start_proxy(&self, ready: &Ready) -> Result<(), Problem> {
        let ports = self.wished_ports();
        match self.start_on(ports, ready).await {
            // Nobody asked for this port: who has it, say a proxy in front of this one, keeps it.
            Err(EngineError::PortTaken { port, .. }) if self.https_port.is_none() && Some(port) == ports.https => {
                tracing::warn!(port, "the port for HTTPS is taken: the proxy serves HTTP only");
                Ok(self.start_on(ProxyPorts { https: None, ..ports }, ready).await?)
            }
            started => Ok(started?),
        }
    }

    async fn start_on(&self, ports: ProxyPorts, ready: &Ready) -> Result<(), EngineError> {
        let spec = self.proxy_spec(ports, ready);
        // The name is the mutex of a first boot: whoever comes second finds it taken and uses what is there.
        let id = match self.engine.create(&spec).await {
            Ok(id) => id,
            Err(EngineError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if let Err(error) = self.engine.start(&id).await {
            self.engine.remove(&id).await?;
            return Err(error);
        }
        Ok(())
    }

    async fn proxy_image(&self) -> Result<OwnImage, EngineError> {
        Ok(OwnImage {
            tag: format!("once-proxy:{}", self.engine.own_hash().await?),
            args: [
                "proxy",
                "run",
                "--state",
                PROXY_STATE,
                "--http",
                &PROXY_HTTP.to_string(),
                "--https",
                &PROXY_HTTPS.to_string(),
            ]
            .map(String::from)
            .into(),
            env: Vec::new(),
            labels: std::collections::BTreeMap::from([("once.role".to_owned(), "proxy".to_owned())]),
            exposed: vec![PROXY_HTTP, PROXY_HTTPS],
            directories: vec![PROXY_STATE.to_owned()],
            user: Some(PROXY_USER),
            volumes: Vec::new(),
        })
    }

    pub(crate) fn proxy_spec(&self, ports: ProxyPorts, ready: &Ready) -> ContainerSpec {
        ContainerSpec {
            name: ready.name.clone(),
            image: ready.image.clone(),
            command: None,
            entrypoint: None,
            env: ports.https.map(|port| (PROXY_HTTPS_PORT.to_owned(), port.to_string())).into_iter().collect(),
            labels: ready.labels.clone(),
            networks: vec![self.namespace.network()],
            mounts: vec![MountSpec::Volume { name: ready.name.clone(), target: PROXY_STATE.to_owned() }],
            memory: Some(PROXY_MEMORY),
            nano_cpus: None,
            publish: [(ports.http, PROXY_HTTP)]
                .into_iter()
                .chain(ports.https.map(|port| (port, PROXY_HTTPS)))
                .collect(),
            publish_local: ports.metrics.map(|port| (port, PROXY_METRICS)).into_iter().collect(),
            restart: Restart::UnlessStopped,
            pids: Some(PROXY_PIDS),
            log_max_size: 20 << 20,
            user: None,
            read_only: true,
            drop_capabilities: true,
            init: false,
            stop_timeout: 15,
        }
    }

    /// Connects, going on for a while if the proxy was started a moment ago, and for a moment if not: its worker may just
    /// be another one.
    pub(crate) async fn connect(&self, name: &str) -> Result<Arc<dyn Proxy>, Problem> {
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let error = match self.link.connect(name).await {
                Ok(proxy) => return Ok(proxy),
                Err(error @ ProxyError::Version { .. }) => return Err(error.into()),
                Err(error) => error,
            };
            let container = self.engine.container(name).await?;
            if container.as_ref().is_some_and(|c| !c.labels.contains_key("once.role")) {
                return Err(name_taken(name));
            }
            let fresh = container.as_ref().is_some_and(|c| {
                c.started_at
                    .is_none_or(|at| self.clock.now().duration_since(at).as_secs() < PROXY_START.as_secs() as i64)
            });
            if begun.elapsed() >= if fresh { PROXY_START } else { WORKER_START } {
                return Err(error.into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }
}

/// A proxy that was taken away, and how an equal one is made.
pub(crate) struct Ready {
    name: String,
    image: String,
    labels: std::collections::BTreeMap<String, String>,
}

/// Its container, which is there and was not started yet.
pub(crate) struct MadeProxy {
    id: String,
    name: String,
}

impl Ready {
    pub(crate) fn new(name: String, image: String, labels: std::collections::BTreeMap<String, String>) -> Self {
        Self { name, image, labels }
    }

    /// Starts it on these ports; once that has failed nothing of it is left.
    pub(crate) async fn start(&self, at: &Installation, ports: ProxyPorts) -> Result<Arc<dyn Proxy>, Problem> {
        let at = at.on(ports);
        at.start_proxy(self).await?;
        let connected = at.connect(&self.name).await;
        if connected.is_err() {
            self.remove(&at).await?;
        }
        connected
    }

    /// Makes it for these ports, which somebody else may still have.
    pub(crate) async fn make(&self, at: &Installation, ports: ProxyPorts) -> Result<MadeProxy, Problem> {
        let id = at.engine.create(&at.proxy_spec(ports, self)).await?;
        Ok(MadeProxy { id, name: self.name.clone() })
    }

    /// Takes its container away, if it is there.
    pub(crate) async fn remove(&self, at: &Installation) -> Result<(), EngineError> {
        at.engine.remove(&self.name).await
    }
}

impl MadeProxy {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start(&self, at: &Installation) -> Result<Arc<dyn Proxy>, Problem> {
        at.engine.start(&self.id).await?;
        at.connect(&self.name).await
    }
}

fn published(ports: &std::collections::BTreeMap<u16, u16>) -> ProxyPorts {
    let of = |inside: u16| ports.get(&inside).copied();
    ProxyPorts { http: of(PROXY_HTTP).unwrap_or(HTTP_PORT), https: of(PROXY_HTTPS), metrics: of(PROXY_METRICS) }
}
