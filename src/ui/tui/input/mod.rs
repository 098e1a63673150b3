//! What is typed, pasted and clicked: a thread reads the terminal, the loop takes what it read.
//!
//! The thread asks `poll` before each read, and `poll` answers as long as there is something to read, however much was
//! there before. What it hands over is bounded: while the loop has not taken it, the thread does not read on, and the
//! terminal holds up whoever sends.

mod decode;

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossterm::event::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::mpsc;

use decode::Decoder;
#[cfg(any(fuzzing, test))]
pub(crate) use decode::holds;

/// Bytes of one read; a terminal of Linux holds no more.
const READ: usize = 4096;

/// Reads that may wait for the loop; then the terminal waits.
const WAITING: usize = 8;

/// Bytes that come within this of those before are of the same burst. Nobody types as fast.
const SAME_BURST: Duration = Duration::from_millis(2);

/// A read of so many bytes may have left some behind.
const MUCH: usize = READ / 4;

/// What one read brought.
#[derive(Debug)]
pub(crate) struct Typed {
    /// In the order it was typed.
    pub events: Vec<Event>,
    /// When its burst began: the moment input came after there had been none. No part of a burst was typed as an answer
    /// to what was painted after this.
    pub since: Instant,
}

/// Reads the terminal until it is dropped. After that no byte is taken from it any more.
pub(crate) struct Reader {
    typed: mpsc::Receiver<io::Result<Typed>>,
    /// Closing it wakes the thread and ends it.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Starts reading standard input. `escape_wait`: how long after an Esc more is waited for before it is the key Esc.
    ///
    /// # Errors
    /// No pipe or thread can be had.
    pub(crate) fn start(escape_wait: Duration) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let (tx, typed) = mpsc::channel(WAITING);
        let reading = std::thread::Builder::new().name("keys".into());
        let thread = reading.spawn(move || {
            if let Err(error) = read(&stopped, Decoder::new(escape_wait), &tx) {
                // Nobody listens any more where this fails.
                let _ = tx.blocking_send(Err(error));
            }
        })?;
        Ok(Self { typed, stop: Some(stop), thread: Some(thread) })
    }

    /// The next read; `None`: the terminal is gone. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Typed>> {
        self.typed.recv().await
    }

    /// One that has been made already.
    pub(crate) fn ready(&mut self) -> Option<io::Result<Typed>> {
        self.typed.try_recv().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // First, so that a thread that waits for the loop waits no longer.
        self.typed.close();
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it has been told by the hook.
            let _ = thread.join();
        }
    }
}

/// What the thread waits for.
enum Woken {
    /// There is something to read, or the terminal is gone, which reading tells.
    Readable,
    /// Nothing came in time.
    Silent,
    /// The reader was dropped.
    Stopped,
}

fn read(stopped: &PipeReader, mut decoder: Decoder, tx: &mpsc::Sender<io::Result<Typed>>) -> io::Result<()> {
    let terminal = io::stdin();
    let mut buffer = [0u8; READ];
    let mut since = Instant::now();
    let mut last = since;
    let mut in_burst = false;
    // What comes next may have been there before the last read, or have waited for the loop.
    let mut held_up = false;
    loop {
        let limit = if in_burst { Some(SAME_BURST) } else { decoder.wait() };
        let mut events = Vec::new();
        match woken(stopped, &terminal, limit)? {
            Woken::Stopped => return Ok(()),
            Woken::Silent if in_burst => in_burst = false,
            Woken::Silent => decoder.give_up(&mut events),
            Woken::Readable => {
                // Where nothing held it up, this thread was only not run for a while.
                if !in_burst || (!held_up && last.elapsed() > SAME_BURST) {
                    since = Instant::now();
                }
                in_burst = true;
                // Not through the library's buffer, which would hide from `poll` what it holds.
                match rustix::io::read(terminal.as_fd(), &mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(n) => {
                        held_up = n >= MUCH;
                        decoder.feed(&buffer[..n], &mut events);
                    }
                    Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if !events.is_empty() {
            held_up |= tx.capacity() == 0;
            if tx.blocking_send(Ok(Typed { events, since })).is_err() {
                return Ok(());
            }
        }
        last = Instant::now();
    }
}

fn woken(stopped: &PipeReader, terminal: &io::Stdin, limit: Option<Duration>) -> io::Result<Woken> {
    let mut both = [PollFd::new(stopped, PollFlags::IN), PollFd::new(terminal, PollFlags::IN)];
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    loop {
        match poll(&mut both, limit.as_ref()) {
            Ok(0) => return Ok(Woken::Silent),
            Ok(_) if both[0].revents().is_empty() => return Ok(Woken::Readable),
            Ok(_) => return Ok(Woken::Stopped),
            // A signal, which may come again and again: the limit begins anew, and that does no harm.
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
