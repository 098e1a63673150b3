//! CPU time: of a server with all its threads and processes, and of everybody else.

use std::fs::read_to_string;
use std::io;

use crate::servers::Server;

/// Clock ticks, of 10 ms each on Linux.
pub struct Machine {
    server: f64,
    ours: f64,
    busy: f64,
    all: f64,
}

const TICK_MICROS: f64 = 10_000.0;

impl Machine {
    pub fn now(server: &Server) -> io::Result<Self> {
        let stat = read_to_string("/proc/stat")?;
        let cpu: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
        let idle = cpu.get(3).unwrap_or(&0.0) + cpu.get(4).unwrap_or(&0.0);
        // Guests' time is in user time already.
        let all: f64 = cpu.iter().take(8).sum();
        let of_server = server.pids.iter().map(|pid| ticks(&pid.to_string(), false)).sum::<io::Result<f64>>()?;
        let mut ours = ticks("self", true)?;
        for pid in &server.all_pids {
            ours += ticks(&pid.to_string(), false)?;
        }
        Ok(Self { server: of_server, ours, busy: all - idle, all })
    }

    pub fn server_micros(&self, before: &Self) -> f64 {
        (self.server - before.server) * TICK_MICROS
    }

    pub fn foreign(&self, before: &Self) -> f64 {
        let foreign = (self.busy - before.busy) - (self.ours - before.ours);
        (foreign / (self.all - before.all).max(1.0)).max(0.0)
    }
}

/// User and system time; of ended children, too, if asked for.
fn ticks(pid: &str, children: bool) -> io::Result<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |i: usize| fields.get(i).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(field(11) + field(12) + if children { field(13) + field(14) } else { 0.0 })
}
