//! Small writes in one piece. A list of pieces costs the kernel more than copying a kilobyte together costs us: of an
//! exchange, the answer's head and body are two pieces, and the request is one that hyper hands over as a list.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More is not copied, bytes.
const SMALL: usize = 2048;

/// Writes pieces, as one where they are small or only one.
pub(in crate::plane) fn write<W>(to: &mut W, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>
where
    W: AsyncWrite + Unpin,
{
    if let [one] = pieces {
        return Pin::new(to).poll_write(cx, one);
    }
    if pieces.iter().map(|piece| piece.len()).sum::<usize>() > SMALL {
        return Pin::new(to).poll_write_vectored(cx, pieces);
    }
    let mut whole = [0; SMALL];
    let mut filled = 0;
    for piece in pieces {
        whole[filled..filled + piece.len()].copy_from_slice(piece);
        filled += piece.len();
    }
    Pin::new(to).poll_write(cx, &whole[..filled])
}

/// A connection that writes so.
pub(in crate::plane) struct Gathering<S>(pub(in crate::plane) S);

impl<S: AsyncRead + Unpin> AsyncRead for Gathering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gathering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        write(&mut self.0, cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;

    /// What was written, call by call; `vectored` are lists.
    #[derive(Default)]
    struct Calls {
        plain: Vec<Vec<u8>>,
        vectored: Vec<usize>,
    }

    impl AsyncWrite for Calls {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            self.plain.push(data.to_vec());
            Poll::Ready(Ok(data.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            data: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.vectored.push(data.len());
            Poll::Ready(Ok(data.iter().map(|piece| piece.len()).sum()))
        }
    }

    fn written(pieces: &[&[u8]]) -> (Calls, usize) {
        let mut calls = Calls::default();
        let pieces: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Ok(count)) = write(&mut calls, &mut cx, &pieces) else { panic!("it is ready") };
        (calls, count)
    }

    #[test]
    fn what_is_small_goes_as_one_and_nothing_is_lost() {
        let (calls, count) = written(&[b"head", b"", b"body"]);
        assert_eq!((calls.plain, calls.vectored, count), (vec![b"headbody".to_vec()], vec![], 8));
        let (calls, count) = written(&[&[1; 1024], &[2; 1024]]);
        assert_eq!((calls.plain[0].len(), calls.plain.len(), count), (2048, 1, 2048));
    }

    #[test]
    fn what_is_large_is_not_copied() {
        let (calls, count) = written(&[&[1; 1024], &[2; 1025]]);
        assert_eq!((calls.plain.len(), calls.vectored, count), (0, vec![2], 2049));
        let (calls, count) = written(&[&[1; 65536]]);
        assert_eq!((calls.plain.len(), calls.vectored, count), (1, vec![], 65536));
    }
}
