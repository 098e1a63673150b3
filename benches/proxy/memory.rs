//! What supervisor and worker occupy: at rest, for each idle connection and WebSocket, and after a million requests.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::bed::{Bed, HOST, Server, binary, free, pause, reachable};
use crate::machine::memory_kib;
use crate::tail::read_answer;
use crate::wrk::{Load, run};
use crate::{Options, once, peers};

/// Goal and least: MiB at rest, KiB a connection, KiB a WebSocket.
const BARS: [(f64, f64); 3] = [(8.0, 9.0), (12.0, 24.0), (16.0, 32.0)];

/// What two loads of five seconds may add, one after the other, for the level to count as reached (the allocator takes memory
/// in steps), and how many there are at most.
const NEXT_TO_NOTHING: f64 = 0.01;
const WARM_UPS: usize = 12;

/// The level after a million requests, as a part of the one before.
const FLAT: f64 = 1.05;

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nmemory of supervisor and worker; pages they share count once")?;
    let mut bed = Bed::new(options.pinned)?;
    let files = peers::upstream(&mut bed)?;
    let idle = idle(&bed, &files)?;
    line(out, "at rest", idle / 1024.0, "MiB", BARS[0])?;
    let demo = demo_app(&mut bed)?;
    let count = if options.quick { 500 } else { 2000 };
    let connection = each(&mut bed, files.http, count, keep_alive)?;
    line(out, "an idle keep-alive connection", connection, "KiB", BARS[1])?;
    let websocket = each(&mut bed, demo, count / 2, websocket)?;
    line(out, "an idle WebSocket", websocket, "KiB", BARS[2])?;
    flat(&mut bed, &files, options.quick, out)
}

fn line(out: &mut impl Write, what: &str, value: f64, unit: &str, (goal, least): (f64, f64)) -> io::Result<()> {
    let verdict = match value {
        value if value <= goal => "goal",
        value if value <= least => "bar",
        _ => "OVER",
    };
    writeln!(out, "{what:<32}{value:>8.1} {unit}  {verdict} (goal {goal}, at most {least})")
}

pub fn demo_app(bed: &mut Bed) -> io::Result<SocketAddr> {
    let address = free()?;
    let mut command = bed.command(binary()?, false);
    command.arg("demo-app").env("PORT", address.port().to_string());
    bed.spawn(command, "demo.log")?;
    reachable(address)?;
    Ok(address)
}

/// A proxy of its own that has answered once.
pub fn proxy(bed: &mut Bed, name: &str, app: SocketAddr) -> io::Result<Server> {
    let state = once::state(bed, name, 1, app)?;
    let server = once::start(bed, &state, &[])?;
    ask(server.http)?;
    settled(&server.pids)?;
    Ok(server)
}

/// Nobody else runs the binary meanwhile: its pages would count as theirs, too.
fn idle(bed: &Bed, files: &Server) -> io::Result<f64> {
    let mut bed = bed.beside("idle")?;
    let server = proxy(&mut bed, "state", files.http)?;
    memory_kib(&server.pids)
}

/// KiB for each of so many connections, each opened by `open` and then left alone.
fn each(
    bed: &mut Bed,
    app: SocketAddr,
    count: usize,
    open: fn(SocketAddr) -> io::Result<TcpStream>,
) -> io::Result<f64> {
    let server = proxy(bed, &format!("each-{count}"), app)?;
    let before = memory_kib(&server.pids)?;
    let connections = (0..count).map(|_| open(server.http)).collect::<io::Result<Vec<_>>>()?;
    settled(&server.pids)?;
    let after = memory_kib(&server.pids)?;
    drop(connections);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    Ok((after - before) / count as f64)
}

/// Waits until the memory has not shrunk for three seconds.
pub fn settled(pids: &[u32]) -> io::Result<()> {
    let (mut least, mut since) = (memory_kib(pids)?, Instant::now());
    while since.elapsed() < Duration::from_secs(3) {
        pause(Duration::from_millis(250));
        let now = memory_kib(pids)?;
        if now < least - 16.0 {
            (least, since) = (now, Instant::now());
        }
    }
    Ok(())
}

fn ask(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")?;
    let read = stream.read(&mut [0; 4096])?;
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(stream) }
}

/// One that has been used and is kept for the next request.
fn keep_alive(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /1k HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n")?;
    read_answer(&mut stream, &mut [0; 8192])?;
    Ok(stream)
}

pub fn websocket(address: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /ws HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
    }
    // A short masked message there, and its echo back: it has been used.
    stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'])?;
    stream.read_exact(&mut [0; 4])?;
    Ok(stream)
}

/// An allocator's first fill is no growth: what is compared is the level before and after the last million, and before it
/// comes as much load as it takes for a further one to add next to nothing.
fn flat(bed: &mut Bed, files: &Server, quick: bool, out: &mut impl Write) -> io::Result<()> {
    let server = proxy(bed, "flat", files.http)?;
    let rest = memory_kib(&server.pids)?;
    let wanted = if quick { 100_000.0 } else { 1_000_000.0 };
    let load = Load { https: false, file: "1k", connections: 64, seconds: 5, script: None };
    let (mut warm, mut before, mut earlier) = (0.0, rest, 0.0);
    for _ in 0..WARM_UPS {
        warm += run(bed, &server, &load)?.requests;
        bed.trim_logs()?;
        let now = memory_kib(&server.pids)?;
        let added = now / earlier - 1.0;
        (earlier, before) = (before, now);
        if added < NEXT_TO_NOTHING {
            break;
        }
    }
    let (mut requests, mut levels) = (0.0, Vec::new());
    while requests < wanted {
        requests += run(bed, &server, &load)?.requests;
        bed.trim_logs()?;
        levels.push(memory_kib(&server.pids)? / 1024.0);
    }
    let after = levels.last().map_or(before, |mib| mib * 1024.0);
    let verdict = if after <= before * FLAT { "flat" } else { "GROWS" };
    let levels: Vec<String> = levels.iter().map(|mib| format!("{mib:.1}")).collect();
    writeln!(
        out,
        "at rest {:.1} MiB, after {warm:.0} requests over 64 connections {:.1}, after {requests:.0} more {:.1}: {:+.1} \
         bytes a request  {verdict} (at most {:.0} %)",
        rest / 1024.0,
        before / 1024.0,
        after / 1024.0,
        (after - before) * 1024.0 / requests,
        (FLAT - 1.0) * 100.0
    )?;
    writeln!(out, "  after each 5 s of these: {} MiB", levels.join(" "))
}
