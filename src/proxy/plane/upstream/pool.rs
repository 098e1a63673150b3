//! Connections to apps. They are driven by the task that uses them (a task of their own would cost a wake-up or two a
//! request) and rest undriven, so a rest is short and ends with a look whether the app closed meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::{Duration, Instant};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::Upstream;
use super::forward::Wait;
use super::write_coalesce::Gathering;
use crate::plane::body::RequestBody;

/// How it reads and writes.
pub(in crate::plane) type AppIo = TokioIo<Gathering<TcpStream>>;

/// A connection to an app.
pub(in crate::plane) struct Wire {
    pub(in crate::plane) sender: http1::SendRequest<RequestBody>,
    pub(in crate::plane) connection: http1::Connection<AppIo, RequestBody>,
    pub(in crate::plane) wait: Wait,
    pub(in crate::plane) reused: bool,
    since: Instant,
}

/// More resting connections than this, on one thread to one release, are closed.
const MOST_IDLE: usize = 512;

/// A request that must not be sent twice takes no connection that rested longer: apps close them when they like.
const FRESH: Duration = Duration::from_millis(500);

impl Wire {
    pub(in crate::plane) fn new(
        sender: http1::SendRequest<RequestBody>,
        connection: http1::Connection<AppIo, RequestBody>,
        wait: Wait,
    ) -> Self {
        Self { sender, connection, wait, reused: false, since: Instant::now() }
    }

    /// How long it rested.
    fn rested(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// Drives it. Whether there is anything left to drive.
    pub(in crate::plane) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.connection).poll(cx).is_pending()
    }
}

impl Upstream {
    /// A rested connection that still works, the last used first.
    pub(in crate::plane) fn reuse(
        &self,
        lane: usize,
        longest: Duration,
        repeatable: bool,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Box<Wire>> {
        let longest = if repeatable { longest } else { longest.min(FRESH) };
        loop {
            let mut wire = self.idle(lane, Vec::pop)?;
            if wire.rested(now) < longest && wire.drive(cx) && wire.sender.is_ready() {
                return Some(wire);
            }
        }
    }

    /// Lets a connection rest, if it is able to take another request.
    pub(in crate::plane) fn rest(&self, lane: usize, mut wire: Box<Wire>, cx: &mut Context<'_>) {
        if wire.drive(cx) && wire.sender.is_ready() {
            wire.since = Instant::now();
            wire.reused = true;
            self.idle(lane, |idle| {
                if idle.len() < MOST_IDLE {
                    idle.push(wire);
                }
            });
        }
    }

    /// Closes what rested too long.
    pub(in crate::plane) fn sweep(&self, lane: usize, longest: Duration) {
        let now = Instant::now();
        // They rest in the order they came.
        self.idle(lane, |idle| {
            let young = idle.iter().position(|wire| wire.rested(now) < longest).unwrap_or(idle.len());
            drop(idle.drain(..young));
        });
        self.known_trunks(lane).into_iter().for_each(|trunks| trunks.sweep(longest));
    }
}
