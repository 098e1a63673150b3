//! Many apps: what the size of the table costs a request, and how soon a proxy with all of them answers.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::bed::{Bed, HOST};
use crate::wrk::{Load, Point, point};
use crate::{Options, median, once, peers};

const APPS: usize = 5000;
const MOST_MILLIS: f64 = 300.0;
const LEAST: f64 = 0.95;

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let upstream = peers::upstream(&mut bed)?;
    let (few, many) = (once::state(&bed, "few", 1, upstream.http)?, once::state(&bed, "many", APPS, upstream.http)?);
    let mut starts = Vec::new();
    for _ in 0..options.rounds.max(3) {
        let mut other = bed.beside("start")?;
        let begun = Instant::now();
        let server = once::start(&mut other, &many, &[])?;
        let mut stream = TcpStream::connect(server.http)?;
        write!(stream, "GET /1k HTTP/1.1\r\nHost: {HOST}\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        starts.push(begun.elapsed().as_secs_f64() * 1000.0);
        if !status.ends_with(b"200") {
            return Err(io::Error::other(String::from_utf8_lossy(&status).into_owned()));
        }
    }
    let start = median(starts.into_iter());
    writeln!(
        out,
        "\n{APPS} apps: {start:.0} ms from start to first answer  {} (at most {MOST_MILLIS} ms)",
        if start < MOST_MILLIS { "goal" } else { "OVER" }
    )?;
    // Each request to another app; the same script for both sides, for it costs the load something.
    let script = bed.folder.join("spread.lua");
    let spread = format!(
        "local n = 0\nfunction request()\n  n = (n + 1237) % {APPS}\n  local host = '{HOST}'\n\
         if n > 0 then host = 'app-' .. n .. '.test' end\n\
         return wrk.format('GET', '/1k', {{ ['Host'] = host }})\nend\n"
    );
    fs::write(&script, spread)?;
    let (few, many) = (once::start(&mut bed, &few, &upstream.pids)?, once::start(&mut bed, &many, &upstream.pids)?);
    let load = |script| Load { https: false, file: "1k", connections: 64, seconds: options.seconds, script };
    let sides = [(&few, load(None)), (&many, load(None)), (&many, load(Some(script.as_path())))];
    let mut points: [Vec<Point>; 3] = Default::default();
    for round in 0..options.rounds {
        for turn in 0..sides.len() {
            let which = (turn + round) % sides.len();
            points[which].push(point(&bed, sides[which].0, &sides[which].1)?);
        }
    }
    let of = |which: usize, field: fn(&Point) -> f64| median(points[which].iter().map(field));
    let names = ["1 app", "one of 5000", "all of 5000"];
    for (which, name) in names.iter().enumerate() {
        let (rate, cpu) = (of(which, |p| p.rate), of(which, |p| p.cpu_micros));
        let ratio = rate / of(0, |p| p.rate);
        let verdict = match which {
            1 if ratio >= LEAST => "goal",
            1 => "UNDER",
            _ => "",
        };
        writeln!(
            out,
            "{name:<12}{rate:>8.0} req/s {ratio:>5.2} {cpu:>6.1} µs {:>4.0}% others  {verdict}",
            of(which, |p| p.foreign) * 100.0
        )?;
    }
    Ok(())
}
