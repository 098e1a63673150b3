//! Bodies on their way through, a piece at a time.

pub(crate) mod compress;
pub(crate) mod compressed;
pub(crate) mod encoder;
pub(crate) mod lingering_close;
pub(crate) mod replay;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::futures::OwnedNotified;

use super::clock;
use super::listener::activity::Pulse;
use super::listener::h2_streams::Flow;
use super::options::Limits;
use super::policy::min_rate::Pace;
use super::request::expect_continue::GoAhead;
use super::request::headers;
use super::telemetry::cause::{Cause, Fault};
use super::telemetry::record::Record;
use super::upstream::pool::Wire;
use compressed::Packed;
use encoder::EncodeError;
use lingering_close::linger;
use replay::{Kept, Reader};

/// A request's body on its way to the app.
pub(super) struct RequestBody {
    inner: Option<Source>,
    meter: Option<Arc<Meter>>,
    /// Bytes that may still come.
    left: u64,
    /// Nothing is asked for before.
    go_ahead: Option<Box<GoAhead>>,
    pace: Option<Box<Pace>>,
}

/// What is asked for of a request's body.
pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, Unsendable>>>;

/// Where a request's body comes from.
enum Source {
    Client(Incoming),
    /// From the client, by way of somebody who remembers it.
    Shared(Reader),
}

impl Source {
    /// The next frame, and whether it comes from the client just now.
    fn poll(&mut self, cx: &mut Context<'_>) -> (Polled, bool) {
        match self {
            Self::Client(body) => (Pin::new(body).poll_frame(cx).map_err(Into::into), true),
            Self::Shared(reader) => reader.poll(cx),
        }
    }
}

/// Why a request's body ends early; the app sees a broken connection, as it must.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the client broke off")]
    Client(#[from] hyper::Error),
    #[error("the body is larger than the app's limit")]
    TooLarge,
    #[error("the client sends too little")]
    TooSlow,
    #[error("it is sent again elsewhere")]
    SentAgain,
}

/// What is known of a request's body while it passes.
pub(super) struct Meter {
    bytes: AtomicU64,
    moved: AtomicU64,
    /// The app would take more than the client has sent.
    starved: AtomicBool,
    broken: AtomicBool,
    pulse: Arc<Pulse>,
    too_large: AtomicBool,
    too_slow: AtomicBool,
    answered: AtomicBool,
}

impl Meter {
    /// The answer has begun, so that nobody waits for the body alone.
    pub(super) fn answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Less came than a client has to send.
    pub(super) fn is_too_slow(&self) -> bool {
        self.too_slow.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The client's end broke.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// More came than the app takes.
    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.load(Ordering::Relaxed)
    }

    /// Whether it is the client that is waited for.
    pub(super) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }

    /// When the last piece came.
    pub(super) fn moved(&self) -> Instant {
        clock::at_millis(self.moved.load(Ordering::Relaxed))
    }

    fn note(&self, bytes: usize) {
        if bytes > 0 {
            self.pulse.progress();
        }
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.moved.store(clock::millis(Instant::now()), Ordering::Relaxed);
    }
}

impl RequestBody {
    /// Requests without a body need no meter.
    pub(super) fn new(inner: Incoming, pulse: &Arc<Pulse>) -> (Self, Option<Arc<Meter>>) {
        let meter = (!inner.is_end_stream()).then(|| {
            Arc::new(Meter {
                bytes: AtomicU64::new(0),
                moved: AtomicU64::new(clock::millis(Instant::now())),
                starved: AtomicBool::new(false),
                broken: AtomicBool::new(false),
                pulse: Arc::clone(pulse),
                too_large: AtomicBool::new(false),
                too_slow: AtomicBool::new(false),
                answered: AtomicBool::new(false),
            })
        });
        let inner = meter.is_some().then_some(Source::Client(inner));
        (Self { inner, meter: meter.clone(), ..Self::empty() }, meter)
    }

    /// The same body, which breaks off behind so many bytes.
    pub(super) fn limited(self, bytes: Option<u64>) -> Self {
        Self { left: bytes.unwrap_or(u64::MAX), ..self }
    }

    /// The same body, which is not asked for before the app has said so.
    pub(super) fn waiting(self, go_ahead: Option<GoAhead>) -> Self {
        Self { go_ahead: go_ahead.map(Box::new), ..self }
    }

    /// There is nobody who would say so.
    pub(super) fn go_on(&mut self) {
        self.go_ahead = None;
    }

    /// The same body, which breaks off when its client dawdles.
    pub(super) fn paced(self, limits: &Limits) -> Self {
        let pace = self.inner.is_some().then(|| Box::new(Pace::new(limits)));
        Self { pace, ..self }
    }

    fn overflow(&mut self) -> Unsendable {
        if let Some(meter) = &self.meter {
            meter.too_large.store(true, Ordering::Relaxed);
        }
        match self.inner.take() {
            Some(Source::Client(rest)) => linger(rest),
            Some(Source::Shared(reader)) => reader.end().into_iter().for_each(linger),
            None => {}
        }
        Unsendable::TooLarge
    }

    /// From now on what passes is remembered, by whom is given. `None`: there is nothing to remember.
    pub(super) fn share(&mut self) -> Option<Arc<Mutex<Kept>>> {
        let reader = match self.inner.take()? {
            Source::Client(body) => Reader::new(body),
            Source::Shared(reader) => reader,
        };
        let kept = reader.kept();
        self.inner = Some(Source::Shared(reader));
        Some(kept)
    }

    /// The same without what it carries.
    pub(super) fn twin(&self) -> Self {
        let pace = self.pace.clone();
        Self { inner: None, meter: self.meter.clone(), left: self.left, go_ahead: None, pace }
    }

    pub(super) fn read_from(&mut self, reader: Reader) {
        self.inner = Some(Source::Shared(reader));
    }

    pub(super) fn empty() -> Self {
        Self { inner: None, meter: None, left: u64::MAX, go_ahead: None, pace: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Unsendable;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Unsendable>>> {
        if let Some(go_ahead) = &mut self.go_ahead {
            if go_ahead.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.go_ahead = None;
        }
        let me = &mut *self;
        let Some(inner) = &mut me.inner else { return Poll::Ready(None) };
        let (mut polled, now) = inner.poll(cx);
        clean(&mut polled);
        if let Some(meter) = me.meter.as_ref().filter(|_| now) {
            if let Some(pace) = &mut me.pace
                && !meter.is_answered()
                && pace.is_too_slow(&polled, Instant::now())
            {
                meter.too_slow.store(true, Ordering::Relaxed);
                me.inner = None;
                return Poll::Ready(Some(Err(Unsendable::TooSlow)));
            }
            meter.starved.store(polled.is_pending(), Ordering::Relaxed);
            match &polled {
                Poll::Ready(Some(Ok(frame))) => meter.note(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(Some(Err(_))) => meter.broken.store(true, Ordering::Relaxed),
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let passed = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(passed) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(self.overflow()))),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            None => true,
            Some(Source::Client(body)) => body.is_end_stream(),
            Some(Source::Shared(reader)) => reader.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            None => SizeHint::with_exact(0),
            Some(Source::Client(body)) => body.size_hint(),
            Some(Source::Shared(reader)) => reader.size_hint(),
        }
    }
}

/// Trailers may hold only what could not have changed the head.
fn clean<E>(polled: &mut Poll<Option<Result<Frame<Bytes>, E>>>) {
    if let Poll::Ready(Some(Ok(frame))) = polled
        && let Some(trailers) = frame.trailers_mut()
    {
        headers::trailers(trailers);
    }
}

/// An answer's body on its way to the client. Holds the request's record, which is written down with its end.
pub(super) enum AnswerBody {
    Own { rest: Bytes, record: Option<Record> },
    Passed(Box<Passed>),
    Packed(Box<Packed>),
}

/// An answer that comes from the app, and the connection it comes over.
pub(super) struct Passed {
    pub(super) body: Incoming,
    /// `None`: it is driven elsewhere, or has been let go.
    pub(super) wire: Option<Box<Wire>>,
    pub(super) lane: usize,
    pub(super) record: Record,
    pub(super) cut: Option<Pin<Box<OwnedNotified>>>,
    /// It was ended here, before its end.
    pub(super) over: bool,
    /// Set where many answers share a connection.
    pub(super) flow: Option<Arc<Flow>>,
}

/// Why an answer ends early; the client sees a broken connection, as it must.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the app broke off")]
    App(#[from] hyper::Error),
    #[error("the drain's limit has passed")]
    Cut,
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Passed {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let mut driven = false;
        loop {
            let mut polled = Pin::new(&mut self.body).poll_frame(cx);
            clean(&mut polled);
            match polled {
                Poll::Ready(Some(Ok(frame))) => {
                    self.record.bytes_out += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                    if let Some(flow) = &self.flow {
                        self.record.progress();
                        flow.offer();
                    }
                    // Nobody asks what comes behind trailers.
                    self.record.is_under_way &= !frame.is_trailers();
                    if self.body.is_end_stream() {
                        self.let_go(cx);
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(self.broke(error.into())))),
                Poll::Ready(None) => {
                    self.let_go(cx);
                    return Poll::Ready(None);
                }
                Poll::Pending if driven => return self.poll_cut(cx),
                Poll::Pending => {}
            }
            driven = true;
            if let Some(wire) = &mut self.wire
                && !wire.drive(cx)
            {
                // What was read before the end is still in the body.
                self.wire = None;
            }
        }
    }

    /// Waits for the app, or for the drain's limit.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(flow) = &self.flow {
            flow.taken();
        }
        let Some(claim) = &self.record.claim else { return Poll::Pending };
        // Most answers are over before they have to wait even once.
        let cut = self.cut.get_or_insert_with(|| Box::pin(claim.upstream().cut_signal(self.lane).notified_owned()));
        let signalled = cut.as_mut().poll(cx).is_ready();
        if claim.is_cut() {
            if claim.ends_well() {
                // A client of events asks again by itself, and gets the release that serves by then.
                self.wire = None;
                self.over = true;
                self.record.is_under_way = false;
                self.record.blame(Cause::Cut);
                return Poll::Ready(None);
            }
            return Poll::Ready(Some(Err(self.broke(Broken::Cut))));
        }
        if signalled {
            self.cut = None;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    pub(super) fn broke(&mut self, why: Broken) -> Broken {
        self.record.failed = true;
        self.record.blame(match &why {
            Broken::App(error) => Fault::because(Cause::BrokenOff, error),
            Broken::Cut => Cause::Cut.into(),
            Broken::Encode(error) => Fault::because(Cause::NotCompressed, error),
        });
        self.wire = None;
        why
    }

    /// Nothing more comes over the connection: lets it rest.
    pub(super) fn let_go(&mut self, cx: &mut Context<'_>) {
        self.record.is_under_way = false;
        if let (Some(wire), Some(claim)) = (self.wire.take(), &self.record.claim) {
            claim.upstream().rest(self.lane, wire, cx);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self.get_mut() {
            Self::Own { rest, .. } if rest.is_empty() => Poll::Ready(None),
            Self::Own { rest, record } => {
                if let Some(record) = record {
                    record.bytes_out += rest.len() as u64;
                }
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(rest)))))
            }
            Self::Passed(passed) => passed.poll(cx),
            Self::Packed(packed) => packed.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own { rest, .. } => rest.is_empty(),
            Self::Passed(passed) => passed.body.is_end_stream(),
            Self::Packed(packed) => packed.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own { rest, .. } => SizeHint::with_exact(rest.len() as u64),
            Self::Passed(passed) => passed.body.size_hint(),
            Self::Packed(_) => SizeHint::default(),
        }
    }
}

/// How long the app may still take: its time begins when the request's last byte has gone to it.
pub(super) fn head_is_due(meter: Option<&Meter>, since: Instant, limit: Duration) -> Instant {
    match meter {
        Some(meter) => meter.moved().max(since) + limit,
        None => since + limit,
    }
}
