//! Instructions per request, as callgrind counts them: a figure that hardly depends on what else the machine does, so it
//! can be compared between two trees.
//!
//! The proxy's worker runs on one core, and so with one thread, under Debian's `valgrind`; it gets its sockets from here,
//! as from its supervisor, which starts `/proc/self/exe` and would start valgrind's own program. Two runs send a different number of the
//! same request over one connection. The difference of both counts, divided by the difference of the requests, is what
//! one request costs; what the start costs is the same in both and falls out.

use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};

use crate::bed::{Bed, HOST, binary};
use crate::tail::read_answer;
use crate::{once, peers};

/// Requests of the short run, and of the long one.
const REQUESTS: [u64; 2] = [1_000, 5_000];

/// The first descriptor that is handed over, by the protocol of systemd's socket activation.
const FIRST_FD: i32 = 3;

/// The first answer waits until the worker has started, some fifty times slower than usual.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn measure(out: &mut impl Write) -> io::Result<()> {
    let short = count(REQUESTS[0])?;
    let long = count(REQUESTS[1])?;
    let each = (long - short) / (REQUESTS[1] - REQUESTS[0]);
    writeln!(out, "\ninstructions, GET of 1 KiB over HTTP/1.1, one thread, access log on")?;
    writeln!(out, "{:<14}{:>16}", "per request", each)?;
    writeln!(out, "{:<14}{:>16}", "start and end", short - REQUESTS[0] * each)
}

/// Instructions of the worker for so many requests, its start and its end included.
fn count(requests: u64) -> io::Result<u64> {
    let mut bed = Bed::new(false)?;
    let upstream = peers::upstream(&mut bed)?;
    let state = once::state(&bed, "state", 1, upstream.http)?;
    let counts = bed.folder.join("counts");
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    let http = listeners[0].local_addr()?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0", "valgrind", "--quiet", "--tool=callgrind"]);
    command.arg(format!("--callgrind-out-file={}", counts.display())).arg(binary()?);
    command.args(["proxy", "worker", "--state"]).arg(&state).env("LISTEN_FDS", listeners.len().to_string());
    let mappings = listeners.into_iter().zip(FIRST_FD..);
    let mappings = mappings.map(|(listener, child_fd)| FdMapping { parent_fd: listener.into(), child_fd }).collect();
    command.fd_mappings(mappings).map_err(io::Error::other)?;
    bed.spawn(command, "once.log")?;
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET /1k HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let mut answer = vec![0; 8192];
    for _ in 0..requests {
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream, &mut answer)?;
    }
    drop(stream);
    // A process writes its counts when it ends.
    bed.end_all();
    let text = fs::read_to_string(&counts)?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    totals.ok_or_else(|| io::Error::other("valgrind has written no counts"))
}
