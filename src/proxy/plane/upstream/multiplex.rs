//! One try to get a request to a release that speaks HTTP/2.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Request, Uri, Version};
use tracing::debug;

use super::attempt::{Attempt, Unconnected, is_safe};
use super::forward::{Sent, answer};
use crate::plane::body::RequestBody;
use crate::plane::body::replay::Spare;
use crate::plane::request::exchange::Context;
use crate::plane::request::request_id;
use crate::plane::telemetry::cause::Cause;
use crate::plane::telemetry::record::Record;

/// gRPC has deadlines of its own, and calls that are silent for hours until something happens.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

impl Context {
    /// As [`Context::attempt`], over a connection that others use too. `fresh`: over a new one.
    pub(in crate::plane) async fn attempt_over_http2(
        &self,
        request: Box<Request<RequestBody>>,
        fresh: bool,
        record: &mut Record,
    ) -> Attempt {
        // Given back first: the next try may need its place.
        record.seat = None;
        let Some(claim) = &record.claim else { return Err(Unconnected::new(request, Cause::ConnectFailed)) };
        let (options, upstream) = (&self.shared.options, claim.upstream());
        let trunks = upstream.trunks(self.lane);
        let rested = if fresh { None } else { trunks.seat() };
        let seat = match rested {
            Some(seat) => seat,
            None => {
                if upstream.outage.is_waited_for(options.timeouts.outage) {
                    return Err(Unconnected::new(request, Cause::Outage));
                }
                let address = &upstream.target.address;
                match trunks.open(address, options.timeouts.connect, options.buffer, fresh).await {
                    Ok(seat) => {
                        upstream.came_back();
                        seat
                    }
                    Err(why) => return Err(Unconnected::new(request, why)),
                }
            }
        };
        debug!(
            request_id = request_id::of(&request),
            target = upstream.target.address,
            shared = seat.reused,
            "over an HTTP/2 connection"
        );
        let is_endless = is_grpc(request.headers()) && claim.live.route.web.response_timeout.is_none();
        let limit = if is_endless { FOR_EVER } else { self.head_limit(claim) };
        let safe = is_safe(&request, record);
        let (mut request, spare) = Spare::of(*request);
        readdress(&mut request);
        request.body_mut().go_on();
        let send = seat.sender().try_send_request(request);
        let sent = answer(send, None, claim, record.meter.as_deref(), (Instant::now(), limit)).await;
        let reused = seat.reused;
        record.seat = Some(seat);
        let sent = match sent {
            // Not a byte of it was understood: for all the app knows it has not been sent yet.
            Sent::Unsent(_) | Sent::Refused => match spare.again() {
                Some(request) => Sent::Unsent(Box::new(request)),
                None => Sent::Failed(Cause::TurnedAway.into()),
            },
            Sent::Failed(fault) if fault.cause.is_unanswered() && safe && reused => match spare.again() {
                Some(copy) => Sent::Unheard(Box::new(copy)),
                None => Sent::Failed(fault),
            },
            sent => {
                spare.forget();
                sent
            }
        };
        Ok((sent, None))
    }
}

/// The request's line as HTTP/2 has it. The scheme is that of this connection, which some servers insist on; the
/// client's is in `X-Forwarded-Proto`.
fn readdress<B>(request: &mut Request<B>) {
    *request.version_mut() = Version::HTTP_2;
    request.headers_mut().remove(TRANSFER_ENCODING);
    // What an app says on the way is not told over HTTP/2.
    request.headers_mut().remove(EXPECT);
    let Some(authority) = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok()) else {
        return;
    };
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    (parts.scheme, parts.authority) = (Some(Scheme::HTTP), Some(authority));
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.headers_mut().remove(HOST);
    }
}

pub(in crate::plane) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Whether the app said that it has not looked at the request: by a GOAWAY that leaves it out, or by REFUSED_STREAM
/// (RFC 9113, 8.7).
pub(in crate::plane) fn is_unprocessed(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        cause.is_remote()
            && (cause.is_go_away() || cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether what the app said is no HTTP/2: this end has found a fault in it.
pub(in crate::plane) fn is_no_http2(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| !cause.is_remote() && !cause.is_io() && cause.reason() != Some(h2::Reason::CANCEL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_written_as_http2_has_it() {
        let mut request = Request::builder()
            .uri("/a%2Fb?c")
            .header("host", "app.test:8080")
            .header("transfer-encoding", "chunked")
            .header("te", "trailers")
            .body(())
            .unwrap();
        readdress(&mut request);
        assert_eq!(request.uri(), "http://app.test:8080/a%2Fb?c");
        assert_eq!((request.headers().len(), &request.headers()["te"]), (1, &"trailers".parse().unwrap()));
    }

    #[test]
    fn grpc_is_known_by_its_type() {
        let is = |value: &'static str| is_grpc(&[(CONTENT_TYPE, value.parse().unwrap())].into_iter().collect());
        assert!(is("application/grpc") && is("application/grpc+proto") && !is("application/json"));
    }
}
