//! One request and its answer, from the look at the routing table to the head that goes to the client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use http::header::{ACCEPT, CONNECTION, EXPECT, HeaderValue, STRICT_TRANSPORT_SECURITY};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Incoming};
use tracing::debug;

use super::expect_continue::GoAhead;
use super::request_id;
use super::validate;
use super::{expect_continue, forwarded, headers, rewrite, tls_redirect};
use crate::plane::answers::pages::Page;
use crate::plane::answers::unavailable;
use crate::plane::body::compress::Wish;
use crate::plane::body::compressed::Packed;
use crate::plane::body::lingering_close::linger;
use crate::plane::body::{AnswerBody, Passed, RequestBody};
use crate::plane::handle::Shared;
use crate::plane::listener::accept::Listening;
use crate::plane::listener::activity::Pulse;
use crate::plane::listener::h2_streams::Flow;
use crate::plane::policy::guard::Refusal;
use crate::plane::routing::app::{App, Gate, Live};
use crate::plane::routing::canary::{Draw, Visitor};
use crate::plane::routing::claim::{Claim, Refused};
use crate::plane::routing::hold_limit::Held;
use crate::plane::routing::table::{Found, fold_host};
use crate::plane::telemetry::cause::{Cause, Fault};
use crate::plane::telemetry::metrics::Author;
use crate::plane::telemetry::record::{Peer, Record};
use crate::plane::upgrade::tunnel;
use crate::plane::upstream::Kind;
use crate::plane::upstream::attempt::Unconnected;
use crate::plane::upstream::forward::Sent;
use crate::plane::upstream::multiplex;
use crate::plane::upstream::pool::Wire;
use once_app::{RouteState, UrlPath};

/// What all requests of one client's connection share.
pub(in crate::plane) struct Context {
    pub(in crate::plane) shared: Arc<Shared>,
    pub(in crate::plane) listening: Arc<Listening>,
    pub(in crate::plane) lane: usize,
    pub(in crate::plane) peer: Peer,
    pub(in crate::plane) pulse: Arc<Pulse>,
}

/// New connections tried for one request before it is given up; each was closed before anything was sent.
const TRIES: u32 = 3;

type Answer = Response<AnswerBody>;

impl Context {
    /// Answers a request; there is always an answer.
    pub(in crate::plane) async fn exchange(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        // Whom a named peer speaks for is another question for each request.
        let told = self
            .peer
            .trusted
            .then(|| forwarded::told(&self.peer, request.headers(), &self.shared.config.load().trusted_proxies));
        let peer = told.as_ref().unwrap_or(&self.peer);
        let record = Record::new(self, peer, &request);
        let asked = self.pulse.asked();
        let mut response = self.route(request, peer, record).await;
        asked.answered();
        if self.pulse.is_multiplexed() {
            // It says the same in frames.
            response.headers_mut().remove(CONNECTION);
        } else if self.listening.is_stopping() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn route(self: &Arc<Self>, mut request: Request<Incoming>, peer: &Peer, mut record: Record) -> Answer {
        let protocol = headers::upgrade(request.headers()).or_else(|| headers::connect(&mut request));
        if let Err(no) = validate::check(&mut request, &self.shared.options.limits) {
            return page(no, record);
        }
        if let Some(authorization) = self.challenge(request.uri().path()) {
            return own(tls_redirect::token(authorization), record);
        }
        let Some((host, port)) = headers::authority(&request).and_then(fold_host) else {
            return page(Page::BadRequest, record);
        };
        let host = host.as_str();
        let app = match self.find(host, request.uri().path()) {
            Ok(app) => app,
            Err(no) => return page(no, record),
        };
        if self.is_misdirected(host, request.uri().path(), &app) {
            return page(Page::NoHost, record);
        }
        let live = Arc::clone(&app.live());
        if let Some(to) = self.secured(&live.route, peer, host, &request) {
            record.app = Some(app);
            return own(tls_redirect::moved(&to, request.method()), record);
        }
        let strict = tls_redirect::strict(&live.route, peer);
        let elsewhere = rewrite::redirect(&live.route, &request, peer.scheme, host, port);
        if let Some((status, headers)) = elsewhere.filter(|_| self.is_met(&live.route)) {
            record.app = Some(app);
            return own((status, headers, bytes::Bytes::new()), record);
        }
        let port = port.map(str::to_owned);
        let guard = live.guard.clone();
        let wish = guard.as_ref().filter(|guard| guard.compress).map(|_| Wish::of(&request));
        if let Some(guard) = &guard
            && let Err(refusal) = guard.check(&mut request, peer.client, record.started)
        {
            record.app = Some(app);
            return refuse(&refusal, request, record);
        }
        let accept = request.headers().get(ACCEPT).cloned();
        let client = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let chunked = !request.body().is_end_stream();
        let asks_first = expect_continue::is_awaited(&request);
        let grpc = multiplex::is_grpc(request.headers());
        let prefix = rewrite::stripped(&live.route);
        let began = record.started;
        let id = headers::to_app(&mut request, peer, port.as_deref(), prefix, protocol.as_ref(), chunked, began);
        let original = request.uri().clone();
        if let Some(prefix) = prefix {
            rewrite::strip(&mut request, prefix);
        }
        record.request_id(&id);
        let go_ahead = asks_first.then(|| GoAhead::ask(&mut request, self.shared.options.timeouts.go_ahead));
        let (head, body) = request.into_parts();
        let (body, meter) = RequestBody::new(body, &self.pulse);
        let body = body.limited(guard.and_then(|guard| guard.max_body)).waiting(go_ahead);
        let body = if grpc { body } else { body.paced(&self.shared.options.limits) };
        record.meter = meter;
        // On the heap: it moves a lot from here on.
        let request = Box::new(Request::from_parts(head, body));

        let mut answer = match self.deliver((host, &original), app, request, client.is_some(), &mut record).await {
            Err(Page::Stopped) => closed(record, accept.as_ref()),
            Err(no) => page(no, record),
            Ok((response, wire)) => match client {
                Some(client) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    self.upgrade(response, client, record)
                }
                // A 200 would tell an HTTP/2 client that it is connected.
                Some(_) if self.pulse.is_multiplexed() && response.status().is_success() => {
                    record.blame(Cause::NotUpgraded);
                    page(Page::BadGateway, record)
                }
                _ => self.pass(response, wire, wish, record).await,
            },
        };
        if let Some(strict) = strict {
            // An app may know better.
            answer.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert(strict);
        }
        answer
    }

    pub(in crate::plane) fn find(&self, host: &str, path: &str) -> Result<Arc<App>, Page> {
        match self.shared.table.load().find(host, path) {
            Found::App(app) => Ok(Arc::clone(app)),
            Found::NoPath => Err(Page::NoPath),
            Found::NoHost => Err(Page::NoHost),
        }
    }

    /// Gets the request to the release that serves now. What could not be sent is tried again, at the release that
    /// serves by then; what was sent is not.
    async fn deliver(
        &self,
        (host, original): (&str, &Uri),
        mut app: Arc<App>,
        mut request: Box<Request<RequestBody>>,
        upgrade: bool,
        record: &mut Record,
    ) -> Result<(Response<Incoming>, Option<Box<Wire>>), Page> {
        let (mut tries, mut fresh) = (0, upgrade);
        let (mut draw, mut given_up) = (Draw::default(), None);
        loop {
            record.app = Some(Arc::clone(&app));
            let claim = match self.admit(&app, &request, &mut draw.visitor(request.headers())).await {
                Ok(claim) => claim,
                Err(Page::NoHost) => {
                    app = self.find(host, original.path())?;
                    let live = Arc::clone(&app.live());
                    // What another app asks of its visitors this one has not been asked for.
                    if matches!(live.gate, Gate::Removed) || live.guard.is_some() {
                        return Err(Page::NoHost);
                    }
                    rewrite::readdress(&mut request, original, &live.route);
                    continue;
                }
                Err(no) => return Err(no),
            };
            let (live, canary) = (Arc::clone(&claim.live), claim.canary);
            record.claim = Some(claim);
            match self.attempt(request, upgrade, fresh, record).await {
                Ok((Sent::Answer(mut response), wire)) => {
                    let prefix = live.route.path_prefix.as_ref().map(UrlPath::as_str);
                    draw.remember(&mut response, prefix, self.peer.scheme == "https");
                    return Ok((response, wire));
                }
                Ok((Sent::Unsent(back), wire)) if tries < TRIES => {
                    debug!(request_id = request_id::of(&back), "it was not sent, and is tried again");
                    let reused =
                        wire.is_some_and(|wire| wire.reused) || record.seat.take().is_some_and(|seat| seat.reused);
                    tries += u32::from(!reused);
                    request = back;
                }
                Ok((Sent::Unheard(copy), _)) => {
                    debug!(request_id = request_id::of(&copy), "it was not heard, and is sent again");
                    fresh = true;
                    request = copy;
                }
                Ok((Sent::Failed(fault), _)) => return Err(record.fails(fault)),
                Ok((Sent::Unsent(_), _)) => return Err(record.fails(Cause::ClosedEarly)),
                Ok((Sent::Refused, _)) => return Err(record.fails(Cause::TurnedAway)),
                Err(Unconnected { request: back, why }) if canary => {
                    let id = request_id::of(&back);
                    debug!(
                        request_id = id,
                        error = why.cause.word(),
                        "the canary is not there: the serving release is asked"
                    );
                    // Nobody is to suffer from a candidate that is gone.
                    record.note_unreachable();
                    draw.stays = true;
                    request = back;
                }
                // The route has changed since this release ended.
                Err(Unconnected { request: back, .. }) if tries < TRIES && !Arc::ptr_eq(&live, &app.live()) => {
                    debug!(request_id = request_id::of(&back), "the release is gone: the next one is asked");
                    tries += 1;
                    request = back;
                }
                Err(Unconnected { request: back, why }) if why.cause.is_nobody() => {
                    let id = request_id::of(&back);
                    debug!(request_id = id, error = why.cause.word(), "nobody is there: the request waits");
                    request = back;
                    let until = *given_up.get_or_insert_with(|| Instant::now() + self.shared.options.timeouts.outage);
                    let visitor = &mut draw.visitor(request.headers());
                    match Box::pin(self.comeback(&app, &live, until, visitor, record)).await {
                        Ok(()) => {}
                        Err(Page::BadGateway) => return Err(record.fails(why)),
                        Err(no) => return Err(no),
                    }
                }
                Err(Unconnected { why, .. }) => return Err(record.fails(why)),
            }
            record.claim = None;
        }
    }

    async fn pass(
        &self,
        response: Response<Incoming>,
        wire: Option<Box<Wire>>,
        wish: Option<Wish>,
        mut record: Record,
    ) -> Answer {
        let (mut head, body) = response.into_parts();
        // Another protocol that nobody asked for, or a coding that nobody can undo.
        if head.status.is_informational() || !validate::is_plainly_chunked(&head.headers) {
            let what = if head.status.is_informational() { "another protocol" } else { "an unknown coding" };
            record.blame(Fault::saying(Cause::NotHttp, what));
            return page(Page::BadGateway, record);
        }
        headers::to_client(&mut head.headers, false);
        head.version = Version::default();
        let coding = wish.filter(|_| !body.is_end_stream()).and_then(|wish| wish.grant(&mut head));
        record.answered(head.status.as_u16(), &head.headers);
        if let (Some(kind), Some(claim)) = (kind(&head.headers, &body), &mut record.claim) {
            claim.becomes(kind);
        }
        record.is_under_way = true;
        let flow = if self.pulse.is_multiplexed() { Flow::here() } else { None };
        let mut passed = Passed { body, wire, lane: self.lane, record, cut: None, over: false, flow };
        if passed.body.is_end_stream() {
            poll_fn(|cx| {
                passed.let_go(cx);
                Poll::Ready(())
            })
            .await;
        }
        let body = match coding {
            None => AnswerBody::Passed(Box::new(passed)),
            Some(coding) => AnswerBody::Packed(Box::new(Packed::new(passed, coding))),
        };
        Response::from_parts(head, body)
    }

    fn upgrade(
        self: &Arc<Self>,
        mut response: Response<Incoming>,
        client: hyper::upgrade::OnUpgrade,
        mut record: Record,
    ) -> Answer {
        let app = hyper::upgrade::on(&mut response);
        let (mut head, _) = response.into_parts();
        headers::to_client(&mut head.headers, true);
        record.answered(head.status.as_u16(), &head.headers);
        record.upgraded = true;
        record.own();
        let websocket = head
            .headers
            .get(http::header::UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
        if let Some(claim) = record.take_claim().map(Claim::upgrade) {
            let tunnel = tunnel::Tunnel {
                websocket,
                claim,
                record,
                listening: self.listening.enter(),
                pulse: Arc::clone(&self.pulse),
            };
            tokio::spawn(tunnel.run(client, app));
        }
        if self.pulse.is_multiplexed() {
            headers::connected(&mut head);
        }
        Response::from_parts(head, AnswerBody::Own { rest: bytes::Bytes::new(), record: None })
    }

    /// A place at the serving release, at once or when a hold ends.
    async fn admit<B>(&self, app: &Arc<App>, request: &Request<B>, visitor: &mut Visitor<'_>) -> Result<Claim, Page> {
        match Claim::take(app, self.lane, visitor) {
            Ok(claim) => Ok(claim),
            Err(Refused::Stopped) => Err(Page::Stopped),
            Err(Refused::Removed) => Err(Page::NoHost),
            Err(Refused::Held { live, .. } | Refused::Paused { live, .. }) if is_health_check(&live, request) => {
                Err(Page::Alive)
            }
            Err(Refused::Held { .. } | Refused::Paused { .. }) => Box::pin(self.wait(app, visitor)).await,
        }
    }

    async fn wait(&self, app: &Arc<App>, visitor: &mut Visitor<'_>) -> Result<Claim, Page> {
        let _held = Held::enter(&self.shared, app).ok_or(Page::TooManyHeld)?;
        let came = Instant::now();
        loop {
            let changed = app.changed.notified();
            match Claim::take(app, self.lane, visitor) {
                Ok(claim) => return Ok(claim),
                Err(Refused::Stopped) => return Err(Page::Stopped),
                Err(Refused::Removed) => return Err(Page::NoHost),
                Err(Refused::Paused { max_wait, .. }) if came.elapsed() >= max_wait => return Err(Page::Paused),
                Err(Refused::Paused { max_wait, .. }) => {
                    let _ = tokio::time::timeout_at((came + max_wait).into(), changed).await;
                }
                Err(Refused::Held { until, .. }) if until <= Instant::now() => return Err(Page::HeldTooLong),
                Err(Refused::Held { until, .. }) => {
                    // Whichever comes first, the next look decides.
                    let _ = tokio::time::timeout_at(until.into(), changed).await;
                }
            }
        }
    }
}

/// What the answer is where it may go on for ever.
fn kind(head: &http::HeaderMap, body: &Incoming) -> Option<Kind> {
    if body.size_hint().exact().is_some() {
        return None;
    }
    let events = head.get(http::header::CONTENT_TYPE).is_some_and(|value| {
        let essence = value.as_bytes().split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
        essence.eq_ignore_ascii_case(b"text/event-stream")
    });
    Some(if events { Kind::Events } else { Kind::Open })
}

fn is_health_check<B>(live: &Live, request: &Request<B>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == live.route.health_path.as_str()
}

/// An answer of the proxy's own, or one that it gives because the app gave none: that one is the app's failure.
fn page(page: Page, mut record: Record) -> Answer {
    record.blame_at_least(Cause::of_page(page));
    let (author, failed) = match page {
        Page::BadGateway | Page::NoAnswer => (Author::App, true),
        // A deploy took too long: the request is lost, and the app was never asked.
        Page::TooManyHeld | Page::HeldTooLong => (Author::Proxy, true),
        _ => (Author::Proxy, false),
    };
    let mut response = written(page.parts(), record, author, failed);
    let unclear =
        [Page::BadRequest, Page::MethodNotAllowed, Page::RequestTooSlow, Page::NotImplemented, Page::TooLarge];
    if unclear.contains(&page) {
        // Where one request is not understood, the next one may not begin where it seems to.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to a request that the app never sees.
fn refuse(refusal: &Refusal, request: Request<Incoming>, record: Record) -> Answer {
    let mut response = page(refusal.page(), record);
    refusal.add_to(response.headers_mut());
    // Whoever waits to be told to go on is told no, and sends nothing.
    if !request.headers().contains_key(EXPECT) {
        linger(request.into_body());
    }
    response
}

/// The app is stopped or under maintenance.
fn closed(mut record: Record, accept: Option<&HeaderValue>) -> Answer {
    let live = record.app.as_ref().map(|app| Arc::clone(&app.live()));
    let state = live.as_ref().map_or(&RouteState::Stopped, |live| &live.route.state);
    let cause = if matches!(state, RouteState::Maintenance(_)) { Cause::Maintenance } else { Cause::Stopped };
    record.blame(cause);
    let (headers, body) = unavailable::answer(state, unavailable::wants_json(accept));
    own((StatusCode::SERVICE_UNAVAILABLE, headers, body), record)
}

/// An answer that is as it should be, and none of the app's: a redirect, a token, the page of a closed app.
fn own(parts: (StatusCode, HeaderMap, bytes::Bytes), record: Record) -> Answer {
    written(parts, record, Author::Proxy, false)
}

fn written(
    (status, headers, body): (StatusCode, HeaderMap, bytes::Bytes),
    mut record: Record,
    author: Author,
    failed: bool,
) -> Answer {
    record.answered(status.as_u16(), &headers);
    record.author = author;
    record.failed = failed;
    let mut response = Response::new(AnswerBody::Own { rest: body, record: Some(record) });
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
