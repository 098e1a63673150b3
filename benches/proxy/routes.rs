//! Many apps: what the size of the table costs a request, and how soon a proxy with all of them answers.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use crate::bed::{Bed, HOST, Server};
use crate::wrk::{Load, Point, by_turns};
use crate::{Options, median, once, peers};

const APPS: usize = 5000;
const MOST_MILLIS: f64 = 300.0;
const LEAST: f64 = 0.95;

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    one_of_many(options, out)?;
    all_in_turn(options, out, |bed, upstream| {
        let state = once::state(bed, "state", APPS, upstream.http)?;
        once::start(bed, &state, &upstream.pids)
    })?;
    let hosts: Vec<String> = (0..APPS).map(once::host).collect();
    all_in_turn(options, out, |bed, upstream| peers::nginx_of_many(bed, upstream, &hosts))
}

fn one_of_many(options: &Options, out: &mut impl Write) -> io::Result<()> {
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
    let (few, many) = (once::start(&mut bed, &few, &upstream.pids)?, once::start(&mut bed, &many, &upstream.pids)?);
    let points = by_turns(&bed, options.rounds, &[(&few, load(options, None)), (&many, load(options, None))])?;
    let ratio = median(points[1].iter().map(|p| p.rate)) / median(points[0].iter().map(|p| p.rate));
    let verdict = if ratio >= LEAST { "goal" } else { "UNDER" };
    tell(out, ["1 app", &format!("one of {APPS}")], &points, verdict)
}

/// What it costs that each request is for another app: each has connections of its own, and all of them are kept.
fn all_in_turn(
    options: &Options,
    out: &mut impl Write,
    start: impl FnOnce(&mut Bed, &Server) -> io::Result<Server>,
) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let upstream = peers::upstream(&mut bed)?;
    let server = start(&mut bed, &upstream)?;
    // The same script for both sides, for it costs the load something.
    let script = |name: &str, apps: usize| {
        let path = bed.folder.join(name);
        let text = format!(
            "local n = 0\nfunction request()\n  n = (n + 1237) % {apps}\n  local host = '{HOST}'\n\
             if n > 0 then host = 'app-' .. n .. '.test' end\n\
             return wrk.format('GET', '/1k', {{ ['Host'] = host }})\nend\n"
        );
        fs::write(&path, text).map(|()| path)
    };
    let (one, all) = (script("one.lua", 1)?, script("all.lua", APPS)?);
    let sides = [(&server, load(options, Some(&one))), (&server, load(options, Some(&all)))];
    let points = by_turns(&bed, options.rounds, &sides)?;
    tell(out, [&format!("{}, one", server.name), &format!("{APPS} in turn")], &points, "")
}

fn load<'a>(options: &Options, script: Option<&'a Path>) -> Load<'a> {
    Load { https: false, file: "1k", connections: 64, seconds: options.seconds, script }
}

/// Two lines, the second one as a part of the first.
fn tell(out: &mut impl Write, names: [&str; 2], points: &[Vec<Point>; 2], verdict: &str) -> io::Result<()> {
    let of = |which: usize, field: fn(&Point) -> f64| median(points[which].iter().map(field));
    for (which, name) in names.iter().enumerate() {
        let (rate, cpu) = (of(which, |p| p.rate), of(which, |p| p.cpu_micros));
        writeln!(
            out,
            "{name:<14}{rate:>8.0} req/s {:>5.2} {cpu:>6.1} µs {:>4.0}% others  {}",
            rate / of(0, |p| p.rate),
            of(which, |p| p.foreign) * 100.0,
            if which == 1 { verdict } else { "" }
        )?;
    }
    Ok(())
}
