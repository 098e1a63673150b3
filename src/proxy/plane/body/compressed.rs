//! An answer's body that is compressed on its way.

use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use hyper::body::Frame;

use super::compress::Coding;
use super::encoder::Encoder;
use super::{Broken, Passed};

pub(in crate::plane) struct Packed {
    passed: Passed,
    /// `None`: everything has come out.
    encoder: Option<Encoder>,
    /// Something may still be inside.
    full: bool,
    trailers: Option<HeaderMap>,
    sent: u64,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Broken>>>;

impl Packed {
    pub(in crate::plane) fn new(passed: Passed, coding: Coding) -> Self {
        Self { passed, encoder: Some(Encoder::new(coding)), full: false, trailers: None, sent: 0 }
    }

    pub(in crate::plane) fn poll(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            };
            let out = match self.passed.poll(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        self.full = true;
                        encoder.put(data.chunk())
                    }
                    Err(frame) => {
                        self.trailers = frame.into_trailers().ok();
                        let rest = encoder.finish();
                        self.encoder = None;
                        rest
                    }
                },
                Poll::Ready(Some(Err(broken))) => return Poll::Ready(Some(Err(broken))),
                Poll::Ready(None) => {
                    let rest = encoder.finish();
                    self.encoder = None;
                    rest
                }
                // The app pauses: what it has said so far goes on now.
                Poll::Pending if self.full => {
                    self.full = false;
                    encoder.flush()
                }
                Poll::Pending => return Poll::Pending,
            };
            let out = match out {
                Ok(out) => out,
                Err(error) => return Poll::Ready(Some(Err(self.passed.broke(error.into())))),
            };
            self.sent += out.len() as u64;
            // Counted and logged is what the client gets.
            self.passed.record.bytes_out = self.sent;
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }

    pub(in crate::plane) fn is_end(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }
}
