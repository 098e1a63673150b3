//! Connections that changed their protocol: bytes both ways until one end closes, or the drain's limit does.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::websocket::{FrameTracker, going_away, going_away_masked};
use crate::plane::listener::accept::Open;
use crate::plane::listener::activity::Pulse;
use crate::plane::request::request_id;
use crate::plane::routing::claim::UpgradedClaim;
use crate::plane::telemetry::cause::Cause;
use crate::plane::telemetry::record::Record;

pub(in crate::plane) struct Tunnel {
    pub(in crate::plane) websocket: bool,
    pub(in crate::plane) claim: UpgradedClaim,
    pub(in crate::plane) record: Record,
    pub(in crate::plane) listening: Open,
    pub(in crate::plane) pulse: Arc<Pulse>,
}

/// What a direction reads at a time.
const BUFFER: usize = 8 * 1024;

thread_local! {
    /// Shared by all tunnels of a thread: one that waits needs none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into());
}

/// What there is to read; empty at the end.
fn poll_read(from: &mut Reader, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().to_vec()))
    })
}

/// How long a polite end may take: to the end of the frame under way, and for the client to say goodbye in turn.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long an app may go on after its client has said that nothing more comes, and a client may take for what the kernel
/// still holds for it after the app has ended.
const LAST_WORDS: Duration = Duration::from_secs(30);

type Reader = ReadHalf<TokioIo<Upgraded>>;
type Writer = WriteHalf<TokioIo<Upgraded>>;

impl Tunnel {
    pub(in crate::plane) async fn run(mut self, client: OnUpgrade, app: OnUpgrade) {
        let (Ok(client), Ok(app)) = tokio::join!(client, app) else { return };
        let (mut client_read, client_write) = tokio::io::split(TokioIo::new(client));
        let (mut app_read, app_write) = tokio::io::split(TokioIo::new(app));
        let end = CancellationToken::new();
        let (asked, passed) = (AtomicU64::new(0), AtomicU64::new(0));
        let pulse = Arc::clone(&self.pulse);
        let masked = || going_away_masked(request_id::number().to_be_bytes()[..4].try_into().unwrap_or_default());
        let goodbye = self.websocket.then(masked);
        let up = Direction::new(&mut client_read, app_write, goodbye, (&asked, &pulse));
        let goodbye = self.websocket.then(going_away);
        let down = Direction::new(&mut app_read, client_write, goodbye, (&passed, &pulse));
        let mut taken = false;
        {
            let down = async {
                down.run(&end).await;
                taken = true;
            };
            let both = async {
                let (mut up, mut down) = (pin!(up.run(&end)), pin!(down));
                // What is left of a direction after its time is dropped, which closes it.
                let _ = tokio::select! {
                    () = &mut down => timeout(GOODBYE, up).await,
                    () = &mut up => timeout(LAST_WORDS, down).await,
                };
            };
            let (mut both, mut cut) = (pin!(both), pin!(cut(&self.claim, &self.listening)));
            tokio::select! {
                () = &mut both => {}
                () = &mut cut => {
                    self.record.blame(Cause::Cut);
                    end.cancel();
                    let _ = timeout(2 * GOODBYE, both).await;
                }
            }
        }
        self.record.bytes_in = asked.load(Ordering::Relaxed);
        self.record.bytes_out = passed.load(Ordering::Relaxed);
        // Written down and counted out: nobody waits for what follows.
        drop((self, app_read));
        if taken {
            let _ = timeout(LAST_WORDS, ignore(client_read)).await;
        }
    }
}

async fn cut(claim: &UpgradedClaim, listening: &Open) {
    tokio::select! {
        () = claim.cut() => {}
        () = listening.upgraded_end() => {}
    }
}

/// Reads what has no reader any more, to its end. A socket that is closed while something unread lies in it is reset, and
/// the reset overtakes what its client has not taken yet.
async fn ignore(mut from: Reader) {
    while poll_fn(|cx| poll_read(&mut from, cx)).await.is_ok_and(|data| !data.is_empty()) {}
}

/// What goes from one end to the other.
struct Direction<'a> {
    from: &'a mut Reader,
    to: Writer,
    /// What was written may not have gone out: a TLS stream keeps what its socket did not take.
    unflushed: bool,
    /// The Close frame for a WebSocket's end; `None`: another protocol, which is just cut.
    goodbye: Option<Vec<u8>>,
    passed: &'a AtomicU64,
    pulse: &'a Pulse,
}

impl<'a> Direction<'a> {
    /// `unflushed`, since the head of the answer went the same way.
    fn new(
        from: &'a mut Reader,
        to: Writer,
        goodbye: Option<Vec<u8>>,
        (passed, pulse): (&'a AtomicU64, &'a Pulse),
    ) -> Self {
        Self { from, to, unflushed: true, goodbye, passed, pulse }
    }

    /// What there is to read; empty at the end. While there is nothing, what was written before is flushed: not after
    /// each piece, as more of them make fuller packets.
    async fn read(&mut self) -> io::Result<Vec<u8>> {
        poll_fn(|cx| {
            let read = poll_read(self.from, cx);
            if read.is_pending() && self.unflushed && Pin::new(&mut self.to).poll_flush(cx)?.is_ready() {
                self.unflushed = false;
            }
            read
        })
        .await
    }

    async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.unflushed = true;
        self.to.write_all(data).await
    }

    async fn run(mut self, end: &CancellationToken) {
        let mut tracker = FrameTracker::default();
        loop {
            let read = tokio::select! {
                biased;
                () = end.cancelled() => {
                    // In vain where an end does not listen; what is left is dropped, which closes it.
                    let _ = timeout(GOODBYE, self.close(&mut tracker)).await;
                    break;
                }
                read = self.read() => read,
            };
            let Some(data) = read.ok().filter(|data| !data.is_empty()) else { break };
            if self.write(&data).await.is_err() {
                break;
            }
            self.passed.fetch_add(data.len() as u64, Ordering::Relaxed);
            self.pulse.progress();
            if self.goodbye.is_some() {
                tracker.advance(&data);
            }
        }
        let _ = self.to.shutdown().await;
    }

    /// Lets the frame under way end, says that this end goes away, and listens for the other's goodbye. What else comes
    /// after that has no reader: the Close frame was the last word.
    async fn close(&mut self, tracker: &mut FrameTracker) -> io::Result<()> {
        let Some(goodbye) = self.goodbye.take() else { return Ok(()) };
        let mut rest = Vec::new();
        while !tracker.at_boundary() {
            rest = self.read().await?;
            if rest.is_empty() {
                return Ok(());
            }
            let whole = tracker.advance_to_boundary(&rest);
            self.write(&rest[..whole]).await?;
            rest.drain(..whole);
        }
        // It may have said goodbye just now, and that was passed on.
        if !tracker.is_closed() {
            self.write(&goodbye).await?;
        }
        tracker.advance(&rest);
        while !tracker.is_closed() {
            let data = self.read().await?;
            if data.is_empty() {
                break;
            }
            tracker.advance(&data);
        }
        Ok(())
    }
}
