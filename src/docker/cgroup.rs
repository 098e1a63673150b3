//! What containers use, read from the kernel's files: no call to the engine, so a console may ask often. Both versions
//! of cgroups, both of the engine's drivers.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use once_app::engine::Usage;

/// Reads and remembers, as a share needs two readings.
#[derive(Debug)]
pub(super) struct Cgroups {
    root: PathBuf,
    last: HashMap<String, (Instant, u64)>,
}

/// One reading of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    cpu_nanoseconds: u64,
    memory: u64,
    memory_limit: u64,
}

impl Cgroups {
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), last: HashMap::new() }
    }

    /// Whether one of these has never been read, so that its share is not known yet.
    pub fn is_new_to(&self, containers: &[String]) -> bool {
        containers.iter().any(|id| !self.last.contains_key(id) && self.read(id).is_some())
    }

    /// What these use; those that do not run are left out. Others are forgotten.
    pub fn usage(&mut self, containers: &[String], now: Instant) -> HashMap<String, Usage> {
        let mut readings = HashMap::new();
        let mut usages = HashMap::new();
        for id in containers {
            let Some(reading) = self.read(id) else { continue };
            readings.insert(id.clone(), (now, reading.cpu_nanoseconds));
            let cpu = self.last.get(id).map_or(0.0, |(before, earlier)| {
                share(reading.cpu_nanoseconds.saturating_sub(*earlier), now.saturating_duration_since(*before))
            });
            usages.insert(id.clone(), Usage { cpu, memory: reading.memory, memory_limit: reading.memory_limit });
        }
        self.last = readings;
        usages
    }

    /// How many processes in it the kernel killed for lack of memory since it was started; `None`: it does not run, or
    /// not on this machine.
    pub fn memory_kills(&self, id: &str) -> Option<u64> {
        groups(id)?.iter().find_map(|group| {
            let unified = self.root.join(group).join("memory.events");
            let split = self.root.join("memory").join(group).join("memory.oom_control");
            [unified, split].iter().find_map(|file| field(&text(file)?, "oom_kill"))
        })
    }

    fn read(&self, id: &str) -> Option<Reading> {
        groups(id)?.iter().find_map(|group| self.unified(group).or_else(|| self.split(group)))
    }

    /// Version 2: one tree.
    fn unified(&self, group: &str) -> Option<Reading> {
        let directory = self.root.join(group);
        let microseconds = field(&text(&directory.join("cpu.stat"))?, "usage_usec")?;
        let cache = field(&text(&directory.join("memory.stat"))?, "inactive_file").unwrap_or(0);
        Some(Reading {
            cpu_nanoseconds: microseconds.saturating_mul(1000),
            memory: number(&directory.join("memory.current"))?.saturating_sub(cache),
            memory_limit: number(&directory.join("memory.max")).unwrap_or(0),
        })
    }

    /// Version 1: a tree for each controller.
    fn split(&self, group: &str) -> Option<Reading> {
        let cpu = ["cpuacct", "cpu,cpuacct"]
            .iter()
            .find_map(|controller| number(&self.root.join(controller).join(group).join("cpuacct.usage")))?;
        let memory = self.root.join("memory").join(group);
        let cache = field(&text(&memory.join("memory.stat"))?, "total_inactive_file").unwrap_or(0);
        let limit = number(&memory.join("memory.limit_in_bytes")).unwrap_or(0);
        Some(Reading {
            cpu_nanoseconds: cpu,
            memory: number(&memory.join("memory.usage_in_bytes"))?.saturating_sub(cache),
            memory_limit: if limit >= NO_LIMIT { 0 } else { limit },
        })
    }
}

/// Where both of the engine's drivers put a container. Ids go into paths; only those the engine gives out may.
fn groups(id: &str) -> Option<[String; 2]> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_plain.then(|| [format!("docker/{id}"), format!("system.slice/docker-{id}.scope")])
}

/// Version 1 writes the largest count of pages for "none", which depends on the page size; nobody has a fourth of it.
const NO_LIMIT: u64 = i64::MAX as u64 / 4;

/// Of one processor.
pub(super) fn share(nanoseconds: u64, time: std::time::Duration) -> f64 {
    let elapsed = time.as_nanos() as f64;
    if elapsed > 0.0 { nanoseconds as f64 / elapsed } else { 0.0 }
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.trim().parse().ok()
}

pub(super) fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ID: &str = "0123456789abcdef";

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn unified(root: &Path, group: &str, microseconds: u64) {
        write(root, &format!("{group}/cpu.stat"), &format!("usage_usec {microseconds}\nuser_usec 1\n"));
        write(root, &format!("{group}/memory.stat"), "anon 1\ninactive_file 300\ninactive_file_x 1\n");
        write(root, &format!("{group}/memory.current"), "1000\n");
        write(root, &format!("{group}/memory.max"), "max\n");
    }

    fn split(root: &Path, cpu: &str, group: &str, limit: &str) {
        write(root, &format!("{cpu}/{group}/cpuacct.usage"), "5000\n");
        write(root, &format!("memory/{group}/memory.stat"), "inactive_file 1\ntotal_inactive_file 300\n");
        write(root, &format!("memory/{group}/memory.usage_in_bytes"), "1000\n");
        write(root, &format!("memory/{group}/memory.limit_in_bytes"), limit);
    }

    #[test]
    fn reads_version_2_of_both_drivers() {
        for group in [format!("docker/{ID}"), format!("system.slice/docker-{ID}.scope")] {
            let root = tempfile::tempdir().unwrap();
            unified(root.path(), &group, 5);
            let expected = Reading { cpu_nanoseconds: 5000, memory: 700, memory_limit: 0 };
            assert_eq!(Cgroups::at(root.path()).read(ID), Some(expected), "{group}");
        }
    }

    #[test]
    fn reads_version_1_of_both_drivers() {
        for (cpu, group) in
            [("cpuacct", format!("docker/{ID}")), ("cpu,cpuacct", format!("system.slice/docker-{ID}.scope"))]
        {
            let root = tempfile::tempdir().unwrap();
            split(root.path(), cpu, &group, "2000\n");
            let expected = Reading { cpu_nanoseconds: 5000, memory: 700, memory_limit: 2000 };
            assert_eq!(Cgroups::at(root.path()).read(ID), Some(expected), "{group}");
            split(root.path(), cpu, &group, "9223372036854771712\n");
            assert_eq!(Cgroups::at(root.path()).read(ID).unwrap().memory_limit, 0);
        }
    }

    #[test]
    fn kills_for_lack_of_memory_are_read_of_both_versions_and_drivers() {
        for group in [format!("docker/{ID}"), format!("system.slice/docker-{ID}.scope")] {
            let root = tempfile::tempdir().unwrap();
            assert_eq!(Cgroups::at(root.path()).memory_kills(ID), None);
            write(root.path(), &format!("{group}/memory.events"), "low 0\noom 4\noom_kill 3\noom_group_kill 0\n");
            assert_eq!(Cgroups::at(root.path()).memory_kills(ID), Some(3));
            let root = tempfile::tempdir().unwrap();
            let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n";
            write(root.path(), &format!("memory/{group}/memory.oom_control"), control);
            assert_eq!(Cgroups::at(root.path()).memory_kills(ID), Some(2));
        }
        assert_eq!(Cgroups::at(std::path::Path::new("/")).memory_kills("../etc"), None);
    }

    #[test]
    fn a_share_is_since_the_last_reading() {
        let root = tempfile::tempdir().unwrap();
        let group = format!("docker/{ID}");
        let ids = [ID.to_owned(), "ffff".to_owned(), "../../etc".to_owned()];
        let start = Instant::now();
        let mut cgroups = Cgroups::at(root.path());
        unified(root.path(), &group, 1_000_000);
        assert!(cgroups.is_new_to(&ids));
        assert_eq!(cgroups.usage(&ids, start)[ID].cpu, 0.0);
        assert!(!cgroups.is_new_to(&ids));
        unified(root.path(), &group, 4_000_000);
        let usages = cgroups.usage(&ids, start + Duration::from_secs(2));
        assert_eq!((usages.len(), usages[ID].cpu), (1, 1.5));
    }
}
