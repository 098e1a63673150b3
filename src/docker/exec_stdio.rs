//! Standard input and output of a command in a container as one stream of bytes: how the proxy's control socket is
//! reached where its volume is not.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bollard::container::LogOutput;
use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::call::Call;
use super::connect::Docker;
use super::exec::Attached;
use once_app::engine::{EngineError, ExecSpec};

/// Enough for a reason, too little for a flood.
const KEPT_STDERR: usize = 4096;

/// A running command's standard input and output. Dropping it closes the command's input and the connection.
pub struct ExecStdio {
    attached: Attached,
    unread: Bytes,
    stderr: Vec<u8>,
    end: End,
}

enum End {
    Open,
    Asking(Pin<Box<dyn Future<Output = Result<i64, EngineError>> + Send>>),
    Clean,
}

impl Docker {
    /// Runs a command in a container and hands over its standard input and output. What it writes to standard error
    /// becomes the read error, where it ends with a code other than 0.
    ///
    /// # Errors
    ///
    /// [`EngineError::Absent`] without such a container, [`EngineError::Conflict`] where it does not run, and those of
    /// any call to the engine. That the command is missing shows as a read error.
    pub async fn exec_stdio(&self, container: &str, argv: &[String]) -> Result<ExecStdio, EngineError> {
        let spec = ExecSpec { container: container.to_owned(), argv: argv.to_vec(), tty: None, stdin: true };
        let attached = self.attach(&spec).await?;
        Ok(ExecStdio { attached, unread: Bytes::new(), stderr: Vec::new(), end: End::Open })
    }
}

impl ExecStdio {
    fn ask_for_end(&self) -> End {
        let (client, id) = (self.attached.client.clone(), self.attached.id.clone());
        let call = Call::new("run", format!("a command in container {}", self.attached.container));
        End::Asking(Box::pin(async move { Attached::code(&client, &id, &call).await }))
    }

    fn ended(&self, code: i64) -> io::Result<()> {
        if code == 0 {
            return Ok(());
        }
        let words = String::from_utf8_lossy(&self.stderr).trim().to_owned();
        let reason = if words.is_empty() { format!("the command ended with code {code}") } else { words };
        Err(io::Error::other(reason))
    }
}

impl AsyncRead for ExecStdio {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.unread.is_empty() {
                let count = self.unread.len().min(buf.remaining());
                buf.put_slice(&self.unread[..count]);
                self.unread.advance(count);
                return Poll::Ready(Ok(()));
            }
            match &mut self.end {
                End::Clean => return Poll::Ready(Ok(())),
                End::Asking(asking) => {
                    let code = ready!(asking.as_mut().poll(cx));
                    self.end = End::Clean;
                    return Poll::Ready(code.map_err(io::Error::other).and_then(|code| self.ended(code)));
                }
                End::Open => match ready!(Pin::new(&mut self.attached.output).poll_next(cx)) {
                    Some(Ok(LogOutput::StdErr { message })) => {
                        let room = KEPT_STDERR.saturating_sub(self.stderr.len());
                        self.stderr.extend_from_slice(&message[..message.len().min(room)]);
                    }
                    Some(Ok(LogOutput::StdOut { message })) => self.unread = message,
                    Some(Ok(LogOutput::StdIn { .. })) => {}
                    // The connection was cut inside of a frame: what is left of it is no data.
                    Some(Ok(LogOutput::Console { .. })) => {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    Some(Err(cause)) => return Poll::Ready(Err(io::Error::other(cause))),
                    None => self.end = self.ask_for_end(),
                },
            }
        }
    }
}

impl AsyncWrite for ExecStdio {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.attached.input {
            Some(input) => input.as_mut().poll_write(cx, bytes),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.attached.input {
            Some(input) => input.as_mut().poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.attached.input {
            Some(input) => input.as_mut().poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl std::fmt::Debug for ExecStdio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecStdio").field("container", &self.attached.container).finish_non_exhaustive()
    }
}
