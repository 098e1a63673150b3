//! A lock held at the other end of a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::lines::decode;
use super::link::Links;
use crate::control::PING_EVERY;
use crate::control::wire::{Held, LockLine, Relock};
use crate::service::LEASE_EXPIRY;
use once_app::Secret;
use once_app::proxy::{Lease, LeaseEnd, LockRequest, ProxyError};

/// Between two tries to take a lock in hand again.
const RETRY: Duration = Duration::from_millis(50);

type Lines = BoxStream<'static, Result<LockLine, ProxyError>>;

pub(super) struct RemoteLease {
    held: watch::Receiver<Held>,
    links: Arc<Links>,
    end: watch::Receiver<Option<LeaseEnd>>,
    // Owns the answer's stream: when it goes, the proxy frees the lock.
    _keeping: AbortOnDropHandle<()>,
}

impl RemoteLease {
    /// Waits for the lock until `limit`.
    pub(super) async fn take(links: Arc<Links>, request: LockRequest, limit: Instant) -> Result<Self, ProxyError> {
        let mut wanted = request.clone();
        let (held, lines) = loop {
            let taken = async { first(decode("lock", links.open("lock", &wanted).await?), limit).await };
            match taken.await {
                // Another process of the proxy gives out the locks now.
                Err(ProxyError::Moved) if Instant::now() < limit => links.leave().await,
                taken => break taken?,
            }
            let left = limit.saturating_duration_since(Instant::now()).as_millis();
            wanted.wait_ms = wanted.wait_ms.min(u64::try_from(left).unwrap_or(u64::MAX));
        };
        let (tell, end) = watch::channel(None);
        let (now, held) = watch::channel(held);
        let keeping = keep(links.clone(), request, now, lines, tell);
        Ok(Self { held, links, end, _keeping: AbortOnDropHandle::new(tokio::spawn(keeping)) })
    }
}

/// The lock, and what is said of it later.
async fn first(mut lines: Lines, limit: Instant) -> Result<(Held, Lines), ProxyError> {
    let broke = |message: &str| ProxyError::Interrupted { message: format!("lock: {message}") };
    let first = timeout_at(limit, lines.next()).await.map_err(|_| broke("no answer in time"))?;
    match first.ok_or_else(|| broke("the answer ended"))?? {
        LockLine::Held(held) => Ok((held, lines)),
        LockLine::Moved => Err(ProxyError::Moved),
        LockLine::CancelRequested | LockLine::Lost => Err(ProxyError::LockLost),
    }
}

/// How listening to a lock's lines ended.
enum Heard {
    Lost,
    /// The connection broke, or another process of the proxy has the lock now.
    Broken,
}

/// Pings until the lock is lost; takes it in hand again where only the connection was.
async fn keep(
    links: Arc<Links>,
    request: LockRequest,
    held: watch::Sender<Held>,
    mut lines: Lines,
    tell: watch::Sender<Option<LeaseEnd>>,
) {
    let answered = Mutex::new(Instant::now());
    let keeping = async {
        loop {
            match listen(&mut lines, &tell).await {
                Heard::Lost => return,
                Heard::Broken => match retake(&links, &request, &held, &answered).await {
                    Some(again) => lines = again,
                    None => return,
                },
            }
        }
    };
    tokio::select! {
        () = keeping => {}
        () = ping(&links, &held, &answered) => {}
    }
    tell.send_replace(Some(LeaseEnd::Lost));
}

async fn listen(lines: &mut Lines, tell: &watch::Sender<Option<LeaseEnd>>) -> Heard {
    loop {
        match lines.next().await {
            Some(Ok(LockLine::CancelRequested)) => drop(tell.send_replace(Some(LeaseEnd::CancelRequested))),
            Some(Ok(LockLine::Held(_))) => {}
            Some(Ok(LockLine::Lost)) => return Heard::Lost,
            Some(Ok(LockLine::Moved) | Err(_)) | None => return Heard::Broken,
        }
    }
}

/// Takes the lock in hand again, for as long as nobody else can have been given it; `None`: it is lost.
async fn retake(
    links: &Links,
    request: &LockRequest,
    held: &watch::Sender<Held>,
    answered: &Mutex<Instant>,
) -> Option<Lines> {
    let until = *answered.lock().unwrap_or_else(PoisonError::into_inner) + LEASE_EXPIRY;
    let request = LockRequest { wait_ms: 0, ..request.clone() };
    while Instant::now() < until {
        links.leave().await;
        let ask = Relock { request: request.clone(), fence: held.borrow().fence };
        let taken = async { first(decode("relock", links.open("relock", &ask).await?), until).await };
        match taken.await {
            Ok((now, lines)) => {
                held.send_replace(now);
                return Some(lines);
            }
            Err(ProxyError::LockLost | ProxyError::Locked { .. }) => return None,
            Err(error) => tracing::debug!(%error, "the lock is not in hand again yet"),
        }
        sleep(RETRY).await;
    }
    None
}

/// Returns when the proxy no longer knows the lock, or has not answered for so long that it cannot know it.
async fn ping(links: &Links, held: &watch::Sender<Held>, answered: &Mutex<Instant>) {
    let mut ticks = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (sent, asked) = (Instant::now(), held.borrow().clone());
        let last = || answered.lock().unwrap_or_else(PoisonError::into_inner);
        match links.call("ping", &asked).await {
            Ok(()) => *last() = sent,
            // Another lock may have been taken in hand meanwhile.
            Err(ProxyError::LockLost) if held.borrow().fence == asked.fence => {
                // A process that was started again does not know it yet; if it was lost, its stream says so.
                if last().elapsed() >= LEASE_EXPIRY {
                    return;
                }
            }
            Err(_) if last().elapsed() >= LEASE_EXPIRY => return,
            Err(error) => tracing::debug!(%error, "a ping of the lock was not answered"),
        }
    }
}

#[async_trait]
impl Lease for RemoteLease {
    fn fence(&self) -> u64 {
        self.held.borrow().fence
    }

    fn token(&self) -> Option<Secret> {
        self.held.borrow().token.clone()
    }

    async fn ended(&self) -> LeaseEnd {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.map(|end| *end) {
            Ok(Some(end)) => end,
            Ok(None) | Err(_) => LeaseEnd::Lost,
        }
    }

    async fn release(self: Box<Self>) -> Result<(), ProxyError> {
        let held = self.held.borrow().clone();
        if held.shared {
            return Ok(());
        }
        self.links.call("release", &held).await
    }
}
