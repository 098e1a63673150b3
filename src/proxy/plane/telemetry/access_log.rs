//! Where access log lines go: into a buffer of the worker thread, from there in blocks to one writer thread, so that a
//! slow reader of the log never makes a request wait.

use std::cell::RefCell;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes blocks of the access log.
pub type Sink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Where the access log goes.
#[derive(Clone, Default)]
pub enum AccessLog {
    /// Nowhere; costs nothing.
    #[default]
    Off,
    /// Standard output.
    Stdout,
    /// Blocks of whole lines, called on a thread of its own.
    To(Sink),
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "Off",
            Self::Stdout => "Stdout",
            Self::To(_) => "To(..)",
        })
    }
}

/// A thread's buffer is given away at this size; the timer gives away what lies longer than [`FLUSH_EVERY`].
const BLOCK: usize = 32 * 1024;
pub(in crate::plane) const FLUSH_EVERY: std::time::Duration = std::time::Duration::from_millis(250);
/// Blocks that may wait for the writer, 4 MiB in all; then lines are dropped and counted.
const QUEUE: usize = 128;

/// Blocks kept for their memory.
const SPARE: usize = 4;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The sending end.
pub(in crate::plane) struct LogWriter {
    blocks: SyncSender<Vec<u8>>,
    /// Written and empty, to be filled again: memory that comes and goes is paid for in page faults.
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Not told of yet.
    dropped: Arc<AtomicU64>,
    dropped_in_all: AtomicU64,
}

impl LogWriter {
    /// `None`: the log is off, or no thread could be had for it.
    pub(in crate::plane) fn start(sink: &AccessLog) -> Option<Self> {
        let write: Sink = match sink {
            AccessLog::Off => return None,
            AccessLog::Stdout => Arc::new(|block| {
                // A closed log must not end the proxy.
                let _ = std::io::stdout().lock().write_all(block);
            }),
            AccessLog::To(write) => Arc::clone(write),
        };
        let (blocks, queue) = sync_channel::<Vec<u8>>(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let spare = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&spare);
        let run = move || {
            for mut block in queue {
                write(&block);
                block.clear();
                let mut spare = written.lock().unwrap_or_else(PoisonError::into_inner);
                if spare.len() < SPARE {
                    spare.push(block);
                }
                drop(spare);
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    write(
                        format!("{{\"level\":\"WARN\",\"msg\":\"Access log lines dropped\",\"lines\":{lost}}}\n")
                            .as_bytes(),
                    );
                }
            }
        };
        std::thread::Builder::new().name("access-log".to_owned()).spawn(run).ok()?;
        Some(Self { blocks, spare, dropped, dropped_in_all: AtomicU64::new(0) })
    }

    /// Lines lost since the start, as their reader was too slow.
    pub(in crate::plane) fn dropped(&self) -> u64 {
        self.dropped_in_all.load(Ordering::Relaxed)
    }

    /// Lets `format` append one line.
    pub(in crate::plane) fn line(&self, format: impl FnOnce(&mut Vec<u8>)) {
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.capacity() == 0 {
                *buffer = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
                buffer.reserve(BLOCK + 4096);
            }
            format(buffer);
            if buffer.len() >= BLOCK {
                self.send(std::mem::take(buffer));
            }
        });
    }

    /// Gives this thread's lines to the writer.
    pub(in crate::plane) fn flush(&self) {
        BUFFER.with_borrow_mut(|buffer| {
            if !buffer.is_empty() {
                self.send(std::mem::take(buffer));
            }
        });
    }

    fn send(&self, block: Vec<u8>) {
        if let Err(TrySendError::Full(block) | TrySendError::Disconnected(block)) = self.blocks.try_send(block) {
            let lines = block.iter().filter(|b| **b == b'\n').count();
            self.dropped.fetch_add(lines as u64, Ordering::Relaxed);
            self.dropped_in_all.fetch_add(lines as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_reader_costs_lines_and_no_time() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (out, lines) = std::sync::mpsc::channel::<String>();
        let wait = std::sync::Mutex::new(wait);
        let log = LogWriter::start(&AccessLog::To(Arc::new(move |block| {
            let _ = wait.lock().unwrap().recv();
            let _ = out.send(String::from_utf8_lossy(block).into_owned());
        })))
        .unwrap();
        for _ in 0..(QUEUE + 10) {
            log.line(|buffer| buffer.extend_from_slice(&[b'x'; BLOCK]));
            log.line(|buffer| buffer.push(b'\n'));
            log.flush();
        }
        drop(go);
        drop(log);
        let all: String = lines.iter().collect();
        assert!(all.contains("Access log lines dropped"), "{}", all.len());
    }
}
