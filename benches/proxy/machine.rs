//! CPU time: of a server with all its threads and processes, and of everybody else. Memory of processes.

use std::fs::{read_dir, read_to_string};
use std::io;

use crate::bed::Server;

/// The counters at one moment.
pub struct Machine {
    /// Of the server, nanoseconds on a CPU.
    server: f64,
    /// The others in clock ticks.
    ours: f64,
    busy: f64,
    all: f64,
}

impl Machine {
    pub fn now(server: &Server) -> io::Result<Self> {
        let stat = read_to_string("/proc/stat")?;
        let cpu: Vec<f64> =
            stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
        let idle = cpu.get(3).unwrap_or(&0.0) + cpu.get(4).unwrap_or(&0.0);
        // Guests' time is in user time already.
        let all: f64 = cpu.iter().take(8).sum();
        let of_server = server.pids.iter().map(|pid| nanoseconds(*pid)).sum::<io::Result<f64>>()?;
        let mut ours = ticks("self", true)?;
        for pid in server.pids.iter().chain(&server.beside) {
            ours += ticks(&pid.to_string(), false)?;
        }
        Ok(Self { server: of_server, ours, busy: all - idle, all })
    }

    pub fn server_micros(&self, before: &Self) -> f64 {
        (self.server - before.server) / 1000.0
    }

    pub fn foreign(&self, before: &Self) -> f64 {
        let foreign = (self.busy - before.busy) - (self.ours - before.ours);
        (foreign / (self.all - before.all).max(1.0)).max(0.0)
    }
}

/// What the scheduler has given to all threads of a process.
fn nanoseconds(pid: u32) -> io::Result<f64> {
    let mut sum = 0.0;
    for task in read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end in between.
        let stat = read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        sum += stat.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum)
}

/// User and system time; of ended children, too, if asked for.
fn ticks(pid: &str, children: bool) -> io::Result<f64> {
    let stat = read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let field = |i: usize| fields.get(i).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(field(11) + field(12) + if children { field(13) + field(14) } else { 0.0 })
}

/// KiB of memory that are these processes' own: pages shared by several count in parts.
pub fn memory_kib(pids: &[u32]) -> io::Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        let rollup = read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        sum += pss.and_then(|n| n.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(sum)
}
