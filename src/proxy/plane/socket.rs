//! A client's socket, which tells the connection's pulse what comes and what does not go.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::options::Limits;
use super::pulse::Pulse;

/// What a client's connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// RFC 9113, 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Said to a client whose request's head did not come in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

pub(super) struct ClientSocket<S> {
    stream: S,
    pulse: Arc<Pulse>,
    limits: Limits,
    /// Read to find out the protocol, and not yet given on: from `taken` to `ahead_len`.
    ahead: [u8; PREFACE.len()],
    ahead_len: u8,
    taken: u8,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ClientSocket<S> {
    pub(super) fn new(stream: S, pulse: Arc<Pulse>, limits: Limits) -> Self {
        Self { stream, pulse, limits, ahead: [0; PREFACE.len()], ahead_len: 0, taken: 0 }
    }

    /// Which protocol the client begins with. Most are known by their first byte.
    pub(super) async fn sniff(&mut self) -> io::Result<Protocol> {
        loop {
            let filled = usize::from(self.ahead_len);
            if filled == PREFACE.len() {
                return Ok(Protocol::Http2);
            }
            let read = self.stream.read(&mut self.ahead[filled..]).await?;
            self.pulse.came(read, &self.limits);
            self.ahead_len += u8::try_from(read).unwrap_or(0);
            if read == 0 || !PREFACE.starts_with(&self.ahead[..usize::from(self.ahead_len)]) {
                return Ok(Protocol::Http1);
            }
        }
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
        if me.taken < me.ahead_len {
            let ahead = &me.ahead[usize::from(me.taken)..usize::from(me.ahead_len)];
            let taken = ahead.len().min(buffer.remaining());
            buffer.put_slice(&ahead[..taken]);
            me.taken += u8::try_from(taken).unwrap_or(0);
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
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
