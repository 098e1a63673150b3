//! One try to get a request to a release, over a connection that rested or a new one.

use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use tracing::debug;

use super::forward::{Handshaken, Sent, Wait, answer, connect, handshake};
use super::pool::Wire;
use crate::plane::body::RequestBody;
use crate::plane::request::exchange::Context;
use crate::plane::request::request_id;
use crate::plane::routing::claim::Claim;
use crate::plane::telemetry::cause::{Cause, Fault};
use crate::plane::telemetry::record::Record;
use once_app::{Span, Upstream};

pub(in crate::plane) type Attempt = Result<(Sent, Option<Box<Wire>>), Unconnected>;

/// The app took no connection. Gives the request back.
pub(in crate::plane) struct Unconnected {
    pub(in crate::plane) request: Box<Request<RequestBody>>,
    pub(in crate::plane) why: Fault,
}

impl Unconnected {
    pub(in crate::plane) fn new(request: Box<Request<RequestBody>>, why: impl Into<Fault>) -> Self {
        Self { request, why: why.into() }
    }
}

impl Context {
    /// `fresh`: not over a connection that has rested.
    pub(in crate::plane) async fn attempt(
        &self,
        request: Box<Request<RequestBody>>,
        upgrade: bool,
        fresh: bool,
        record: &mut Record,
    ) -> Attempt {
        // Another protocol is asked for in HTTP/1.1, which servers of this kind take too if they know any.
        let over_http2 = |claim: &Claim| !upgrade && claim.live.route.web.upstream == Upstream::H2c;
        if record.claim.as_ref().is_some_and(over_http2) {
            return Box::pin(self.attempt_over_http2(request, fresh, record)).await;
        }
        let record = &*record;
        let Some(claim) = &record.claim else { return Err(Unconnected::new(request, Cause::ConnectFailed)) };
        let (upstream, timeouts) = (claim.upstream(), &self.shared.options.timeouts);
        let safe = is_safe(&request, record);
        let mut now = Instant::now();
        let rested = match fresh {
            true => None,
            false => poll_fn(|cx| Poll::Ready(upstream.reuse(self.lane, timeouts.upstream_idle, safe, now, cx))).await,
        };
        let mut copy = None;
        let mut wire = match rested {
            Some(wire) => {
                debug!(
                    request_id = request_id::of(&request),
                    target = upstream.target.address,
                    "over a connection that rested"
                );
                // The app may be closing it just now: what may be repeated is kept until the answer comes.
                copy = safe.then(|| Copied::of(&request));
                wire
            }
            // On the heap, as are the other ways that few requests take: what is here moves with each of them.
            None => match Box::pin(self.open(upstream, &request)).await {
                Err(why) => return Err(Unconnected::new(request, why)),
                Ok(opened) if upgrade => {
                    return Ok((Box::pin(self.send_apart(opened, request, record, claim)).await, None));
                }
                Ok((sender, connection)) => {
                    now = Instant::now();
                    Box::new(Wire::new(sender, connection, Wait::new(claim, now)))
                }
            },
        };
        let send = wire.sender.try_send_request(*request);
        let limit = self.head_limit(claim);
        let sent = answer(send, Some(&mut wire), claim, record.meter.as_deref(), (now, limit)).await;
        match (sent, copy) {
            (Sent::Failed(fault), Some(copy)) if fault.cause.is_unanswered() => {
                Ok((Sent::Unheard(Box::new(copy.request())), Some(wire)))
            }
            (sent, _) => Ok((sent, Some(wire))),
        }
    }

    async fn open<B>(&self, upstream: &super::Upstream, request: &Request<B>) -> Result<Handshaken, Fault> {
        if upstream.outage.is_waited_for(self.shared.options.timeouts.outage) {
            return Err(Cause::Outage.into());
        }
        debug!(request_id = request_id::of(request), target = upstream.target.address, "over a new connection");
        let stream = connect(&upstream.target.address, self.shared.options.timeouts.connect).await?;
        upstream.came_back();
        let shaken = handshake(stream, self.shared.options.buffer).await;
        shaken.map_err(|error| Fault::because(Cause::Refused, &error))
    }

    /// A connection that may change its protocol needs a task of its own.
    async fn send_apart(
        &self,
        (mut sender, connection): Handshaken,
        request: Box<Request<RequestBody>>,
        record: &Record,
        claim: &Claim,
    ) -> Sent {
        tokio::spawn(connection.with_upgrades());
        let send = sender.try_send_request(*request);
        answer(send, None, claim, record.meter.as_deref(), (Instant::now(), self.head_limit(claim))).await
    }

    /// How long the app may take until its answer begins.
    pub(in crate::plane) fn head_limit(&self, claim: &Claim) -> Duration {
        let own = claim.live.route.web.response_timeout;
        own.map_or(self.shared.options.timeouts.response_head, Span::duration)
    }
}

/// Whether it may be sent twice: it only asks, and has no body.
pub(in crate::plane) fn is_safe<B>(request: &Request<B>, record: &Record) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && record.meter.is_none()
}

/// What it takes to send a request without a body once more, which few need. A list: to copy a map costs several times as
/// much, and this is done for almost every request.
struct Copied {
    method: Method,
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Copied {
    fn of(request: &Request<RequestBody>) -> Self {
        let headers = request.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { method: request.method().clone(), uri: request.uri().clone(), headers }
    }

    fn request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        (*request.method_mut(), *request.uri_mut()) = (self.method, self.uri);
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }
}
