//! The threads that serve.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;

use once_proxy::plane::{Plane, PlaneOptions, Serving};
use rustix::thread::{CpuSet, sched_getaffinity};
use tokio_util::sync::CancellationToken;

use crate::support::until;

/// The cores that each of the threads may run on, by its number.
fn places() -> BTreeMap<u8, String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let place = |task: fs::DirEntry| {
        // The process, which is named for this program, has no number.
        let number = fs::read_to_string(task.path().join("comm")).ok()?.trim().strip_prefix("plane-")?.parse().ok()?;
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?.trim().to_owned();
        Some((number, cores))
    };
    tasks.filter_map(place).collect()
}

fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).unwrap();
    (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
}

/// They end with what is given back.
async fn serve(threads: usize) -> Serving {
    let plane = Plane::new(PlaneOptions { threads, ..PlaneOptions::default() });
    let serving = plane.serve(TcpListener::bind("127.0.0.1:0").unwrap(), CancellationToken::new()).unwrap();
    until("all threads", || places().len() == threads).await;
    serving
}

#[tokio::test]
async fn as_many_as_there_are_cores_stay_on_one_each() {
    let cores = cores();
    let _serving = serve(cores.len()).await;
    let wanted: Vec<String> = cores.iter().map(ToString::to_string).collect();
    until("a core for each", || places().into_values().collect::<Vec<_>>() == wanted).await;
}

#[tokio::test]
async fn other_numbers_run_where_the_system_lets_them() {
    let cores = cores();
    let _serving = serve(cores.len() + 1).await;
    let places = places();
    let all = fs::read_to_string("/proc/self/status").unwrap();
    for place in places.values() {
        assert!(all.contains(&format!("Cpus_allowed_list:\t{place}\n")), "{place} of {all}");
    }
}
