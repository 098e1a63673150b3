//! Connections to apps that speak HTTP/2. Many requests share one, so each is driven by a task of its own.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::empty_frames::WithoutEmptyFrames;
use super::forward::connect;
use crate::plane::body::RequestBody;
use crate::plane::clock;
use crate::plane::telemetry::cause::{Cause, Fault};

/// Requests that share a connection; apps may ask for fewer.
const SEATS: usize = 128;
/// Bytes of an answer that may lie here before its client takes them.
const STREAM_WINDOW: u32 = 64 * 1024;
/// As many as all answers of a connection together may leave lying, so that slow clients hold up nobody else.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * SEATS as u32;
/// Streams may be silent for hours, so it is asked underneath whether the other end still exists.
const ALIVE_AFTER: Duration = Duration::from_secs(30);

type Driver = http2::Connection<TokioIo<WithoutEmptyFrames<TcpStream>>, RequestBody, TokioExecutor>;

/// One connection.
struct Trunk {
    sender: http2::SendRequest<RequestBody>,
    /// `None`: it has ended. What had not been sent by then is given back when it is dropped.
    driver: Arc<Mutex<Option<Driver>>>,
    taken: AtomicUsize,
    /// When the last seat was given back.
    since: AtomicU64,
}

/// A request's place on a connection; dropping it gives it back.
pub(in crate::plane) struct Seat {
    trunk: Arc<Trunk>,
    /// Others were there before.
    pub(in crate::plane) reused: bool,
}

impl Seat {
    pub(in crate::plane) fn sender(&self) -> http2::SendRequest<RequestBody> {
        self.trunk.sender.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.trunk.since.store(clock::millis(Instant::now()), Ordering::Relaxed);
        self.trunk.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Trunk {
    fn has_room(&self) -> bool {
        let most = lock(&self.driver).as_ref().map_or(0, Driver::current_max_send_streams).min(SEATS);
        self.taken.load(Ordering::Relaxed) < most
    }

    fn seat(self: &Arc<Self>, reused: bool) -> Seat {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Seat { trunk: Arc::clone(self), reused }
    }

    fn is_idle(&self, longest: Duration) -> bool {
        self.taken.load(Ordering::Relaxed) == 0
            && clock::at_millis(self.since.load(Ordering::Relaxed)).elapsed() >= longest
    }
}

/// A thread's connections to one release.
#[derive(Default)]
pub(in crate::plane) struct Trunks {
    open: Mutex<Vec<Arc<Trunk>>>,
    /// One at a time: who waits for a connection may find room on it.
    opening: tokio::sync::Mutex<()>,
    /// Tries that came to nothing.
    failed: AtomicU64,
}

impl Trunks {
    /// A place on a connection that is there.
    pub(in crate::plane) fn seat(&self) -> Option<Seat> {
        let mut open = lock(&self.open);
        open.retain(|trunk| !trunk.sender.is_closed());
        open.iter().find(|trunk| trunk.has_room()).map(|trunk| trunk.seat(true))
    }

    /// A place on a new connection, or on one that came about meanwhile. `fresh`: not on another's.
    ///
    /// # Errors
    ///
    /// The app takes no connection.
    pub(in crate::plane) async fn open(
        &self,
        address: &str,
        limit: Duration,
        head: usize,
        fresh: bool,
    ) -> Result<Seat, Fault> {
        let failed = self.failed.load(Ordering::Relaxed);
        let _alone = self.opening.lock().await;
        if self.failed.load(Ordering::Relaxed) != failed {
            // Whoever was first has waited for all.
            return Err(Cause::Outage.into());
        }
        if let Some(seat) = (!fresh).then(|| self.seat()).flatten() {
            return Ok(seat);
        }
        let opened = begin(address, limit, head).await;
        match opened {
            Ok(trunk) => {
                let seat = trunk.seat(false);
                lock(&self.open).push(trunk);
                Ok(seat)
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Closes what nobody uses.
    pub(in crate::plane) fn sweep(&self, longest: Duration) {
        lock(&self.open).retain(|trunk| !trunk.sender.is_closed() && !trunk.is_idle(longest));
    }

    /// Closes all; what is under way goes on.
    pub(in crate::plane) fn close(&self) {
        lock(&self.open).clear();
    }
}

async fn begin(address: &str, limit: Duration, head: usize) -> Result<Arc<Trunk>, Fault> {
    let stream = connect(address, limit).await?;
    let alive = TcpKeepalive::new().with_time(ALIVE_AFTER).with_interval(ALIVE_AFTER / 3).with_retries(3);
    SockRef::from(&stream).set_tcp_keepalive(&alive).map_err(|error| Fault::because(Cause::ConnectFailed, &error))?;
    let (sender, driver) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        .max_send_buf_size(head)
        .handshake(TokioIo::new(WithoutEmptyFrames::new(stream)))
        .await
        .map_err(|error| Fault::because(Cause::Refused, &error))?;
    let driver = Arc::new(Mutex::new(Some(driver)));
    let driven = Arc::clone(&driver);
    // Ends when the last sender is gone, or the app's end of it.
    tokio::spawn(std::future::poll_fn(move |cx| {
        let mut driver = lock(&driven);
        let ended = driver.as_mut().is_none_or(|driver| Pin::new(driver).poll(cx).is_ready());
        if !ended {
            return Poll::Pending;
        }
        *driver = None;
        Poll::Ready(())
    }));
    let since = AtomicU64::new(clock::millis(Instant::now()));
    Ok(Arc::new(Trunk { sender, driver, taken: AtomicUsize::new(0), since }))
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
