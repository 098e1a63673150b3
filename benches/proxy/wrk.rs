//! The load: `wrk`, and what it says.

use std::io;
use std::path::Path;

use crate::bed::{Bed, HOST, Server};
use crate::machine::Machine;

/// One measurement.
#[derive(Debug, Clone, Default)]
pub struct Point {
    pub rate: f64,
    pub requests: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Other statuses than 2xx and 3xx, and socket errors.
    pub bad: u64,
    pub cpu_micros: f64,
    /// The part of the machine that others used meanwhile.
    pub foreign: f64,
}

/// What is asked for.
pub struct Load<'a> {
    pub https: bool,
    pub file: &'a str,
    pub connections: usize,
    pub seconds: u64,
    /// A Lua script.
    pub script: Option<&'a Path>,
}

/// A point during which others used more of the machine is measured again, a few times; the quietest one counts.
const QUIET: f64 = 0.06;
const AGAIN: usize = 4;

/// Measures after a second of warming up, in a quiet moment if there is one.
pub fn point(bed: &Bed, server: &Server, load: &Load) -> io::Result<Point> {
    let mut best: Option<Point> = None;
    for _ in 0..AGAIN {
        run(bed, server, &Load { seconds: 1, ..*load })?;
        let before = Machine::now(server)?;
        let mut point = run(bed, server, load)?;
        let after = Machine::now(server)?;
        bed.trim_logs()?;
        point.cpu_micros = after.server_micros(&before) / point.requests;
        point.foreign = after.foreign(&before);
        if point.bad > 0 {
            return Err(io::Error::other(format!("{} bad answers from {}", point.bad, server.name)));
        }
        if best.as_ref().is_none_or(|best| point.foreign < best.foreign) {
            best = Some(point);
        }
        if best.as_ref().is_some_and(|best| best.foreign <= QUIET) {
            break;
        }
    }
    best.ok_or_else(|| io::Error::other("nothing was measured"))
}

/// The points of two sides, so many of each; neither is always first.
pub fn by_turns(bed: &Bed, rounds: usize, sides: &[(&Server, Load<'_>); 2]) -> io::Result<[Vec<Point>; 2]> {
    let mut points: [Vec<Point>; 2] = Default::default();
    for round in 0..rounds {
        for turn in 0..sides.len() {
            let which = (turn + round) % sides.len();
            points[which].push(point(bed, sides[which].0, &sides[which].1)?);
        }
    }
    Ok(points)
}

pub fn run(bed: &Bed, server: &Server, load: &Load) -> io::Result<Point> {
    let url = match (load.https, server.https) {
        (true, Some(https)) => format!("https://{HOST}:{}/{}", https.port(), load.file),
        (true, None) => return Err(io::Error::other(format!("{} has no HTTPS", server.name))),
        (false, _) => format!("http://{}/{}", server.http, load.file),
    };
    let mut command = bed.command("wrk", false);
    command.args(["-t1", "--latency", "-H"]).arg(format!("Host: {HOST}"));
    command.arg(format!("-c{}", load.connections)).arg(format!("-d{}s", load.seconds));
    if let Some(script) = load.script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().map_err(|error| io::Error::new(error.kind(), format!("wrk: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("wrk against {} said: {text}{errors}", server.name))
    })
}

fn parse(text: &str) -> Option<Point> {
    let after = |start: &str| text.lines().find_map(|line| line.trim().strip_prefix(start)).map(str::trim);
    let sum = |line: Option<&str>| {
        let digits = line.unwrap_or_default().split(|c: char| !c.is_ascii_digit());
        digits.filter_map(|n| n.parse::<u64>().ok()).sum::<u64>()
    };
    let requests = text.lines().find(|line| line.contains(" requests in "))?;
    Some(Point {
        rate: after("Requests/sec:")?.parse().ok()?,
        requests: requests.split_whitespace().next()?.parse().ok()?,
        p50_ms: millis(after("50%")?)?,
        p99_ms: millis(after("99%")?)?,
        bad: sum(after("Non-2xx or 3xx responses:")) + sum(after("Socket errors:")),
        ..Point::default()
    })
}

fn millis(text: &str) -> Option<f64> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let factor = match unit {
        "us" => 0.001,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}
