//! Sends a request over one connection and waits for the head of the answer.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep_until};
use tracing::{Instrument, debug, debug_span};

use super::multiplex::is_unprocessed;
use super::pool::{AppIo, Wire};
use super::write_coalesce::Gathering;
use crate::plane::body::{Meter, RequestBody, head_is_due};
use crate::plane::routing::claim::Claim;
use crate::plane::telemetry::cause::{Cause, Fault};

/// What became of a request.
pub(in crate::plane) enum Sent {
    Answer(Response<Incoming>),
    /// The connection had been closed; not a byte has gone out.
    Unsent(Box<Request<RequestBody>>),
    /// It went out over a connection that had rested, and the app closed that without a word. This is a copy of it, which
    /// may be sent once more, as it only asks.
    Unheard(Box<Request<RequestBody>>),
    /// The app says that it has not looked at it.
    Refused,
    Failed(Fault),
}

/// The engine knows at once the name of a container that runs; others it passes on to who may never answer.
const LOOK_UP: Duration = Duration::from_secs(2);

/// A new connection. Resolves the name each time: a container that was restarted has another address.
pub(in crate::plane) async fn connect(address: &str, limit: Duration) -> Result<TcpStream, Fault> {
    let connecting = async {
        let connected = connected(address, limit).await;
        match &connected {
            Ok(_) => debug!("connected"),
            Err(Fault { cause, detail }) => debug!(error = cause.word(), ?detail, "no connection"),
        }
        connected
    };
    connecting.instrument(debug_span!("connect", address)).await
}

async fn connected(address: &str, limit: Duration) -> Result<TcpStream, Fault> {
    let end = tokio::time::Instant::now() + limit;
    let looked_up = tokio::time::timeout(limit.min(LOOK_UP), tokio::net::lookup_host(address)).await;
    let addresses = match looked_up {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return Err(Fault::because(Cause::NoAddress, &error)),
        Err(_) => return Err(Fault::saying(Cause::NoAddress, "the name was not looked up in time")),
    };
    let mut none = Cause::NoAddress.into();
    for address in addresses {
        match tokio::time::timeout_at(end, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|error| Fault::because(Cause::Refused, &error))?;
                return Ok(stream);
            }
            Ok(Err(error)) => none = Fault::unconnected(&error),
            Err(_) => return Err(Cause::ConnectTimeout.into()),
        }
    }
    Err(none)
}

/// A fresh connection's two ends.
pub(in crate::plane) type Handshaken = (http1::SendRequest<RequestBody>, http1::Connection<AppIo, RequestBody>);

pub(in crate::plane) async fn handshake(stream: TcpStream, buffer: usize) -> hyper::Result<Handshaken> {
    http1::Builder::new().max_buf_size(buffer).handshake(TokioIo::new(Gathering(stream))).await
}

/// What ends the wait for an answer that does not come. It stays with a connection: to move a timer on costs a fraction of
/// setting a new one.
pub(in crate::plane) struct Wait {
    due: Pin<Box<Sleep>>,
    /// The drain's limit has passed, perhaps for somebody else.
    cut: Pin<Box<OwnedNotified>>,
}

impl Wait {
    pub(in crate::plane) fn new(claim: &Claim, now: Instant) -> Self {
        Self { due: Box::pin(sleep_until(now.into())), cut: Box::pin(Self::signal(claim)) }
    }

    fn signal(claim: &Claim) -> OwnedNotified {
        claim.upstream().cut_signal(claim.lane).notified_owned()
    }
}

/// Waits for the answer to what was given to `send`, for `limit` from `started` on. Drives the connection meanwhile,
/// unless it has a task of its own.
pub(in crate::plane) async fn answer(
    send: impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>>,
    wire: Option<&mut Wire>,
    claim: &Claim,
    meter: Option<&Meter>,
    (started, limit): (Instant, Duration),
) -> Sent {
    let mut own = None;
    let (mut connection, Wait { due, cut }) = match wire {
        Some(Wire { connection, wait, .. }) => (Some(connection), wait),
        None => (None, own.insert(Wait::new(claim, started))),
    };
    due.as_mut().reset((started + limit).into());
    let mut send = pin!(send);
    poll_fn(|cx| {
        let end = connection.as_mut().map_or(Poll::Pending, |connection| Pin::new(&mut **connection).poll(cx));
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
                    None => Sent::Failed(blame(meter, Some(error.error()))),
                };
                return Poll::Ready(sent);
            }
            Poll::Pending => {
                if let Poll::Ready(ended) = end {
                    return Poll::Ready(Sent::Failed(blame(meter, ended.err().as_ref())));
                }
            }
        }
        let signalled = cut.as_mut().poll(cx).is_ready();
        if claim.is_cut() {
            return Poll::Ready(Sent::Failed(Cause::Cut.into()));
        }
        if signalled {
            // It was meant for an earlier request.
            cut.set(Wait::signal(claim));
            cx.waker().wake_by_ref();
        }
        while due.as_mut().poll(cx).is_ready() {
            let later = head_is_due(meter, started, limit);
            if later <= Instant::now() {
                let client = meter.is_some_and(Meter::is_starved);
                let cause = if client { Cause::ClientSlow } else { Cause::HeadTimeout };
                return Poll::Ready(Sent::Failed(cause.into()));
            }
            due.as_mut().reset(later.into());
        }
        Poll::Pending
    })
    .await
}

/// Whose fault it is that the connection to the app broke.
fn blame(meter: Option<&Meter>, error: Option<&hyper::Error>) -> Fault {
    match meter {
        Some(meter) if meter.is_too_large() => Cause::BodyTooLarge.into(),
        Some(meter) if meter.is_too_slow() => Cause::ClientSlow.into(),
        Some(meter) if meter.is_broken() => Cause::ClientGone.into(),
        _ => Fault::unanswered(error),
    }
}
