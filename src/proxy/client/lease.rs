//! A lock held at the other end of a connection.

use std::sync::Arc;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::link::Links;
use crate::app::proxy::{Lease, LeaseEnd, ProxyError};
use crate::proxy::control::PING_EVERY;
use crate::proxy::control::wire::{Held, LockLine};
use crate::proxy::service::LEASE_EXPIRY;

type Lines = BoxStream<'static, Result<LockLine, ProxyError>>;

pub(super) struct RemoteLease {
    held: Held,
    links: Arc<Links>,
    end: watch::Receiver<Option<LeaseEnd>>,
    // Owns the answer's stream: when it goes, the proxy frees the lock.
    _keeping: AbortOnDropHandle<()>,
}

impl RemoteLease {
    /// Waits for the lock until `limit`.
    pub(super) async fn take(links: Arc<Links>, mut lines: Lines, limit: Instant) -> Result<Self, ProxyError> {
        let broke = |message: &str| ProxyError::Interrupted { message: format!("lock: {message}") };
        let first = timeout_at(limit, lines.next()).await.map_err(|_| broke("no answer in time"))?;
        let held = match first.ok_or_else(|| broke("the answer ended"))?? {
            LockLine::Held(held) => held,
            LockLine::CancelRequested | LockLine::Lost => return Err(ProxyError::LockLost),
        };
        let (tell, end) = watch::channel(None);
        let keeping = keep(links.clone(), held.clone(), lines, tell);
        Ok(Self { held, links, end, _keeping: AbortOnDropHandle::new(tokio::spawn(keeping)) })
    }
}

/// Pings until the lock is lost.
async fn keep(links: Arc<Links>, held: Held, mut lines: Lines, tell: watch::Sender<Option<LeaseEnd>>) {
    let listening = async {
        loop {
            match lines.next().await {
                Some(Ok(LockLine::CancelRequested)) => drop(tell.send_replace(Some(LeaseEnd::CancelRequested))),
                Some(Ok(LockLine::Held(_))) => {}
                Some(Ok(LockLine::Lost) | Err(_)) | None => return,
            }
        }
    };
    tokio::select! {
        () = listening => {}
        () = ping(&links, &held) => {}
    }
    tell.send_replace(Some(LeaseEnd::Lost));
}

/// Returns when the proxy no longer knows the lock, or has not answered for so long that it cannot know it.
async fn ping(links: &Links, held: &Held) {
    let mut answered = Instant::now();
    let mut ticks = interval_at(answered + PING_EVERY, PING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let sent = Instant::now();
        match links.call("ping", held).await {
            Ok(()) => answered = sent,
            Err(ProxyError::LockLost) => return,
            Err(_) if answered.elapsed() >= LEASE_EXPIRY => return,
            Err(error) => tracing::debug!(%error, "a ping of the lock was not answered"),
        }
    }
}

#[async_trait]
impl Lease for RemoteLease {
    fn fence(&self) -> u64 {
        self.held.fence
    }

    async fn ended(&self) -> LeaseEnd {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(end)) => end,
            Ok(None) | Err(_) => LeaseEnd::Lost,
        }
    }

    async fn release(self: Box<Self>) -> Result<(), ProxyError> {
        self.links.call("release", &self.held).await
    }
}
