//! The data plane against the bare upstream and against nginx as a proxy, under `wrk`. Everybody shares all cores, as on
//! a small server, and writes an access log.
//!
//! `cargo bench --bench proxy [-- --rounds N --seconds N]`; needs Debian's `nginx` and `wrk`.

mod machine;
mod servers;
mod wrk;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;

use machine::Machine;
use servers::{Server, Servers};
use wrk::Point;

const CONNECTIONS: [usize; 3] = [16, 64, 256];
const NAMES: [&str; 4] = ["upstream", "once", "once, log off", "nginx"];
/// A point during which others used more of the machine is measured again, a few times; the quietest one counts.
const QUIET: f64 = 0.06;
const AGAIN: usize = 4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("plane") => servers::plane(&arguments[1..]),
        _ => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn number(arguments: &[String], name: &str, default: u64) -> u64 {
    let at = arguments.iter().position(|argument| argument == name);
    at.and_then(|at| arguments.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn compare(arguments: &[String]) -> io::Result<()> {
    let (rounds, seconds) = (number(arguments, "--rounds", 3), number(arguments, "--seconds", 3));
    let mut out = io::stdout().lock();
    let servers = Servers::start()?;
    let mut points: BTreeMap<(usize, usize), Vec<Point>> = BTreeMap::new();
    for round in 0..usize::try_from(rounds).unwrap_or(3) {
        for connections in CONNECTIONS {
            for turn in 0..NAMES.len() {
                // Nobody is always first.
                let which = (turn + round) % NAMES.len();
                let server = servers.get(which);
                let point = quiet_point(server, connections, seconds)?;
                points.entry((connections, which)).or_default().push(point);
            }
        }
        writeln!(out, "round {} of {rounds}", round + 1)?;
    }
    print(&mut out, &points)
}

fn quiet_point(server: &Server, connections: usize, seconds: u64) -> io::Result<Point> {
    let mut best: Option<Point> = None;
    for _ in 0..AGAIN {
        wrk::run(server, connections, 1)?;
        let before = Machine::now(server)?;
        let mut point = wrk::run(server, connections, seconds)?;
        let after = Machine::now(server)?;
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn print(out: &mut impl Write, points: &BTreeMap<(usize, usize), Vec<Point>>) -> io::Result<()> {
    writeln!(out, "\nmedians; answers of 1 KiB; CPU of the server in µs a request; others: part of the machine")?;
    writeln!(
        out,
        "{:>5} {:<14} {:>10} {:>9} {:>9} {:>9} {:>9} {:>8} {:>7}",
        "conn", "", "req/s", "upstream", "nginx", "p50 ms", "p99 ms", "CPU µs", "others"
    )?;
    for connections in CONNECTIONS {
        let of = |which: usize, field: fn(&Point) -> f64| {
            median(points.get(&(connections, which)).into_iter().flatten().map(field))
        };
        let (upstream, nginx) = (of(0, |p| p.rate), of(3, |p| p.rate));
        for (which, name) in NAMES.iter().enumerate() {
            let rate = of(which, |p| p.rate);
            writeln!(
                out,
                "{connections:>5} {name:<14} {rate:>10.0} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>8.1} {:>6.0}%",
                rate / upstream,
                rate / nginx,
                of(which, |p| p.p50_ms),
                of(which, |p| p.p99_ms),
                of(which, |p| p.cpu_micros),
                of(which, |p| p.foreign) * 100.0,
            )?;
        }
    }
    Ok(())
}
