//! Takes DATA frames with nothing in them out of what an app says over HTTP/2. They are legal, and some servers send one
//! before the trailers of every call. `h2` closes a connection over its hundredth, however long that took, and with it
//! break off all the calls that share it. Strangers are held to that limit; an app is no stranger, and its connection is
//! to last as long as it does.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// Read at once: a frame of the usual size.
const BUFFER: usize = 16 * 1024;
/// What each frame begins with (RFC 9113, 4.1): its length, type, flags and stream.
const HEAD: usize = 9;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;

/// A connection that is read without them.
pub(in crate::plane) struct WithoutEmptyFrames<S> {
    inner: BufReader<S>,
    head: [u8; HEAD],
    /// So much of `head` has come.
    came: usize,
    /// So much of it has been handed on.
    told: usize,
    /// Bytes of the frame that are still to pass.
    rest: usize,
}

impl<S: AsyncRead> WithoutEmptyFrames<S> {
    pub(in crate::plane) fn new(inner: S) -> Self {
        Self { inner: BufReader::with_capacity(BUFFER, inner), head: [0; HEAD], came: 0, told: 0, rest: 0 }
    }
}

/// Whether a frame says nothing at all. One with padding does: it counts for the flow's window.
fn is_empty([l0, l1, l2, kind, flags, stream @ ..]: [u8; HEAD]) -> bool {
    [l0, l1, l2] == [0; 3] && kind == DATA && flags & END_STREAM == 0 && stream != [0; 4]
}

impl<S: AsyncRead + Unpin> WithoutEmptyFrames<S> {
    /// Passes on what is there; `false`: it has ended.
    fn poll_some(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        if self.came == HEAD {
            let head = &self.head[self.told..];
            let fits = head.len().min(buffer.remaining());
            buffer.put_slice(&head[..fits]);
            self.told += fits;
            if self.told == HEAD {
                (self.came, self.told) = (0, 0);
            }
            return Poll::Ready(Ok(true));
        }
        let read = if self.rest > 0 {
            let most = self.rest.min(buffer.remaining());
            // Past our buffer where it is empty and much is asked for.
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(most));
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
            let read = part.filled().len();
            buffer.advance(read);
            self.rest -= read;
            read
        } else {
            let there = ready!(Pin::new(&mut self.inner).poll_fill_buf(cx))?;
            let read = there.len().min(HEAD - self.came);
            self.head[self.came..self.came + read].copy_from_slice(&there[..read]);
            Pin::new(&mut self.inner).consume(read);
            self.came += read;
            if self.came == HEAD {
                if is_empty(self.head) {
                    self.came = 0;
                } else {
                    let [l0, l1, l2, ..] = self.head;
                    self.rest = usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2);
                }
            }
            read
        };
        Poll::Ready(Ok(read > 0))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WithoutEmptyFrames<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            match self.poll_some(cx, buffer) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => break,
                // What has been passed on comes first; an error comes again.
                Poll::Pending | Poll::Ready(Err(_)) if buffer.filled().len() > before => break,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WithoutEmptyFrames<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// What is read of `said`, which comes and is read in pieces of these sizes.
    async fn read(said: &[u8], comes: usize, reads: usize) -> Vec<u8> {
        let (mut app, proxy) = tokio::io::duplex(comes);
        let mut proxy = WithoutEmptyFrames::new(proxy);
        let write = async {
            app.write_all(said).await.unwrap();
            drop(app);
        };
        let read = async {
            let (mut all, mut piece) = (Vec::new(), vec![0; reads]);
            loop {
                match proxy.read(&mut piece).await.unwrap() {
                    0 => return all,
                    read => all.extend_from_slice(&piece[..read]),
                }
            }
        };
        tokio::join!(write, read).1
    }

    #[tokio::test]
    async fn only_what_says_nothing_is_taken_out_however_it_is_cut() {
        let empty = frame(DATA, 0, 1, b"");
        let kept = [
            frame(4, 0, 0, &[]),
            frame(1, 4, 1, b"\x88"),
            // Its payload looks like an empty frame.
            frame(DATA, 0, 1, &empty),
            frame(DATA, 0, 1, &[7; 300]),
            // Padding counts, the end of a stream is news, and no data belongs to stream 0.
            frame(DATA, 8, 1, &[0]),
            frame(DATA, END_STREAM, 1, b""),
            frame(DATA, 0, 0, b""),
            frame(1, 5, 3, b""),
        ];
        let said = kept.iter().flat_map(|kept| [&empty[..], kept, &empty]).collect::<Vec<_>>().concat();
        for (comes, reads) in [(1, 1), (1, 100), (5, 4), (9, 9), (10, 10), (100, 1), (4096, 4096)] {
            assert_eq!(read(&said, comes, reads).await, kept.concat(), "{comes} {reads}");
        }
    }
}
