//! The engine of another machine through `ssh … docker system dial-stdio`, as Docker's own command does it: the
//! user's ssh configuration, keys and agent apply, ports too (bollard's own transport loses them).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bollard::API_DEFAULT_VERSION;
use http::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::address::SshTarget;
use super::environment::Environment;
use once_app::engine::EngineError;

/// What ssh said last, for the error that follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(Arc<Mutex<Vec<String>>>);

/// ssh may greet with a banner of any length; its reason comes last.
const KEPT_LINES: usize = 5;

impl Words {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        let surplus = lines.len().saturating_sub(KEPT_LINES);
        lines.drain(..surplus);
    }

    /// Puts ssh's words in the place of "connection closed", which is all that HTTP saw.
    pub fn explain(&self, error: EngineError) -> EngineError {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            EngineError::Unreachable { address, .. } if distrusts(&lines) => {
                EngineError::HostKey { address, source: lines.join("\n").into() }
            }
            EngineError::Unreachable { address, .. } if !lines.is_empty() => {
                EngineError::Unreachable { address, source: lines.join("; ").into() }
            }
            other => other,
        }
    }
}

/// Whether ssh ended because it does not know, or no longer knows, the machine's key: it ends with this sentence, and
/// with 255 as for everything else.
fn distrusts(lines: &[String]) -> bool {
    lines.iter().any(|line| line.trim_end().ends_with("Host key verification failed."))
}

pub(super) fn connect(
    target: &SshTarget,
    environment: &Environment,
    words: Words,
    limit: u64,
) -> Result<bollard::Docker, bollard::errors::Error> {
    let dialer = Dialer { target: target.clone(), path: environment.get("PATH").map(str::to_owned), words };
    let client = Client::builder(TokioExecutor::new()).build(dialer);
    bollard::Docker::connect_with_custom_transport(
        move |request: bollard::BollardRequest| {
            let client = client.clone();
            async move { client.request(request).await.map_err(bollard::errors::Error::from) }
        },
        Some("http://engine"),
        limit,
        API_DEFAULT_VERSION,
    )
}

#[derive(Clone)]
struct Dialer {
    target: SshTarget,
    path: Option<String>,
    words: Words,
}

impl Dialer {
    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        // No terminal: a question on it would draw over the console. 30 s is what Docker's own command gives it.
        command.args(["-T", "-o", "ConnectTimeout=30"]);
        if let Some(user) = &self.target.user {
            command.args(["-l", user]);
        }
        if let Some(port) = self.target.port {
            command.arg("-p").arg(port.to_string());
        }
        command.args(["--", &self.target.host, "docker", "system", "dial-stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn dial(&self) -> io::Result<TokioIo<Pipe>> {
        let mut child = self.command().spawn()?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("ssh was started without pipes"));
        };
        tokio::spawn(collect(stderr, self.words.clone()));
        Ok(TokioIo::new(Pipe { _child: child, stdin: Some(stdin), stdout }))
    }
}

async fn collect(stderr: ChildStderr, words: Words) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        words.add(line);
    }
}

impl tower_service::Service<Uri> for Dialer {
    type Response = TokioIo<Pipe>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial() })
    }
}

/// The two pipes of a running ssh as one stream. ssh ends with it.
struct Pipe {
    _child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A pipe is closed by closing it.
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_trusted_is_told_from_a_machine_that_cannot_be_reached() {
        let said = |lines: &[&str]| {
            let words = Words::default();
            lines.iter().for_each(|line| words.add((*line).to_owned()));
            words.explain(EngineError::Unreachable { address: "ssh://web-1".into(), source: "closed".into() })
        };
        let changed =
            ["@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @", "Host key verification failed.\r"];
        for lines in [&changed[..], &["Host key verification failed."]] {
            assert!(
                matches!(said(lines), EngineError::HostKey { address, .. } if address == "ssh://web-1"),
                "{lines:?}"
            );
        }
        let refused = ["ssh: connect to host web-1 port 22: Connection refused"];
        assert!(matches!(said(&refused), EngineError::Unreachable { .. }));
        assert!(matches!(said(&[]), EngineError::Unreachable { .. }));
        let problem = once_app::Problem::from(said(&changed));
        assert!(!problem.retryable && problem.hints.iter().any(|h| h.contains("ssh-keygen -R web-1")), "{problem:?}");
        assert!(!problem.hints.iter().any(|hint| hint.contains("once setup")), "{problem:?}");
    }
}
