//! What the proxy adds to an answer's time when there is little to do: 500 requests a second over kept connections.
//!
//! The load is open: each request has its time, and what is late because the one before was late counts from there.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::bed::{Bed, FILES, HOST, pause};
use crate::{Options, median, once, peers};

const RATE: u32 = 500;
const CLIENTS: u32 = 16;
/// What may be added over direct, at the median and at the 99th of 100.
const MOST: [f64; 2] = [150.0, 1000.0];

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let upstream = peers::upstream(&mut bed)?;
    let state = once::state(&bed, "state", 1, upstream.http)?;
    let servers = [
        once::start(&mut bed, &state, &upstream.pids)?,
        peers::nginx_proxy(&mut bed, &upstream, false)?,
        peers::haproxy(&mut bed, &upstream)?,
        upstream,
    ];
    let span = Duration::from_secs(2 * options.seconds);
    let mut quantiles: BTreeMap<usize, Vec<[f64; 2]>> = BTreeMap::new();
    for round in 0..options.rounds {
        for turn in 0..servers.len() {
            let which = (turn + round) % servers.len();
            load(servers[which].http, Duration::from_millis(500))?;
            let mut micros = load(servers[which].http, span)?;
            micros.sort_by(f64::total_cmp);
            let at = |share: usize| micros.get(micros.len() * share / 100).copied().unwrap_or(0.0);
            quantiles.entry(which).or_default().push([at(50), at(99)]);
        }
    }
    let of =
        |which: usize, quantile: usize| median(quantiles.get(&which).into_iter().flatten().map(|pair| pair[quantile]));
    let direct = servers.len() - 1;
    writeln!(out, "\n{RATE} requests/s, 1 KiB, {CLIENTS} connections, open load; µs, medians over the rounds")?;
    writeln!(out, "{:<10}{:>8}{:>8}{:>12}{:>12}  verdict", "", "p50", "p99", "added p50", "added p99")?;
    for (which, server) in servers.iter().enumerate() {
        let added = [0, 1].map(|quantile| of(which, quantile) - of(direct, quantile));
        let kept = added[0] <= MOST[0] && added[1] <= MOST[1];
        writeln!(
            out,
            "{:<10}{:>8.0}{:>8.0}{:>12.0}{:>12.0}  {}",
            server.name,
            of(which, 0),
            of(which, 1),
            added[0],
            added[1],
            if server.name != "once" {
                ""
            } else if kept {
                "goal"
            } else {
                "OVER"
            }
        )?;
    }
    Ok(())
}

/// Microseconds of each request.
pub fn load(address: SocketAddr, span: Duration) -> io::Result<Vec<f64>> {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let client =
            |number: u32| move || client(address, start + Duration::from_secs(1) / RATE * number, start + span);
        let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(client(number))).collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.join().map_err(|_| io::Error::other("a client ended"))??);
        }
        Ok(all)
    })
}

fn client(address: SocketAddr, first: Instant, end: Instant) -> io::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!("GET /1k HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
    let (mut due, mut micros, mut answer) = (first, Vec::new(), vec![0; 8192]);
    while due < end {
        // One that is sent in time counts from its sending: how exactly this thread wakes up is no business of the
        // server's. One that comes late because the answer before it did counts from when it should have been sent.
        let sent = match due.checked_duration_since(Instant::now()) {
            Some(wait) => {
                pause(wait);
                Instant::now()
            }
            None => due,
        };
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream, &mut answer)?;
        micros.push(sent.elapsed().as_secs_f64() * 1e6);
        due += Duration::from_secs(1) / RATE * CLIENTS;
    }
    Ok(micros)
}

/// A head and a kilobyte.
pub fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let head = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_some_and(|at| filled >= at + 4 + FILES[0].1) {
            return Ok(());
        }
    }
}
