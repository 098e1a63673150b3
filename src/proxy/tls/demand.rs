//! Names that no app was given by name: they may get a certificate when somebody asks for them.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// What is waited for; it closes when there is a certificate, or when there will be none for now.
pub(crate) type Flight = watch::Receiver<()>;

/// Who sees to such names. It never makes a handshake wait by itself.
pub(crate) trait OnDemand: fmt::Debug + Send + Sync {
    /// Begins to get the certificate of a name, in lower case and without final dot, or joins those who wait for it.
    /// `None`: nothing is done about it now, or there is one by now.
    fn begin(self: Arc<Self>, name: &str) -> Option<Flight>;
}
