//! Sends a request over one connection and waits for the head of the answer.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::body::{Meter, RequestBody, head_is_due};
use super::claim::Claim;
use super::multiplex::is_unprocessed;
use super::pool::Wire;

/// What became of a request.
pub(super) enum Sent {
    Answer(Response<Incoming>),
    /// The connection had been closed; not a byte has gone out.
    Unsent(Box<Request<RequestBody>>),
    /// It went out over a connection that had rested, and the app closed that without a word. This is a copy of it, which
    /// may be sent once more, as it only asks.
    Unheard(Box<Request<RequestBody>>),
    /// The app says that it has not looked at it.
    Refused,
    Failed(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The drain's limit has passed.
    Cut,
    /// No head within the time.
    TimedOut,
    /// The client broke off its body.
    Client,
    /// The client stopped sending its body.
    SlowClient,
    /// The body is larger than the app's limit.
    TooLarge,
    /// The app closed the connection, or what it said is not HTTP.
    App,
}

/// A new connection. Resolves the name each time: a container that was restarted has another address.
pub(super) async fn connect(address: &str, limit: Duration) -> io::Result<TcpStream> {
    let stream =
        tokio::time::timeout(limit, TcpStream::connect(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A fresh connection's two ends.
pub(super) type Handshaken = (http1::SendRequest<RequestBody>, http1::Connection<TokioIo<TcpStream>, RequestBody>);

pub(super) async fn handshake(stream: TcpStream, buffer: usize) -> hyper::Result<Handshaken> {
    http1::Builder::new().max_buf_size(buffer).handshake(TokioIo::new(stream)).await
}

/// Waits for the answer to what was given to `send`. Drives the connection meanwhile, unless it has a task of its own.
pub(super) async fn answer(
    send: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
    mut wire: Option<&mut Wire>,
    claim: &Claim,
    meter: Option<&Meter>,
    limit: Duration,
) -> Sent {
    let started = Instant::now();
    let mut send = pin!(send);
    let mut due = pin!(tokio::time::sleep_until((started + limit).into()));
    let mut cut = pin!(claim.upstream().cut_signal(claim.lane).notified_owned());
    poll_fn(|cx| {
        let open = wire.as_mut().is_none_or(|wire| wire.drive(cx));
        match send.as_mut().poll(cx) {
            Poll::Ready(Ok(response)) => {
                if let Some(meter) = meter {
                    meter.answer();
                }
                return Poll::Ready(Sent::Answer(response));
            }
            Poll::Ready(Err(mut error)) => {
                let sent = match error.take_message() {
                    Some(request) => Sent::Unsent(Box::new(request)),
                    None if is_unprocessed(error.error()) => Sent::Refused,
                    None => Sent::Failed(blame(meter)),
                };
                return Poll::Ready(sent);
            }
            Poll::Pending if !open => return Poll::Ready(Sent::Failed(blame(meter))),
            Poll::Pending => {}
        }
        let signalled = cut.as_mut().poll(cx).is_ready();
        if claim.is_cut() {
            return Poll::Ready(Sent::Failed(Failure::Cut));
        }
        if signalled {
            // It was meant for an earlier request.
            cut.set(claim.upstream().cut_signal(claim.lane).notified_owned());
            cx.waker().wake_by_ref();
        }
        while due.as_mut().poll(cx).is_ready() {
            let later = head_is_due(meter, started, limit);
            if later <= Instant::now() {
                let client = meter.is_some_and(Meter::is_starved);
                return Poll::Ready(Sent::Failed(if client { Failure::SlowClient } else { Failure::TimedOut }));
            }
            due.as_mut().reset(later.into());
        }
        Poll::Pending
    })
    .await
}

/// Whose fault it is that the connection to the app broke.
fn blame(meter: Option<&Meter>) -> Failure {
    match meter {
        Some(meter) if meter.is_too_large() => Failure::TooLarge,
        Some(meter) if meter.is_too_slow() => Failure::SlowClient,
        Some(meter) if meter.is_broken() => Failure::Client,
        _ => Failure::App,
    }
}
