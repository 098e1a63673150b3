//! Connections that changed their protocol: bytes both ways until one end closes, or the drain's limit does.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::claim::UpgradedClaim;
use super::pulse::Pulse;
use super::record::Record;
use super::request_id;
use super::serve::Open;
use super::websocket::{FrameTracker, going_away, going_away_masked};

pub(super) struct Tunnel {
    pub(super) websocket: bool,
    pub(super) claim: UpgradedClaim,
    pub(super) record: Record,
    pub(super) listening: Open,
    pub(super) pulse: Arc<Pulse>,
}

/// What a direction reads at a time.
const BUFFER: usize = 8 * 1024;

thread_local! {
    /// Shared by all tunnels of a thread: one that waits needs none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into());
}

/// What there is to read; empty at the end.
async fn read(from: &mut Reader) -> io::Result<Vec<u8>> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
            Poll::Ready(Ok(buffer.filled().to_vec()))
        })
    })
    .await
}

/// How long a polite end may take: to the end of the frame under way, and for the client to say goodbye in turn.
const GOODBYE: Duration = Duration::from_secs(1);
/// How long an app may go on after its client has said that nothing more comes.
const LAST_WORDS: Duration = Duration::from_secs(30);

type Reader = ReadHalf<TokioIo<Upgraded>>;
type Writer = WriteHalf<TokioIo<Upgraded>>;

impl Tunnel {
    pub(super) async fn run(mut self, client: OnUpgrade, app: OnUpgrade) {
        let (Ok(client), Ok(app)) = tokio::join!(client, app) else { return };
        let (client_read, client_write) = tokio::io::split(TokioIo::new(client));
        let (app_read, app_write) = tokio::io::split(TokioIo::new(app));
        let end = CancellationToken::new();
        let (asked, passed) = (AtomicU64::new(0), AtomicU64::new(0));
        let pulse = Arc::clone(&self.pulse);
        let masked = || going_away_masked(request_id::number().to_be_bytes()[..4].try_into().unwrap_or_default());
        let goodbye = self.websocket.then(masked);
        let up = Direction { from: client_read, to: app_write, goodbye, passed: &asked, pulse: &pulse };
        let goodbye = self.websocket.then(going_away);
        let down = Direction { from: app_read, to: client_write, goodbye, passed: &passed, pulse: &pulse };
        let (up, down) = (up.run(&end), down.run(&end));
        let both = async {
            let (mut up, mut down) = (pin!(up), pin!(down));
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
                end.cancel();
                let _ = timeout(2 * GOODBYE, both).await;
            }
        }
        self.record.bytes_in = asked.load(Ordering::Relaxed);
        self.record.bytes_out = passed.load(Ordering::Relaxed);
    }
}

async fn cut(claim: &UpgradedClaim, listening: &Open) {
    tokio::select! {
        () = claim.cut() => {}
        () = listening.upgraded_end() => {}
    }
}

/// What goes from one end to the other.
struct Direction<'a> {
    from: Reader,
    to: Writer,
    /// The Close frame for a WebSocket's end; `None`: another protocol, which is just cut.
    goodbye: Option<Vec<u8>>,
    passed: &'a AtomicU64,
    pulse: &'a Pulse,
}

impl Direction<'_> {
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
                read = read(&mut self.from) => read,
            };
            let Some(data) = read.ok().filter(|data| !data.is_empty()) else { break };
            if self.to.write_all(&data).await.is_err() {
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
        let Some(goodbye) = &self.goodbye else { return Ok(()) };
        let mut rest = Vec::new();
        while !tracker.at_boundary() {
            rest = read(&mut self.from).await?;
            if rest.is_empty() {
                return Ok(());
            }
            let whole = tracker.advance_to_boundary(&rest);
            self.to.write_all(&rest[..whole]).await?;
            rest.drain(..whole);
        }
        // It may have said goodbye just now, and that was passed on.
        if !tracker.is_closed() {
            self.to.write_all(goodbye).await?;
        }
        tracker.advance(&rest);
        while !tracker.is_closed() {
            let data = read(&mut self.from).await?;
            if data.is_empty() {
                break;
            }
            tracker.advance(&data);
        }
        Ok(())
    }
}
