//! `once proxy ctl`: a bridge from standard input and output to the control socket, for whoever can only reach the
//! container by `exec`. Knows nothing of what it carries.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use tokio::io::{AsyncRead, AsyncWrite, copy};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

/// Bridges this process's standard input and output to the control socket until either end closes.
///
/// # Errors
/// The socket cannot be reached, or a stream broke.
pub async fn bridge(socket: &Path) -> io::Result<()> {
    let socket = UnixStream::connect(socket).await?;
    let (input, output) = (std::io::stdin(), std::io::stdout());
    join(socket, reader(input.as_fd())?, writer(output.as_fd())?).await
}

/// Copies both ways until either end closes.
async fn join(
    socket: UnixStream,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut from, mut to) = socket.into_split();
    tokio::select! {
        sent = copy(&mut input, &mut to) => sent,
        told = copy(&mut from, &mut output) => told,
    }
    .map(drop)
}

/// A pipe is read without a thread of its own: one that waits for input would keep the process from ending.
fn reader(input: BorrowedFd<'_>) -> io::Result<Box<dyn AsyncRead + Unpin>> {
    Ok(match pipe::Receiver::from_owned_fd(input.try_clone_to_owned()?) {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdin()),
    })
}

fn writer(output: BorrowedFd<'_>) -> io::Result<Box<dyn AsyncWrite + Unpin>> {
    Ok(match pipe::Sender::from_owned_fd(output.try_clone_to_owned()?) {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdout()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// With real pipes, as `exec` gives them.
    #[tokio::test]
    async fn carries_bytes_until_either_end_closes() {
        for socket_first in [true, false] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("sock");
            let listener = UnixListener::bind(&path).unwrap();
            let (input, mut to) = std::io::pipe().unwrap();
            let (mut from, output) = std::io::pipe().unwrap();
            let ends = (reader(input.as_fd()).unwrap(), writer(output.as_fd()).unwrap());
            drop((input, output));
            let bridge = join(UnixStream::connect(&path).await.unwrap(), ends.0, ends.1);
            let outside = async {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut heard = [0; 4];
                to.write_all(b"ping").unwrap();
                socket.read_exact(&mut heard).await.unwrap();
                assert_eq!(&heard, b"ping");
                socket.write_all(b"pong").await.unwrap();
                if socket_first {
                    drop(socket);
                } else {
                    let answer = tokio::task::spawn_blocking(move || {
                        from.read_exact(&mut heard).unwrap();
                        heard
                    });
                    assert_eq!(&answer.await.unwrap(), b"pong");
                    drop(to);
                    std::future::pending::<()>().await;
                }
                std::future::pending::<()>().await;
            };
            let both = async {
                tokio::select! {
                    ended = bridge => ended.unwrap(),
                    () = outside => {}
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(20), both).await.expect("it ends");
        }
    }
}
