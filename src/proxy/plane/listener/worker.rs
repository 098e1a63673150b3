//! The threads of the data plane: a current-thread runtime each, which measured 2 to 20 % better than one runtime that
//! moves tasks between its threads; and a core each.

use std::io;
use std::net::TcpStream;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::accept::{Arrival, Lanes, Listening, accept};
use super::connection::connection;
use crate::plane::clock;
use crate::plane::handle::Shared;
use crate::plane::telemetry::access_log::FLUSH_EVERY;

/// Something for a thread to do.
pub(in crate::plane) enum Job {
    Listen(Arc<Listening>),
    Connection(TcpStream, Arrival),
}

/// The way to the threads. They end when it is dropped.
pub(in crate::plane) struct Threads {
    jobs: Vec<mpsc::UnboundedSender<Job>>,
}

impl Threads {
    pub(in crate::plane) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let count = shared.options.threads.max(1);
        let (jobs, queues): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::unbounded_channel()).unzip();
        let lanes = Lanes {
            loads: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            jobs: jobs.iter().map(mpsc::UnboundedSender::downgrade).collect(),
        };
        let cores = cores(count);
        for (lane, queue) in queues.into_iter().enumerate() {
            let core = cores.get(lane).copied();
            let (shared, lanes) = (Arc::clone(shared), lanes.clone());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
            std::thread::Builder::new().name(format!("plane-{lane}")).spawn(move || {
                if let Some(core) = core {
                    stay_on(core);
                }
                runtime.block_on(run(lane, shared, lanes, queue));
            })?;
        }
        Ok(Self { jobs })
    }

    /// Gives a listening socket to all of them.
    pub(in crate::plane) fn listen(&self, listening: &Arc<Listening>) {
        for jobs in &self.jobs {
            // A thread only ends with `self`.
            let _ = jobs.send(Job::Listen(Arc::clone(listening)));
        }
    }
}

/// A core for each thread, where there are as many: two that share one while another idles make each other's requests wait
/// for a whole time slice. Else none: the system knows better who runs where.
fn cores(threads: usize) -> Vec<usize> {
    let Ok(allowed) = sched_getaffinity(None) else { return Vec::new() };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if threads > 1 && cores.len() == threads { cores } else { Vec::new() }
}

/// For the thread that calls it.
fn stay_on(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    // Where that is forbidden, it goes without.
    let _ = sched_setaffinity(None, &only);
}

/// Rests are looked through once in so many flushes.
const SWEEP_EVERY: u32 = 4;

async fn run(lane: usize, shared: Arc<Shared>, lanes: Lanes, mut queue: mpsc::UnboundedReceiver<Job>) {
    let mut tick = tokio::time::interval(FLUSH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticks = 0_u32;
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(Job::Listen(listening)) => {
                    tokio::spawn(accept(lane, Arc::clone(&shared), listening, lanes.clone()));
                }
                Some(Job::Connection(stream, arrival)) => {
                    if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                        tokio::spawn(connection(lane, Arc::clone(&shared), stream, arrival));
                    }
                }
                None => break,
            },
            _ = tick.tick() => {
                if let Some(log) = &shared.log {
                    log.flush();
                }
                ticks = ticks.wrapping_add(1);
                if ticks.is_multiple_of(SWEEP_EVERY) {
                    sweep(lane, &shared);
                }
            }
        }
    }
    if let Some(log) = &shared.log {
        log.flush();
    }
}

fn sweep(lane: usize, shared: &Shared) {
    clock::adjust();
    let mut apps: Vec<_> = shared.apps.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    apps.extend(shared.removed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
    for upstream in apps.iter().flat_map(|app| app.upstreams()) {
        upstream.sweep(lane, shared.options.timeouts.upstream_idle);
    }
}
