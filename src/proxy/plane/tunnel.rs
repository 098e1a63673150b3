//! Connections that changed their protocol: bytes both ways until one end closes, or the drain's limit does.

use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::claim::UpgradedClaim;
use super::record::Record;
use super::serve::Open;
use super::websocket::{FrameTracker, GOING_AWAY};

pub(super) struct Tunnel {
    pub(super) websocket: bool,
    pub(super) claim: UpgradedClaim,
    pub(super) record: Record,
    pub(super) listening: Open,
}

/// What a direction reads at a time; two of them are all that an idle WebSocket costs besides its sockets.
const BUFFER: usize = 8 * 1024;
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
        let passed = AtomicU64::new(0);
        let up = upward(client_read, app_write, end.clone());
        let down = downward(app_read, client_write, self.websocket, &passed, end.clone());
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
        self.record.bytes_out = passed.load(Ordering::Relaxed);
    }
}

async fn cut(claim: &UpgradedClaim, listening: &Open) {
    tokio::select! {
        () = claim.cut() => {}
        () = listening.upgraded_end() => {}
    }
}

/// From the client to the app.
async fn upward(mut from: Reader, mut to: Writer, end: CancellationToken) {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            () = end.cancelled() => break,
        };
        match read {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).await.is_ok() => {}
            _ => break,
        }
    }
    let _ = to.shutdown().await;
    if end.is_cancelled() {
        // Until the client closes in turn; its last words have no reader.
        let _ = timeout(GOODBYE, async { while from.read(&mut buffer).await.is_ok_and(|n| n > 0) {} }).await;
    }
}

/// From the app to the client.
async fn downward(mut from: Reader, mut to: Writer, websocket: bool, passed: &AtomicU64, end: CancellationToken) {
    let mut buffer = vec![0; BUFFER];
    let mut tracker = FrameTracker::default();
    loop {
        let read = tokio::select! {
            biased;
            () = end.cancelled() => {
                let goodbye = close(&mut from, &mut to, websocket, &mut tracker);
                let _ = timeout(GOODBYE, goodbye).await;
                break;
            }
            read = from.read(&mut buffer) => read,
        };
        let Some(data) = read.ok().filter(|read| *read > 0).map(|read| &buffer[..read]) else { break };
        if to.write_all(data).await.is_err() {
            break;
        }
        passed.fetch_add(data.len() as u64, Ordering::Relaxed);
        if websocket {
            tracker.advance(data);
        }
    }
    let _ = to.shutdown().await;
}

/// Lets the frame under way end, then says that this end goes away.
async fn close(from: &mut Reader, to: &mut Writer, websocket: bool, tracker: &mut FrameTracker) -> io::Result<()> {
    if !websocket {
        return Ok(());
    }
    let mut buffer = vec![0; BUFFER];
    while !tracker.at_boundary() {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let end = tracker.advance_to_boundary(&buffer[..read]);
        to.write_all(&buffer[..end]).await?;
    }
    to.write_all(&GOING_AWAY).await
}
