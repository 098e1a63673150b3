//! One namespace on one engine, with everything a use case needs to reach it.

use std::sync::Arc;

use async_trait::async_trait;

use super::clock::{Clock, Entropy};
use super::engine::Engine;
use super::name::Namespace;
use super::proxy::{Proxy, ProxyError};

/// Opens the proxy's control channel: directly over the socket in its volume where that is allowed, else through an
/// `exec` in its container.
#[async_trait]
pub trait ProxyLink: Send + Sync {
    /// Connects; the container is running. One try, no waiting.
    async fn connect(&self, namespace: &Namespace) -> Result<Arc<dyn Proxy>, ProxyError>;
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
    /// Port of the host for HTTP where the proxy has to be made: `ONCE_HTTP_PORT`, else 80.
    pub http_port: u16,
}
