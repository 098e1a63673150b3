//! The end of the control channel that everybody else holds: a [`Proxy`](once_app::proxy::Proxy) over any stream of
//! bytes. How to get one (the socket itself, or `once proxy ctl` in the container) is handed in.

mod calls;
mod lease;
mod lines;
mod link;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use futures_core::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use link::Links;
use once_app::proxy::ProxyError;

/// A stream of bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Makes a connection to the control socket. Called again when one broke.
pub type Connector = Arc<dyn Fn() -> BoxFuture<'static, Result<Box<dyn Duplex>, ProxyError>> + Send + Sync>;

/// A proxy at the other end of a connection. Cheap to clone; all clones share the connection. It is made by the first
/// call, and again by the next call after it broke.
#[derive(Clone)]
pub struct Client {
    links: Arc<Links>,
}

impl Client {
    /// Over connections made by `connector`. None is made yet.
    #[must_use]
    pub fn new(connector: Connector) -> Self {
        Self { links: Arc::new(Links::new(connector)) }
    }

    /// Over this one connection; when it breaks, every call is [`ProxyError::Unreachable`].
    pub fn over(io: impl Duplex + 'static) -> Self {
        let once: std::sync::Mutex<Option<Box<dyn Duplex>>> = std::sync::Mutex::new(Some(Box::new(io)));
        Self::new(Arc::new(move || {
            let io = once.lock().unwrap_or_else(PoisonError::into_inner).take();
            let gone = || ProxyError::Unreachable { message: "the connection was closed".to_owned() };
            Box::pin(std::future::ready(io.ok_or_else(gone)))
        }))
    }

    /// Over the control socket itself.
    #[must_use]
    pub fn connect_unix(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::new(Arc::new(move || {
            let path = path.clone();
            Box::pin(async move {
                match UnixStream::connect(&path).await {
                    Ok(stream) => Ok(Box::new(stream) as Box<dyn Duplex>),
                    Err(e) => Err(ProxyError::Unreachable { message: format!("{}: {e}", path.display()) }),
                }
            })
        }))
    }
}
