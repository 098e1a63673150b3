//! Whether a client sends its body fast enough. Only the time in which the app waits for it counts: an app that is slow
//! to take a body says nothing against its client.

use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::Frame;

use crate::plane::options::Limits;

/// A body's pace. Looked at when a piece comes; one that does not come at all has a limit elsewhere.
#[derive(Clone)]
pub(in crate::plane) struct Pace {
    /// Bytes a second.
    least: u32,
    grace: Duration,
    /// The app waits since then.
    waits: Option<Instant>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(in crate::plane) fn new(limits: &Limits) -> Self {
        let (least, grace) = (limits.body_rate, limits.body_grace);
        Self { least, grace, waits: None, waited: Duration::ZERO, bytes: 0 }
    }

    /// Takes note of what came, or did not; whether it is too little. Each time of grace is judged by itself, so that
    /// nobody lives on what came long ago.
    pub(in crate::plane) fn is_too_slow<E>(
        &mut self,
        polled: &Poll<Option<Result<Frame<Bytes>, E>>>,
        now: Instant,
    ) -> bool {
        let Poll::Ready(came) = polled else {
            self.waits.get_or_insert(now);
            return false;
        };
        if let Some(since) = self.waits.take() {
            self.waited += now.saturating_duration_since(since);
        }
        let Some(Ok(frame)) = came else { return false };
        self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if self.waited < self.grace {
            return false;
        }
        let due = self.waited.as_secs_f64() * f64::from(self.least);
        let slow = (self.bytes as f64) < due;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A piece of so many bytes each second, and how many pieces the client is let send. The app takes each at once, or
    /// after `busy`.
    fn sent(bytes: usize, wait: Duration, busy: Duration) -> usize {
        let mut pace = Pace::new(&Limits::default());
        let mut now = Instant::now();
        let piece = || Poll::Ready(Some(Ok::<_, ()>(Frame::data(Bytes::from(vec![0; bytes])))));
        (0..500)
            .find(|_| {
                pace.is_too_slow::<()>(&Poll::Pending, now);
                now += wait;
                let slow = pace.is_too_slow(&piece(), now);
                now += busy;
                slow
            })
            .unwrap_or(500)
    }

    #[test]
    fn a_trickle_is_cut_when_its_grace_is_over_and_a_slow_line_is_not() {
        let second = Duration::from_secs(1);
        assert_eq!(sent(1, second, Duration::ZERO), 29);
        assert_eq!(sent(239, second, Duration::ZERO), 29);
        assert_eq!(sent(240, second, Duration::ZERO), 500);
        assert_eq!(sent(20_000, 20 * second, Duration::ZERO), 500);
    }

    #[test]
    fn an_app_that_takes_its_time_is_not_the_clients_fault() {
        assert_eq!(sent(1000, Duration::from_secs(1), Duration::from_mins(10)), 500);
    }
}
