//! The proxy against the bare upstream and against nginx and HAProxy as proxies.
//!
//! `cargo run --release -p proxy-bench -- [quick] [throughput] [logging] [tail] [memory] [routes] [--pinned] [--rounds N]
//! [--seconds N]`; needs Debian's `nginx`, `haproxy`, `go` and `wrk`, and `ONCE_BINARY`. Without names all five are measured.
//! `rest` and `train` are no measurements (`train.rs`). `instructions` is measured only where it is named
//! (`instructions.rs`); it needs Debian's `valgrind`.
//!
//! How it is measured:
//! - What is measured is the release binary as it is installed, supervisor and worker.
//! - All proxies speak HTTP/1.1 to one nginx worker with two files, keep their connections to it, and write an access log
//!   line of the same fields into a file. Their configurations are in `peers.rs`.
//! - Everybody shares all cores, as on a small server: who binds its threads to cores does so of its own. `--pinned`: the
//!   proxy alone on the first core with one thread, load and upstream on the second; there the proxy is the limit, not the load.
//! - Rounds are interleaved and begin with another one each time. A table shows medians.
//! - CPU time is the scheduler's own count of all threads of all processes of a server, user and kernel: it hardly
//!   depends on what else the machine does, which cannot be said of requests per second.
//! - `others` is the part of the machine that processes foreign to the benchmark used meanwhile; a point with more than
//!   6 % is measured again, up to four times, and the quietest one counts.
//!
//! Reading a row that stays under 1: a relay spends most of its time in the kernel, on two reads and two writes a request
//! and on waking up for them, and these are the same for all. `perf record -g -p <worker>` under the same load shows what
//! is left: the kernel's part, then hyper's parsing and header maps, then the plane's own work.

mod bed;
mod instructions;
mod logging;
mod machine;
mod memory;
mod once;
mod peers;
#[path = "../../tests/support/ports.rs"]
mod ports;
mod routes;
mod tail;
mod throughput;
mod train;
mod wrk;

use std::io::{self, Write};
use std::process::ExitCode;

/// What is measured, and how thoroughly.
struct Options {
    pub(crate) quick: bool,
    pub(crate) pinned: bool,
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    only: Vec<String>,
}

const SECTIONS: [&str; 5] = ["throughput", "logging", "tail", "memory", "routes"];

/// Work for `bin/release`, and no measurement.
const TRAINING: [&str; 2] = ["rest", "train"];

/// Measured only where it is named: valgrind makes the proxy fifty times slower.
const INSTRUCTIONS: &str = "instructions";

impl Options {
    fn parse(arguments: &[String]) -> io::Result<Self> {
        let quick = arguments.iter().any(|argument| argument == "quick");
        let (rounds, seconds) = if quick { (1, 1) } else { (5, 2) };
        let mut options = Self { quick, pinned: false, rounds, seconds, only: Vec::new() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let unknown = || io::Error::other(format!("`{argument}` is not understood; see benches/proxy/main.rs"));
            let mut number = || rest.next().and_then(|value| value.parse::<u64>().ok()).ok_or_else(unknown);
            match argument.as_str() {
                "quick" => {}
                "--rounds" => options.rounds = usize::try_from(number()?).unwrap_or(1).max(1),
                "--seconds" => options.seconds = number()?.max(1),
                "--pinned" => options.pinned = true,
                name if SECTIONS.contains(&name) || TRAINING.contains(&name) || name == INSTRUCTIONS => {
                    options.only.push(name.to_owned());
                }
                _ => return Err(unknown()),
            }
        }
        Ok(options)
    }

    fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.asks_for(section)
    }

    fn asks_for(&self, name: &str) -> bool {
        self.only.iter().any(|only| only == name)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Options::parse(&arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    bed::raise_limits()?;
    let mut out = io::stdout().lock();
    if options.asks_for("rest") {
        return train::rest(options, &mut out);
    }
    if options.asks_for("train") {
        return train::train(options, &mut out);
    }
    if options.asks_for(INSTRUCTIONS) {
        return instructions::measure(&mut out);
    }
    let layout = if options.pinned { "pinned" } else { "free" };
    let cores = std::thread::available_parallelism()?;
    writeln!(out, "layout {layout}, {cores} cores, {} rounds of {} s a point", options.rounds, options.seconds)?;
    if options.wants("throughput") {
        throughput::measure(options, &mut out)?;
    }
    if options.wants("logging") {
        logging::measure(options, &mut out)?;
    }
    if options.wants("tail") {
        tail::measure(options, &mut out)?;
    }
    if options.wants("memory") {
        memory::measure(options, &mut out)?;
    }
    if options.wants("routes") {
        routes::measure(options, &mut out)?;
    }
    Ok(())
}

/// The middle one; the upper of two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
