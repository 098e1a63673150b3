//! What the host uses, read from `/proc`.

use std::fs;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use super::connect::Docker;
use once_app::engine::HostUsage;

/// Long enough for several of the kernel's ticks of 10 ms.
pub(super) const FIRST_SAMPLE: Duration = Duration::from_millis(100);

/// Ticks of all processors together since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Processor {
    busy: u64,
    all: u64,
    count: u32,
}

impl Processor {
    fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    pub(super) fn parse(stat: &str) -> Option<Self> {
        let (mut total, mut count) = (None, 0);
        for line in stat.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("cpu") => total = Some(words.filter_map(|word| word.parse().ok()).collect::<Vec<u64>>()),
                Some(name) if name.starts_with("cpu") => count += 1,
                _ => {}
            }
        }
        // user nice system idle iowait irq softirq steal; guest times behind them are counted in user already.
        let times = total?;
        let sum = |times: &[u64]| times.iter().fold(0_u64, |sum, time| sum.saturating_add(*time));
        let all = sum(times.get(..8).unwrap_or(&times));
        let idle = sum(times.get(3..5).or(times.get(3..)).unwrap_or_default());
        Some(Self { busy: all.saturating_sub(idle), all, count })
    }

    /// Of one processor, since an earlier reading.
    fn share(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all);
        let busy = self.busy.saturating_sub(earlier.busy);
        if all == 0 { 0.0 } else { busy as f64 / all as f64 * f64::from(self.count) }
    }
}

/// Used and all bytes.
pub(super) fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let kibibytes = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    let all = kibibytes("MemTotal")?;
    let used = all.saturating_sub(kibibytes("MemAvailable")?);
    Some((used.saturating_mul(1024), all.saturating_mul(1024)))
}

/// Used and all bytes of the file system below a directory.
fn disk(directory: &Path) -> Option<(u64, u64)> {
    let found = rustix::fs::statvfs(directory).ok()?;
    let all = found.f_blocks * found.f_frsize;
    Some((all.saturating_sub(found.f_bfree * found.f_frsize), all))
}

impl Docker {
    pub(super) async fn measure_host(&self) -> Option<HostUsage> {
        let info = self.about().await.ok()?;
        if !info.local {
            return None;
        }
        let last = *self.processor.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = match last {
            Some(earlier) => earlier,
            None => {
                let first = Processor::read()?;
                tokio::time::sleep(FIRST_SAMPLE).await;
                first
            }
        };
        let now = Processor::read()?;
        *self.processor.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        let (memory, memory_total) = memory(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let (disk, disk_total) = disk(Path::new(&info.root_dir))?;
        Some(HostUsage { cpu: now.share(earlier), memory, memory_total, disk, disk_total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_processors() {
        let first = Processor::parse("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1\ncpu1 1 1\nintr 5\n").unwrap();
        assert_eq!(first, Processor { busy: 150, all: 1000, count: 2 });
        let second = Processor { busy: 300, all: 1200, count: 2 };
        assert_eq!(second.share(first), 1.5);
        assert_eq!(first.share(first), 0.0);
        let most = u64::MAX;
        let wild = Processor::parse(&format!("cpu {most} {most} 0 1 {most}\n")).unwrap();
        assert_eq!(wild, Processor { busy: 0, all: most, count: 0 });
        assert_eq!(Processor::parse("cpu 5\n"), Some(Processor { busy: 5, all: 5, count: 0 }));
    }

    #[test]
    fn reads_the_memory() {
        let meminfo = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory(meminfo), Some((600 * 1024, 1000 * 1024)));
        assert_eq!(memory("MemTotal: 1 kB"), None);
        let wild = format!("MemTotal: {} kB\nMemAvailable: 0 kB\n", u64::MAX);
        assert_eq!(memory(&wild), Some((u64::MAX, u64::MAX)));
    }

    #[test]
    fn reads_the_disk() {
        let (used, all) = disk(Path::new("/")).unwrap();
        assert!(used > 0 && used <= all);
        assert_eq!(disk(Path::new("/does/not/exist")), None);
    }
}
