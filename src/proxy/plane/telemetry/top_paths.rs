//! The paths asked for most, in memory that does not grow: the space-saving algorithm (Metwally, Agrawal, El Abbadi,
//! "Efficient computation of frequent and top-k elements in data streams", 2005).

use std::collections::HashMap;

use once_app::traffic::PathTraffic;

/// Paths kept. Whatever has more than 1/64 of all requests is among them.
const PATHS: usize = 64;
/// Bytes kept of a path.
const LENGTH: usize = 200;

/// One thread's paths of one day.
#[derive(Default)]
pub(in crate::plane) struct TopPaths {
    day: u32,
    counts: HashMap<Box<str>, Count>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// At most so many.
    requests: u64,
    /// What of them may have been another path's, whose place this took.
    surplus: u64,
    /// The path goes on.
    cut: bool,
}

impl TopPaths {
    /// `day` since 1970.
    pub(in crate::plane) fn asked(&mut self, day: u32, path: &str) {
        if self.day != day {
            self.day = day;
            self.counts.clear();
        }
        let kept = kept(path);
        if let Some(count) = self.counts.get_mut(kept) {
            count.requests += 1;
            return;
        }
        let mut surplus = 0;
        if self.counts.len() >= PATHS
            && let Some((rarest, count)) = self.counts.iter().min_by_key(|(_, count)| count.requests)
        {
            surplus = count.requests;
            let rarest = rarest.clone();
            self.counts.remove(&rarest);
        }
        self.counts.insert(kept.into(), Count { requests: surplus + 1, surplus, cut: kept.len() < path.len() });
    }

    /// Adds today's paths to those of other threads.
    pub(in crate::plane) fn add_to(&self, day: u32, sum: &mut PathSum) {
        if self.day != day {
            return;
        }
        for (path, count) in &self.counts {
            let to = sum.0.entry(path.clone()).or_default();
            to.requests += count.requests;
            to.surplus += count.surplus;
            to.cut |= count.cut;
        }
    }
}

/// Paths of all threads together.
#[derive(Default)]
pub(in crate::plane) struct PathSum(HashMap<Box<str>, Count>);

impl PathSum {
    /// The `count` most asked for.
    pub(in crate::plane) fn top(self, count: usize) -> Vec<PathTraffic> {
        let shown = |(path, count): (Box<str>, Count)| PathTraffic {
            path: if count.cut { format!("{path}…") } else { path.into() },
            requests: count.requests,
            at_least: count.requests - count.surplus,
        };
        let mut paths: Vec<_> = self.0.into_iter().map(shown).collect();
        paths.sort_by(|a, b| (b.requests, b.at_least, &a.path).cmp(&(a.requests, a.at_least, &b.path)));
        paths.truncate(count);
        paths
    }
}

fn kept(path: &str) -> &str {
    &path[..path.floor_char_boundary(LENGTH)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(paths: &TopPaths, day: u32) -> Vec<PathTraffic> {
        let mut sum = PathSum::default();
        paths.add_to(day, &mut sum);
        sum.top(10)
    }

    #[test]
    fn a_flood_of_new_paths_neither_grows_the_memory_nor_hides_the_frequent_ones() {
        let mut paths = TopPaths::default();
        for i in 0..50_000 {
            paths.asked(1, &format!("/{i}/{}", "x".repeat(5000)));
            if i % 10 == 0 {
                paths.asked(1, "/popular");
            }
            if i % 20 == 0 {
                paths.asked(1, "/second");
            }
        }
        assert_eq!(paths.counts.len(), PATHS);
        assert!(paths.counts.keys().all(|path| path.len() <= LENGTH));
        let top = top(&paths, 1);
        assert_eq!((top[0].path.as_str(), top[1].path.as_str()), ("/popular", "/second"));
        assert!((top[0].at_least..=top[0].requests).contains(&5000), "{:?}", top[0]);
        assert!((top[1].at_least..=top[1].requests).contains(&2500), "{:?}", top[1]);
    }

    #[test]
    fn few_paths_are_counted_exactly_and_added_up() {
        let (mut one, mut two) = (TopPaths::default(), TopPaths::default());
        for _ in 0..3 {
            one.asked(1, "/a");
        }
        one.asked(1, "/b");
        for _ in 0..5 {
            two.asked(1, "/b");
        }
        let mut sum = PathSum::default();
        one.add_to(1, &mut sum);
        two.add_to(1, &mut sum);
        let exact = |path: &str, n| PathTraffic { path: path.into(), requests: n, at_least: n };
        assert_eq!(sum.top(10), [exact("/b", 6), exact("/a", 3)]);
    }

    #[test]
    fn a_day_ends() {
        let mut paths = TopPaths::default();
        paths.asked(1, "/a");
        assert_eq!(top(&paths, 2), []);
        paths.asked(2, "/b");
        assert_eq!(top(&paths, 2)[0].path, "/b");
    }

    #[test]
    fn long_paths_are_cut_between_characters() {
        let mut paths = TopPaths::default();
        paths.asked(1, &format!("/{}", "ü".repeat(300)));
        assert!(top(&paths, 1)[0].path.ends_with("ü…"));
    }
}
