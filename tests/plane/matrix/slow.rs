//! A connection whose reader takes its time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::cases::takes;

/// What is read at a time by a slow reader, bytes.
const PIECE: usize = 16 * 1024;

pub struct Paced {
    stream: TcpStream,
    rate: Option<usize>,
    wait: Pin<Box<Sleep>>,
    /// Bytes that came and went.
    moved: Arc<AtomicU64>,
}

impl Paced {
    /// `rate`: bytes a second.
    pub fn new(stream: TcpStream, rate: Option<usize>, moved: Arc<AtomicU64>) -> Self {
        Self { stream, rate, wait: Box::pin(tokio::time::sleep_until(Instant::now().into())), moved }
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        let Some(rate) = me.rate else {
            let before = buffer.filled().len();
            let read = Pin::new(&mut me.stream).poll_read(cx, buffer);
            me.moved.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
            return read;
        };
        std::task::ready!(me.wait.as_mut().poll(cx));
        let mut piece = [0; PIECE];
        let mut part = ReadBuf::new(&mut piece[..PIECE.min(buffer.remaining())]);
        std::task::ready!(Pin::new(&mut me.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buffer.put_slice(part.filled());
        me.moved.fetch_add(read as u64, Ordering::Relaxed);
        me.wait.as_mut().reset((Instant::now() + takes(read, rate)).into());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.moved.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
