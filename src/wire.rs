//! The concrete parts put together: Docker as the engine, its `exec` or the socket in the proxy's volume as the way to
//! the proxy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::UnixStream;

use crate::app::engine::{Engine, EngineError};
use crate::app::proxy::{Proxy, ProxyError};
use crate::app::{Clock, Entropy, ProxyLink};
use crate::docker::Docker;
use crate::entropy::{SystemClock, SystemEntropy};
use crate::proxy::client::{Client, Connector, Duplex};
use crate::ui::cli::Wiring;

/// The control socket's file in the proxy's volume.
const SOCKET: &str = "control.sock";

/// What the command runs on.
pub(crate) struct Parts;

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
}

/// The way to the proxy on one engine.
struct Link {
    docker: Arc<Docker>,
}

#[async_trait]
impl ProxyLink for Link {
    async fn connect(&self, name: &str) -> Result<Arc<dyn Proxy>, ProxyError> {
        let client = match self.socket(name).await {
            Some(path) => Client::connect_unix(path),
            None => Client::new(self.through_exec(name)),
        };
        // Whoever gets a proxy can count on it having answered.
        client.info().await?;
        Ok(Arc::new(client))
    }
}

impl Link {
    /// The socket itself, where the engine runs here and this user may open it; a hundred times quicker than an exec.
    async fn socket(&self, name: &str) -> Option<PathBuf> {
        if !self.docker.info().await.ok()?.local {
            return None;
        }
        let volume = self.docker.volume(name).await.ok()??;
        let path = Path::new(&volume.mountpoint).join(SOCKET);
        UnixStream::connect(&path).await.ok().map(|_| path)
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
