//! The load: `wrk`, and what it says.

use std::io;
use std::process::Command;

use crate::servers::Server;

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

pub fn run(server: &Server, connections: usize, seconds: u64) -> io::Result<Point> {
    let url = format!("http://{}/1k", server.address);
    let output = Command::new("wrk")
        .args(["-t1", "--latency", "-H", "Host: bench.test"])
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg(url)
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("wrk: {error}")))?;
    parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        io::Error::other(format!("wrk against {} said: {}", server.name, String::from_utf8_lossy(&output.stdout)))
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
