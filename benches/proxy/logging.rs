//! What the access log costs: the same proxy with and without it, turn by turn.

use std::io::{self, Write};

use crate::bed::{Bed, FILES};
use crate::wrk::{Load, Point, by_turns};
use crate::{Options, median, once, peers};

const CONNECTIONS: usize = 64;

/// What it may cost of the requests per second.
const GOAL: f64 = 0.10;

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let upstream = peers::upstream(&mut bed)?;
    let (silent, logging) =
        (once::state(&bed, "silent", 1, upstream.http)?, once::state(&bed, "logging", 1, upstream.http)?);
    once::silence(&silent)?;
    let servers = [once::start(&mut bed, &silent, &upstream.pids)?, once::start(&mut bed, &logging, &upstream.pids)?];
    writeln!(out, "\nthe access log, {CONNECTIONS} connections; medians, and of the ratios of each round")?;
    for (file, _) in FILES {
        let load = || Load { https: false, file, connections: CONNECTIONS, seconds: options.seconds, script: None };
        let points = by_turns(&bed, options.rounds.max(3), &[(&servers[0], load()), (&servers[1], load())])?;
        let of = |which: usize, field: fn(&Point) -> f64| median(points[which].iter().map(field));
        let ratio = median(points[0].iter().zip(&points[1]).map(|(silent, logging)| logging.rate / silent.rate));
        let verdict = if ratio >= 1.0 - GOAL { "goal" } else { "OVER" };
        writeln!(
            out,
            "{file:<6}without {:>8.0} req/s {:>6.1} µs   with {:>8.0} req/s {:>6.1} µs   ratio {ratio:.3}  {verdict} \
             (goal {:.2} and more)",
            of(0, |p| p.rate),
            of(0, |p| p.cpu_micros),
            of(1, |p| p.rate),
            of(1, |p| p.cpu_micros),
            1.0 - GOAL
        )?;
    }
    Ok(())
}
