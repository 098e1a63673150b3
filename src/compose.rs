//! The concrete parts put together: Docker as the engine, its `exec` or the socket in the proxy's volume as the way to
//! the proxy.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::UnixStream;

use crate::entropy::{SystemClock, SystemEntropy};
use crate::{console, parts};
use once_app::engine::{Engine, EngineError};
use once_app::proxy::{Proxy, ProxyError};
use once_app::{Clock, Entropy, Problem, ProxyLink};
use once_cli::{Cli, ConsoleStart, Output, Part, Wiring};
use once_docker::Docker;
use once_proxy::client::{Client, Connector, Duplex};

/// The control socket's file in the proxy's volume.
const SOCKET: &str = "control.sock";

/// What the command runs on.
pub(crate) struct Parts;

/// Runs what was asked for: a part of the machinery, else the command.
pub(crate) async fn run(cli: &Cli, out: &mut Output) -> ExitCode {
    match cli.part() {
        Some(part) => run_part(part).await,
        None => once_cli::run(cli, &Parts, out).await.into(),
    }
}

/// Runs a part of the machinery to its end.
pub(crate) async fn run_part(part: Part) -> ExitCode {
    parts::run(part, &mut std::io::stdout()).await
}

#[async_trait]
impl Wiring for Parts {
    async fn engine(&self, address: Option<&str>) -> Result<(Arc<dyn Engine>, Arc<dyn ProxyLink>), EngineError> {
        let docker = Arc::new(Docker::connect(address).await?);
        Ok((Arc::clone(&docker) as Arc<dyn Engine>, Arc::new(Link { docker })))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::new(SystemEntropy)
    }

    async fn console(&self, start: ConsoleStart) -> Result<(), Problem> {
        console::show(start).await
    }
}

/// The way to the proxy on one engine.
struct Link {
    docker: Arc<Docker>,
}

#[async_trait]
impl ProxyLink for Link {
    async fn connect(&self, name: &str) -> Result<Arc<dyn Proxy>, ProxyError> {
        let client = match self.socket(name).await {
            Way::Socket(path) => Client::connect_unix(path),
            Way::Exec => Client::new(self.through_exec(name)),
            Way::NotYet => {
                let message = format!("nobody listens on {SOCKET} in the volume {name} yet");
                return Err(ProxyError::Unreachable { message });
            }
        };
        // Whoever gets a proxy can count on it having answered.
        client.info().await?;
        Ok(Arc::new(client))
    }
}

/// How the proxy is reached.
enum Way {
    /// The socket itself: a hundred times quicker than an exec.
    Socket(PathBuf),
    /// A program in its container.
    Exec,
    /// The socket's directory can be looked into, and nobody listens there: an exec would find the same, later.
    NotYet,
}

impl Link {
    /// The socket itself, where the engine runs here and this user may open it.
    async fn socket(&self, name: &str) -> Way {
        if !self.docker.info().await.is_ok_and(|info| info.local) {
            return Way::Exec;
        }
        let Ok(Some(volume)) = self.docker.volume(name).await else { return Way::Exec };
        let directory = Path::new(&volume.mountpoint);
        let path = directory.join(SOCKET);
        match UnixStream::connect(&path).await {
            Ok(_) => Way::Socket(path),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
                    && tokio::fs::read_dir(directory).await.is_ok() =>
            {
                Way::NotYet
            }
            Err(_) => Way::Exec,
        }
    }

    /// `once proxy ctl` in the proxy's container: works wherever the engine does.
    fn through_exec(&self, name: &str) -> Connector {
        let (docker, container) = (Arc::clone(&self.docker), name.to_owned());
        Arc::new(move || {
            let (docker, container) = (Arc::clone(&docker), container.clone());
            Box::pin(async move {
                let argv = ["/once", "proxy", "ctl"].map(String::from);
                match docker.exec_stdio(&container, &argv).await {
                    Ok(stdio) => Ok(Box::new(stdio) as Box<dyn Duplex>),
                    Err(error) => Err(ProxyError::Unreachable { message: error.to_string() }),
                }
            })
        })
    }
}
