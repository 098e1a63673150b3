//! Bytes for standard output and standard error that nothing may touch: what a command in a container writes. Written
//! straight to the descriptor, past the streams that take colours out and past any buffer.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Between two tries at a descriptor that takes nothing right now: long for a processor, short for a person.
const AGAIN: Duration = Duration::from_millis(5);

/// Which of the process's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

/// Writes all of these bytes; returns when the descriptor has taken the last one, however slow its reader is.
///
/// # Errors
/// What the system answers: [`io::ErrorKind::BrokenPipe`] where the reader has left.
pub(crate) async fn write(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Out => write_to(rustix::stdio::stdout(), bytes).await,
        Stream::Error => write_to(rustix::stdio::stderr(), bytes).await,
    }
}

async fn write_to(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(rustix::io::Errno::INTR) => {}
            // A program that shares the descriptor with us may have made it so that it never waits.
            Err(rustix::io::Errno::AGAIN) => tokio::time::sleep(AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Random bytes in which each value stands, and sequences that a terminal would obey.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut bytes: Vec<u8> = (0..=255).chain(*b"\x1b[31mred\x1b[0m\x1b]0;title\x07").collect();
        while bytes.len() < length {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.extend(state.to_le_bytes());
        }
        bytes
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_descriptor_that_never_waits_gets_every_byte() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let sent = sample(4 << 20);
        let expected = sent.clone();
        let reading = std::thread::spawn(move || {
            let mut received = Vec::new();
            theirs.read_to_end(&mut received).unwrap();
            received
        });
        write_to(ours.as_fd(), &sent).await.unwrap();
        drop(ours);
        assert!(reading.join().unwrap() == expected);
    }

    #[tokio::test]
    async fn a_reader_that_left_is_told_apart() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let error = write_to(ours.as_fd(), b"x").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
