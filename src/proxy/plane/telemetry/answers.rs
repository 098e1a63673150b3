//! Answers by method and status, with how long they took: what Prometheus is told.

use std::time::Duration;

use http::Method;

/// Upper bounds of the buckets, seconds: the usual ones of Prometheus' clients, as kamal-proxy has them.
pub(in crate::plane) const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The same, nanoseconds.
const NANOS: [u64; 11] = [
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// Pairs of method and status that are told apart; an app that makes up statuses gets no more.
const PAIRS: usize = 100;
/// Stands for every status above that.
const OTHER: u16 = 0;

/// Answers of one thread or, added up, of all.
#[derive(Default, Clone)]
pub(in crate::plane) struct Answers(Vec<Pair>);

#[derive(Clone)]
pub(in crate::plane) struct Pair {
    pub(in crate::plane) method: &'static str,
    status: u16,
    pub(in crate::plane) count: u64,
    /// All of those with a duration, seconds as nanoseconds.
    nanos: u64,
    /// By bucket, each without the ones before it; the last one is for all above [`BOUNDS`].
    buckets: [u64; BOUNDS.len() + 1],
}

impl Answers {
    /// `took`: `None` for upgraded connections, whose life is no duration of an answer.
    pub(in crate::plane) fn record(&mut self, method: &Method, status: u16, took: Option<Duration>) {
        let pair = self.pair(label(method), status);
        pair.count += 1;
        if let Some(took) = took {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            pair.nanos = pair.nanos.saturating_add(nanos);
            pair.buckets[NANOS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len())] += 1;
        }
    }

    pub(in crate::plane) fn add_to(&self, sum: &mut Self) {
        for from in &self.0 {
            let to = sum.pair(from.method, from.status);
            to.count += from.count;
            to.nanos = to.nanos.saturating_add(from.nanos);
            to.buckets.iter_mut().zip(&from.buckets).for_each(|(to, from)| *to += from);
        }
    }

    /// In the order of their labels.
    pub(in crate::plane) fn sorted(mut self) -> Vec<Pair> {
        self.0.sort_by_key(|pair| (pair.method, pair.status));
        self.0
    }

    fn pair(&mut self, method: &'static str, status: u16) -> &mut Pair {
        let full = self.0.len() >= PAIRS;
        let at = self.position(method, status).unwrap_or_else(|| {
            let status = if full { OTHER } else { status };
            self.position(method, status).unwrap_or_else(|| {
                self.0.push(Pair { method, status, count: 0, nanos: 0, buckets: <_>::default() });
                self.0.len() - 1
            })
        });
        &mut self.0[at]
    }

    fn position(&self, method: &'static str, status: u16) -> Option<usize> {
        self.0.iter().position(|pair| pair.status == status && pair.method == method)
    }
}

impl Pair {
    /// The status' label.
    pub(in crate::plane) fn status(&self) -> String {
        if self.status == OTHER { "other".to_owned() } else { self.status.to_string() }
    }

    pub(in crate::plane) fn seconds(&self) -> f64 {
        Duration::from_nanos(self.nanos).as_secs_f64()
    }

    /// For each of [`BOUNDS`], and then without one, how many took no longer.
    pub(in crate::plane) fn cumulative(&self) -> [u64; BOUNDS.len() + 1] {
        let mut sum = 0;
        self.buckets.map(|count| {
            sum += count;
            sum
        })
    }
}

/// Strangers make up methods; labels are few.
fn label(method: &Method) -> &'static str {
    const KNOWN: [(&Method, &str); 9] = [
        (&Method::GET, "GET"),
        (&Method::HEAD, "HEAD"),
        (&Method::POST, "POST"),
        (&Method::PUT, "PUT"),
        (&Method::PATCH, "PATCH"),
        (&Method::DELETE, "DELETE"),
        (&Method::CONNECT, "CONNECT"),
        (&Method::OPTIONS, "OPTIONS"),
        (&Method::TRACE, "TRACE"),
    ];
    KNOWN.iter().find(|(known, _)| *known == method).map_or("OTHER", |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_their_upper_bound() {
        let mut answers = Answers::default();
        for millis in [0, 5, 6, 10_000, 10_001] {
            answers.record(&Method::GET, 200, Some(Duration::from_millis(millis)));
        }
        answers.record(&Method::GET, 101, None);
        let pairs = answers.sorted();
        assert_eq!((pairs[0].status().as_str(), pairs[0].count, pairs[0].cumulative()[11]), ("101", 1, 0));
        assert_eq!(pairs[1].cumulative(), [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
        assert!((pairs[1].seconds() - 20.012).abs() < 1e-9);
    }

    #[test]
    fn invented_methods_and_statuses_stay_few() {
        let mut answers = Answers::default();
        for i in 0..1000 {
            let method = Method::from_bytes(format!("M{i}").as_bytes()).unwrap();
            answers.record(&method, i % 899 + 100, None);
        }
        let pairs = answers.sorted();
        assert!(pairs.len() <= PAIRS + 10, "{}", pairs.len());
        assert!(pairs.iter().all(|pair| pair.method == "OTHER"));
        assert_eq!(pairs.iter().map(|pair| pair.count).sum::<u64>(), 1000);
        assert_eq!(pairs[0].status(), "other");
    }
}
