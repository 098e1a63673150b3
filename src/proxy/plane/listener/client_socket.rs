//! A client's socket, which tells the connection's pulse what comes and what does not go.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::activity::Pulse;
use crate::plane::options::Limits;
use crate::plane::upstream::write_coalesce;

/// What a client's connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plane) enum Protocol {
    Http1,
    Http2,
}

/// RFC 9113, 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Said to a client whose request's head did not come in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub(in crate::plane) struct ClientSocket<S> {
    stream: S,
    pulse: Arc<Pulse>,
    limits: Limits,
    /// Read already, and not yet given on.
    ahead: Bytes,
    /// What was written has not all gone out (TLS keeps some).
    unflushed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientSocket<S> {
    pub(in crate::plane) fn new(stream: S, pulse: Arc<Pulse>, limits: Limits) -> Self {
        Self { stream, pulse, limits, ahead: Bytes::new(), unflushed: false }
    }

    /// Which protocol the client begins with. Most are known by their first byte.
    pub(in crate::plane) async fn sniff(&mut self) -> io::Result<Protocol> {
        let (mut ahead, mut filled) = ([0; PREFACE.len()], 0);
        let protocol = loop {
            if filled == PREFACE.len() {
                break Protocol::Http2;
            }
            let read = self.stream.read(&mut ahead[filled..]).await?;
            self.pulse.came(read, &self.limits);
            filled += read;
            if read == 0 || !PREFACE.starts_with(&ahead[..filled]) {
                break Protocol::Http1;
            }
        };
        self.ahead = Bytes::copy_from_slice(&ahead[..filled]);
        Ok(protocol)
    }

    /// Gives back what was read from it and is not used.
    pub(in crate::plane) fn put_back(&mut self, unused: Bytes) {
        self.ahead = unused;
    }

    /// Waits for the next byte of a connection that rests. `false`: none comes.
    pub(in crate::plane) async fn wake(&mut self) -> bool {
        if self.ahead.is_empty() {
            let mut first = [0; PREFACE.len()];
            let read = self.stream.read(&mut first).await.unwrap_or(0);
            self.pulse.came(read, &self.limits);
            self.ahead = Bytes::copy_from_slice(&first[..read]);
        }
        !self.ahead.is_empty()
    }

    /// As much as goes at once; the connection ends now.
    fn say_too_slow(&mut self, cx: &mut Context<'_>) {
        let _ = Pin::new(&mut self.stream).poll_write(cx, TOO_SLOW);
        let _ = Pin::new(&mut self.stream).poll_flush(cx);
        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientSocket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.pulse.is_over() {
            if me.pulse.is_owed_a_word() {
                me.say_too_slow(cx);
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !me.ahead.is_empty() {
            let taken = me.ahead.len().min(buffer.remaining());
            buffer.put_slice(&me.ahead.split_to(taken));
            if me.ahead.is_empty() {
                me.ahead = Bytes::new();
            }
            if buffer.remaining() > 0 {
                // What comes right behind belongs to the same head; whatever else this says, it says again.
                let before = buffer.filled().len();
                let _ = Pin::new(&mut me.stream).poll_read(cx, buffer);
                me.pulse.came(buffer.filled().len() - before, &me.limits);
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut me.stream).poll_read(cx, buffer);
        if read.is_ready() {
            me.pulse.came(buffer.filled().len() - before, &me.limits);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientSocket<S> {
    fn written<T>(&self, written: Poll<T>) -> Poll<T> {
        self.pulse.takes(written.is_ready());
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientSocket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        self.written(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_pending() || self.unflushed {
            self.unflushed = flushed.is_pending();
            self.pulse.takes(flushed.is_ready());
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = write_coalesce::write(&mut self.stream, cx, data);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
