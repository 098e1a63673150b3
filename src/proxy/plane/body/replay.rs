//! What is needed to send a request once more that an app turned away unread: its head, and the part of its body that
//! has been sent already.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{Polled, RequestBody, Unsendable};

/// A request whose body has got further than this is not sent again.
const MOST: usize = 64 * 1024;

/// A request that can be had once more.
pub(in crate::plane) struct Spare {
    request: Request<RequestBody>,
    body: Option<Arc<Mutex<Kept>>>,
}

/// A body whose beginning is remembered.
pub(in crate::plane) struct Kept {
    body: Incoming,
    /// What has come, from its beginning while `whole`.
    came: VecDeque<Bytes>,
    bytes: usize,
    /// So much of `came` has been handed out to the present reader.
    read: usize,
    /// What comes is remembered, and nothing has been forgotten.
    whole: bool,
    /// Which reader is the present one; earlier ones get nothing more.
    turn: u32,
}

/// One reader's part in it.
pub(in crate::plane) struct Reader {
    kept: Arc<Mutex<Kept>>,
    turn: u32,
}

impl Spare {
    /// Splits a request in one to send and one to keep.
    pub(in crate::plane) fn of(mut request: Request<RequestBody>) -> (Request<RequestBody>, Self) {
        let body = request.body_mut().share();
        let mut copy = Request::new(RequestBody::empty());
        copy.method_mut().clone_from(request.method());
        copy.uri_mut().clone_from(request.uri());
        *copy.version_mut() = request.version();
        copy.headers_mut().clone_from(request.headers());
        *copy.body_mut() = request.body().twin();
        (request, Self { request: copy, body })
    }

    /// The request from its beginning; `None`: too much of its body is gone.
    pub(in crate::plane) fn again(self) -> Option<Request<RequestBody>> {
        let mut request = self.request;
        if let Some(body) = self.body {
            let mut kept = lock(&body);
            if !kept.whole {
                return None;
            }
            kept.read = 0;
            kept.turn += 1;
            let turn = kept.turn;
            drop(kept);
            request.body_mut().read_from(Reader { kept: body, turn });
        }
        Some(request)
    }

    /// It will not be sent again: nothing more is remembered.
    pub(in crate::plane) fn forget(self) {
        if let Some(body) = self.body {
            let mut kept = lock(&body);
            kept.whole = false;
            let read = kept.read;
            kept.came.drain(..read);
            kept.read = 0;
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reader {
    pub(in crate::plane) fn new(body: Incoming) -> Self {
        let kept = Kept { body, came: VecDeque::new(), bytes: 0, read: 0, whole: true, turn: 0 };
        Self { kept: Arc::new(Mutex::new(kept)), turn: 0 }
    }

    pub(in crate::plane) fn kept(&self) -> Arc<Mutex<Kept>> {
        Arc::clone(&self.kept)
    }

    /// The next frame, and whether it comes from the client just now.
    pub(in crate::plane) fn poll(&self, cx: &mut Context<'_>) -> (Polled, bool) {
        let mut kept = lock(&self.kept);
        let kept = &mut *kept;
        if kept.turn != self.turn {
            return (Poll::Ready(Some(Err(Unsendable::SentAgain))), false);
        }
        let known = if kept.whole { kept.came.get(kept.read).cloned() } else { kept.came.pop_front() };
        if let Some(known) = known {
            kept.read += usize::from(kept.whole);
            return (Poll::Ready(Some(Ok(Frame::data(known)))), false);
        }
        let polled = Pin::new(&mut kept.body).poll_frame(cx).map_err(Unsendable::from);
        if kept.whole
            && let Poll::Ready(Some(came)) = &polled
        {
            match came.as_ref().ok().and_then(Frame::data_ref) {
                Some(data) if kept.bytes + data.len() <= MOST => {
                    kept.bytes += data.len();
                    kept.came.push_back(data.clone());
                    kept.read += 1;
                }
                // Trailers end what can be had again, too; a client that broke off will not be back.
                _ => {
                    kept.whole = false;
                    kept.came.clear();
                    kept.read = 0;
                }
            }
        }
        (polled, true)
    }

    pub(in crate::plane) fn is_end(&self) -> bool {
        let kept = lock(&self.kept);
        let known = kept.came.len() - if kept.whole { kept.read } else { 0 };
        kept.turn == self.turn && known == 0 && kept.body.is_end_stream()
    }

    pub(in crate::plane) fn size_hint(&self) -> SizeHint {
        let kept = lock(&self.kept);
        if kept.came.is_empty() { kept.body.size_hint() } else { SizeHint::default() }
    }

    /// Nobody reads it any more: what is left of it, if it is nobody else's.
    pub(in crate::plane) fn end(self) -> Option<Incoming> {
        let kept = Arc::into_inner(self.kept)?;
        Some(kept.into_inner().unwrap_or_else(PoisonError::into_inner).body)
    }
}
