//! Requests per second and CPU per request, row by row, with a verdict.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::bed::{Bed, FILES, Server};
use crate::wrk::{Load, Point, point};
use crate::{Options, median, once, peers};

const CONNECTIONS: [usize; 3] = [16, 64, 256];
/// The least part of the better peer's requests per second, and the most CPU for 1 KiB: a third of kamal-proxy's, as a part
/// of that of the library it is built on.
const LEAST: f64 = 0.75;
const MOST_CPU: f64 = 1.0 / 3.0;

/// Where the 99th of 100 must not be above nginx's, as it comes.
const TAIL: usize = 64;

/// Scheme, file and connections.
type Row = (bool, usize, usize);

pub fn measure(options: &Options, out: &mut impl Write) -> io::Result<()> {
    let mut bed = Bed::new(options.pinned)?;
    let upstream = peers::upstream(&mut bed)?;
    let state = once::state(&bed, "state", 1, upstream.http)?;
    let servers = [
        once::start(&mut bed, &state, &upstream.pids)?,
        peers::nginx_proxy(&mut bed, &upstream, false)?,
        peers::nginx_proxy(&mut bed, &upstream, true)?,
        peers::haproxy(&mut bed, &upstream)?,
        peers::go(&mut bed, &upstream)?,
        upstream,
    ];
    writeln!(out, "{}", peers::TUNING)?;
    let mut points: BTreeMap<Row, BTreeMap<usize, Vec<Point>>> = BTreeMap::new();
    for round in 0..options.rounds {
        for row in rows(options.quick) {
            let (https, file, connections) = row;
            let load = Load { https, file: FILES[file].0, connections, seconds: options.seconds, script: None };
            for turn in 0..servers.len() {
                // Nobody is always first.
                let which = (turn + round) % servers.len();
                // The upstream is plain, and Go's proxy is there for the CPU of small answers.
                let plain = servers[which].https.is_none();
                if https && plain || file > 0 && servers[which].name == "go" {
                    continue;
                }
                let measured = point(&bed, &servers[which], &load)?;
                points.entry(row).or_default().entry(which).or_default().push(measured);
            }
        }
    }
    table(out, &servers, &points)
}

fn rows(quick: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for https in [false, true] {
        for file in 0..FILES.len() {
            for connections in CONNECTIONS {
                if !quick || connections == 64 {
                    rows.push((https, file, connections));
                }
            }
        }
    }
    rows
}

fn table(
    out: &mut impl Write,
    servers: &[Server],
    points: &BTreeMap<Row, BTreeMap<usize, Vec<Point>>>,
) -> io::Result<()> {
    writeln!(out, "\nmedians; `peers`: of the better peer's requests/s; CPU of the server in µs a request")?;
    writeln!(
        out,
        "{:<6}{:>4} {:>5}  {:<12}{:>8} {:>6} {:>6} {:>7} {:>8} {:>7} {:>7}  verdict",
        "", "", "conn", "", "req/s", "peers", "direct", "p50 ms", "p99 ms", "CPU µs", "others"
    )?;
    for ((https, file, connections), row) in points {
        let of = |which: usize, field: fn(&Point) -> f64| median(row.get(&which).into_iter().flatten().map(field));
        let measured = |name: &str| {
            let which = servers.iter().position(|server| server.name == name);
            which.filter(|which| row.contains_key(which))
        };
        let peers: Vec<usize> = ["nginx", "nginx tuned", "haproxy"].iter().filter_map(|name| measured(name)).collect();
        let best = peers.iter().map(|which| of(*which, |p| p.rate)).fold(0.0, f64::max);
        let thrift = peers.iter().map(|which| of(*which, |p| p.cpu_micros)).fold(f64::INFINITY, f64::min);
        let go = measured("go").map(|which| of(which, |p| p.cpu_micros));
        let direct = measured("upstream").map(|which| of(which, |p| p.rate));
        for which in row.keys().copied() {
            let server = &servers[which];
            let (rate, cpu) = (of(which, |p| p.rate), of(which, |p| p.cpu_micros));
            let part = direct.map_or(String::new(), |direct| format!("{:.2}", rate / direct));
            let nginx = measured("nginx").filter(|_| *connections == TAIL);
            let tail = nginx.map(|nginx| of(which, |p| p.p99_ms) / of(nginx, |p| p.p99_ms));
            let verdict =
                if server.name == "once" { verdict(rate / best, cpu, thrift, go, tail) } else { String::new() };
            writeln!(
                out,
                "{:<6}{:>4} {connections:>5}  {:<12}{rate:>8.0} {:>6.2} {part:>6} {:>7.2} {:>8.2} {cpu:>7.1} {:>6.0}%  {verdict}",
                if *https { "https" } else { "http" },
                FILES[*file].0,
                server.name,
                rate / best,
                of(which, |p| p.p50_ms),
                of(which, |p| p.p99_ms),
                of(which, |p| p.foreign) * 100.0,
            )?;
        }
    }
    Ok(())
}

fn verdict(ratio: f64, cpu: f64, thrift: f64, go: Option<f64>, tail: Option<f64>) -> String {
    let rate = match ratio {
        ratio if ratio >= 1.0 => "goal",
        ratio if ratio >= LEAST => "bar",
        _ => "UNDER",
    };
    let cost = match (cpu, go) {
        (cpu, _) if cpu <= thrift => "goal".to_owned(),
        (cpu, Some(go)) if cpu > go * MOST_CPU => format!("OVER: {:.2} of Go's", cpu / go),
        (cpu, Some(go)) => format!("bar: {:.2} of Go's", cpu / go),
        (_, None) => "bar".to_owned(),
    };
    let tail = match tail {
        Some(tail) if tail > 1.0 => format!(", p99 OVER: {tail:.2} of nginx's"),
        Some(tail) => format!(", p99 goal: {tail:.2} of nginx's"),
        None => String::new(),
    };
    format!("rate {rate}, CPU {cost}{tail}")
}
